#include "cli/parameter.h"

#include <charconv>
#include <cmath>
#include <cstdint>
#include <optional>
#include <string_view>

#include "common/utf8.h"

namespace lockstep::cli {

const char kParameterHelp[] =
    "A parameter is VALUE, or :NAME=VALUE (@NAME=VALUE, $NAME=VALUE). A VALUE is\n"
    "  null            NULL\n"
    "  10  -3          INTEGER\n"
    "  1.5  2e9        REAL\n"
    "  x'00ff'         BLOB, in hexadecimal\n"
    "  int:10  real:10  text:10  blob:00ff\n"
    "                  that type, whatever it looks like; real:inf and real:-inf too\n"
    "  anything else   TEXT\n";

namespace {

bool IsDigit(char c) { return c >= '0' && c <= '9'; }

bool IsNameCharacter(char c) {
  return IsDigit(c) || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_';
}

// The length of ":NAME=" at the start of `text`; 0 if it does not start so.
size_t NamePrefix(std::string_view text) {
  if (text.size() < 3 || (text[0] != ':' && text[0] != '@' && text[0] != '$')) return 0;
  size_t end = 1;
  while (end < text.size() && IsNameCharacter(text[end])) ++end;
  if (end == 1 || IsDigit(text[1]) || end == text.size() || text[end] != '=') return 0;
  return end + 1;
}

void SkipDigits(std::string_view* text) {
  while (!text->empty() && IsDigit(text->front())) text->remove_prefix(1);
}

void SkipSign(std::string_view* text) {
  if (!text->empty() && (text->front() == '-' || text->front() == '+')) text->remove_prefix(1);
}

bool LooksWhole(std::string_view text) {
  SkipSign(&text);
  const bool digits = !text.empty();
  SkipDigits(&text);
  return digits && text.empty();
}

// Digits with a point or an exponent, and nothing else that strtod would take ("inf", "0x1p3").
bool LooksReal(std::string_view text) {
  SkipSign(&text);
  const std::string_view mantissa = text;
  SkipDigits(&text);
  if (!text.empty() && text.front() == '.') text.remove_prefix(1);
  SkipDigits(&text);
  const size_t length = mantissa.size() - text.size();
  if (length == 0 || mantissa.substr(0, length) == ".") return false;
  if (text.empty()) return true;
  if (text.front() != 'e' && text.front() != 'E') return false;
  text.remove_prefix(1);
  SkipSign(&text);
  const bool exponent = !text.empty();
  SkipDigits(&text);
  return exponent && text.empty();
}

template <typename Number>
std::optional<Number> ParseNumber(std::string_view text) {
  if (!text.empty() && text[0] == '+') text.remove_prefix(1);
  Number number{};
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return number;
}

int HexDigit(char c) {
  if (IsDigit(c)) return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

std::optional<std::string> ParseHex(std::string_view text) {
  if (text.size() % 2 != 0) return std::nullopt;
  std::string bytes;
  bytes.reserve(text.size() / 2);
  for (size_t i = 0; i < text.size(); i += 2) {
    const int high = HexDigit(text[i]);
    const int low = HexDigit(text[i + 1]);
    if (high < 0 || low < 0) return std::nullopt;
    bytes.push_back(static_cast<char>(high << 4 | low));
  }
  return bytes;
}

absl::Status SetInteger(std::string_view text, v1::Value* value) {
  const auto number = ParseNumber<int64_t>(text);
  if (!number) {
    return absl::InvalidArgumentError(
        "not a whole number of 64 bits; for a REAL write real:…, for TEXT write text:…");
  }
  value->set_int_value(*number);
  return absl::OkStatus();
}

absl::Status SetReal(std::string_view text, v1::Value* value) {
  const auto number = ParseNumber<double>(text);
  if (!number || std::isnan(*number)) {
    return absl::InvalidArgumentError("not a number that a REAL can hold; for TEXT write text:…");
  }
  value->set_real_value(*number);
  return absl::OkStatus();
}

absl::Status SetBlob(std::string_view text, v1::Value* value) {
  auto bytes = ParseHex(text);
  if (!bytes) {
    return absl::InvalidArgumentError(
        "a blob is an even number of hexadecimal digits; for TEXT write text:…");
  }
  value->set_blob_value(*std::move(bytes));
  return absl::OkStatus();
}

absl::Status SetText(std::string_view text, v1::Value* value) {
  if (!IsValidUtf8(text)) {
    return absl::InvalidArgumentError("not UTF-8; bytes that are not text are written x'…'");
  }
  value->set_text_value(std::string(text));
  return absl::OkStatus();
}

bool Consume(std::string_view prefix, std::string_view* text) {
  if (!text->starts_with(prefix)) return false;
  text->remove_prefix(prefix.size());
  return true;
}

absl::Status SetValue(std::string_view text, v1::Value* value) {
  if (text == "null" || text == "NULL") return absl::OkStatus();
  if (Consume("text:", &text)) return SetText(text, value);
  if (Consume("int:", &text)) return SetInteger(text, value);
  if (Consume("real:", &text)) return SetReal(text, value);
  if (Consume("blob:", &text)) return SetBlob(text, value);
  if (text.size() >= 3 && (text[0] == 'x' || text[0] == 'X') && text[1] == '\'' &&
      text.back() == '\'') {
    return SetBlob(text.substr(2, text.size() - 3), value);
  }
  if (LooksWhole(text)) return SetInteger(text, value);
  if (LooksReal(text)) return SetReal(text, value);
  return SetText(text, value);
}

}  // namespace

absl::StatusOr<Parameter> ParseParameter(const std::string& text) {
  Parameter parameter;
  const size_t prefix = NamePrefix(text);
  if (prefix > 0) parameter.name = text.substr(1, prefix - 2);
  absl::Status status = SetValue(std::string_view(text).substr(prefix), &parameter.value);
  if (!status.ok()) return status;
  return parameter;
}

}  // namespace lockstep::cli
