#include "cli/table.h"

#include <algorithm>
#include <charconv>
#include <cmath>

#include "common/check.h"

namespace lockstep::cli {
namespace {

constexpr char kHexDigits[] = "0123456789abcdef";

std::string Escape(const std::string& text) {
  std::string out;
  out.reserve(text.size());
  for (char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if (c == '\n') {
      out += "\\n";
    } else if (c == '\t') {
      out += "\\t";
    } else if (byte < 0x20 || byte == 0x7f) {
      out += "\\x";
      out += kHexDigits[byte >> 4];
      out += kHexDigits[byte & 15];
    } else {
      out += c;
    }
  }
  return out;
}

// In code points: right for all scripts whose characters are one cell wide.
size_t Width(const std::string& text) {
  return static_cast<size_t>(
      std::count_if(text.begin(), text.end(), [](char c) { return (c & 0xc0) != 0x80; }));
}

void AppendCell(const std::string& cell, size_t width, bool right, std::string* line) {
  const std::string padding(width - Width(cell), ' ');
  *line += right ? padding + cell : cell + padding;
}

void AppendLine(std::string line, std::string* out) {
  line.erase(line.find_last_not_of(' ') + 1);
  *out += line;
  *out += '\n';
}

std::string FormatReal(double value) {
  if (std::isinf(value)) return value < 0 ? "-inf" : "inf";
  char buffer[32];
  const auto result = std::to_chars(buffer, buffer + sizeof(buffer), value);
  std::string text(buffer, result.ptr);
  if (text.find_first_of(".en") == std::string::npos) text += ".0";
  return text;
}

std::string FormatBlob(const std::string& bytes) {
  std::string text = "x'";
  for (char c : bytes) {
    text += kHexDigits[static_cast<unsigned char>(c) >> 4];
    text += kHexDigits[static_cast<unsigned char>(c) & 15];
  }
  return text + "'";
}

}  // namespace

void Table::AddRow(std::vector<std::string> cells) {
  LOCKSTEP_CHECK(cells.size() == header_.size(), "a row has a cell for each column");
  for (std::string& cell : cells) cell = Escape(cell);
  rows_.push_back(std::move(cells));
}

void Table::SetNumeric(size_t column) {
  LOCKSTEP_CHECK(column < header_.size(), "no such column");
  numeric_.resize(header_.size());
  numeric_[column] = true;
}

std::string Table::Render() const {
  std::vector<size_t> widths;
  for (size_t c = 0; c < header_.size(); ++c) {
    size_t width = Width(Escape(header_[c]));
    for (const auto& row : rows_) width = std::max(width, Width(row[c]));
    widths.push_back(width);
  }
  const auto is_numeric = [this](size_t c) { return c < numeric_.size() && numeric_[c]; };
  std::string out;
  std::string head;
  std::string rule;
  for (size_t c = 0; c < header_.size(); ++c) {
    if (c > 0) head += "  ", rule += "  ";
    AppendCell(Escape(header_[c]), widths[c], is_numeric(c), &head);
    rule += std::string(widths[c], '-');
  }
  AppendLine(head, &out);
  AppendLine(rule, &out);
  for (const auto& row : rows_) {
    std::string line;
    for (size_t c = 0; c < row.size(); ++c) {
      if (c > 0) line += "  ";
      AppendCell(row[c], widths[c], is_numeric(c), &line);
    }
    AppendLine(line, &out);
  }
  return out;
}

std::string FormatValue(const v1::Value& value) {
  switch (value.kind_case()) {
    case v1::Value::kIntValue:
      return std::to_string(value.int_value());
    case v1::Value::kRealValue:
      return FormatReal(value.real_value());
    case v1::Value::kTextValue:
      return value.text_value();
    case v1::Value::kBlobValue:
      return FormatBlob(value.blob_value());
    case v1::Value::KIND_NOT_SET:
      return "NULL";
  }
  return "?";
}

Table MakeTable(const google::protobuf::RepeatedPtrField<v1::Column>& columns,
                const google::protobuf::RepeatedPtrField<v1::Row>& rows) {
  std::vector<std::string> header;
  for (const v1::Column& column : columns) header.push_back(column.name());
  Table table(header);
  std::vector<bool> numeric(header.size(), !rows.empty());
  for (const v1::Row& row : rows) {
    std::vector<std::string> cells;
    for (const v1::Value& value : row.values()) {
      if (cells.size() < numeric.size() && (value.has_text_value() || value.has_blob_value())) {
        numeric[cells.size()] = false;
      }
      cells.push_back(FormatValue(value));
    }
    cells.resize(header.size());
    table.AddRow(std::move(cells));
  }
  for (size_t c = 0; c < numeric.size(); ++c) {
    if (numeric[c]) table.SetNumeric(c);
  }
  return table;
}

}  // namespace lockstep::cli
