#include <yaml-cpp/eventhandler.h>
#include <yaml-cpp/yaml.h>

#include <cerrno>
#include <cstring>
#include <fstream>
#include <set>
#include <sstream>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "common/config/sources.h"

namespace lockstep::config {
namespace {

constexpr char kNeedsMaps[] = "needs a list of maps: - {key: value, key: value}";

int LineOf(const YAML::Mark& mark) { return mark.is_null() ? 0 : mark.line + 1; }

absl::StatusOr<std::string> ReadWhole(const std::string& path, const Origin& asked_by) {
  std::ifstream file(path);
  std::ostringstream text;
  // An empty file sets failbit on the output, so it is looked at before.
  if (file && file.peek() != std::ifstream::traits_type::eof()) text << file.rdbuf();
  if (!file.is_open() || file.bad() || text.bad()) {
    return ErrorAt(asked_by, absl::StrCat("cannot read ", path, ": ", std::strerror(errno)));
  }
  return text.str();
}

// yaml-cpp takes a line that starts with a tab for more of the value above it, where YAML forbids
// it.
absl::Status CheckIndentation(const std::string& text, const std::string& path) {
  const std::vector<std::string> lines = absl::StrSplit(text, '\n');
  for (size_t i = 0; i < lines.size(); ++i) {
    const size_t first = lines[i].find_first_not_of(' ');
    if (first == std::string::npos || lines[i][first] != '\t') continue;
    return ErrorAt(Origin::File(path, static_cast<int>(i) + 1, ""), "a tab in the indentation");
  }
  return absl::OkStatus();
}

// yaml-cpp takes the end of the file for a closing quote. `start` is where a scalar begins.
bool LacksClosingQuote(const std::string& text, size_t start) {
  const char quote = start < text.size() ? text[start] : '\0';
  if (quote != '"' && quote != '\'') return false;
  for (size_t i = start + 1; i < text.size(); ++i) {
    if (quote == '"' && text[i] == '\\') {
      ++i;
    } else if (text[i] == quote) {
      // A doubled single quote stands for one of them.
      const bool doubled = quote == '\'' && i + 1 < text.size() && text[i + 1] == quote;
      if (!doubled) return false;
      ++i;
    }
  }
  return true;
}

absl::StatusOr<std::string> ReadScalar(const YAML::Node& node, const std::string& text,
                                       const Origin& origin) {
  if (LacksClosingQuote(text, static_cast<size_t>(node.Mark().pos))) {
    return ErrorAt(origin, "the closing quote is missing");
  }
  return node.Scalar();
}

// Notes where documents begin, and makes nothing of them.
class DocumentStarts final : public YAML::EventHandler {
 public:
  const std::vector<int>& lines() const { return lines_; }

  void OnDocumentStart(const YAML::Mark& mark) override { lines_.push_back(LineOf(mark)); }
  void OnDocumentEnd() override {}
  void OnNull(const YAML::Mark&, YAML::anchor_t) override {}
  void OnAlias(const YAML::Mark&, YAML::anchor_t) override {}
  void OnScalar(const YAML::Mark&, const std::string&, YAML::anchor_t,
                const std::string&) override {}
  void OnSequenceStart(const YAML::Mark&, const std::string&, YAML::anchor_t,
                       YAML::EmitterStyle::value) override {}
  void OnSequenceEnd() override {}
  void OnMapStart(const YAML::Mark&, const std::string&, YAML::anchor_t,
                  YAML::EmitterStyle::value) override {}
  void OnMapEnd() override {}

 private:
  std::vector<int> lines_;
};

// The line of each document, of the first `most`. yaml-cpp finds documents without end in some
// malformed texts, so YAML::LoadAll must not be asked.
std::vector<int> LinesOfDocuments(const std::string& text, size_t most) {
  std::istringstream stream(text);
  YAML::Parser parser(stream);
  DocumentStarts starts;
  while (starts.lines().size() < most && parser.HandleNextDocument(starts)) {
  }
  return starts.lines();
}

// The keys of a map with their nodes, each key a scalar that comes once.
absl::StatusOr<std::vector<std::pair<std::string, YAML::Node>>> KeysOf(const YAML::Node& map,
                                                                       const Origin& origin) {
  std::vector<std::pair<std::string, YAML::Node>> keys;
  std::set<std::string> seen;
  for (const auto& pair : map) {
    Origin place = origin;
    place.line = LineOf(pair.first.Mark());
    if (!pair.first.IsScalar()) return ErrorAt(place, "a key must be a word");
    const std::string& key = pair.first.Scalar();
    if (!seen.insert(key).second) {
      return ErrorAt(place, absl::StrCat("the key '", key, "' comes twice"));
    }
    keys.emplace_back(key, pair.second);
  }
  return keys;
}

absl::StatusOr<RawValue::Entry> ReadEntry(const YAML::Node& node, const std::string& text,
                                          Origin origin) {
  origin.line = LineOf(node.Mark());
  if (!node.IsMap()) return ErrorAt(origin, kNeedsMaps);
  auto keys = KeysOf(node, origin);
  if (!keys.ok()) return keys.status();
  RawValue::Entry entry{{}, origin};
  for (const auto& [key, value] : *keys) {
    if (!value.IsScalar()) return ErrorAt(origin, absl::StrCat("'", key, "' needs one value"));
    absl::StatusOr<std::string> scalar = ReadScalar(value, text, origin);
    if (!scalar.ok()) return scalar.status();
    entry.fields.emplace_back(key, *std::move(scalar));
  }
  return entry;
}

absl::StatusOr<RawValue> ReadValue(const YAML::Node& node, const std::string& text,
                                   const Origin& origin) {
  RawValue value;
  value.origin = origin;
  if (node.IsScalar()) {
    absl::StatusOr<std::string> scalar = ReadScalar(node, text, origin);
    if (!scalar.ok()) return scalar.status();
    value.text = *std::move(scalar);
    return value;
  }
  if (node.IsNull()) return ErrorAt(origin, "has no value");
  if (!node.IsSequence()) return ErrorAt(origin, "needs one value, or a list of maps");
  value.is_list = true;
  for (const YAML::Node& item : node) {
    absl::StatusOr<RawValue::Entry> entry = ReadEntry(item, text, origin);
    if (!entry.ok()) return entry.status();
    value.entries.push_back(*std::move(entry));
  }
  return value;
}

absl::StatusOr<std::vector<NamedValue>> ReadDocument(const YAML::Node& document,
                                                     const std::string& text,
                                                     const std::string& path) {
  std::vector<NamedValue> values;
  if (document.IsNull()) return values;
  const Origin file = Origin::File(path, LineOf(document.Mark()), "");
  if (!document.IsMap()) return ErrorAt(file, "a settings file is a map: key: value");
  auto keys = KeysOf(document, file);
  if (!keys.ok()) return keys.status();
  for (const auto& pair : document) {
    const std::string& key = pair.first.Scalar();
    const Origin origin = Origin::File(path, LineOf(pair.first.Mark()), key);
    absl::StatusOr<RawValue> value = ReadValue(pair.second, text, origin);
    if (!value.ok()) return value.status();
    values.push_back({key, *std::move(value)});
  }
  return values;
}

}  // namespace

absl::StatusOr<std::vector<NamedValue>> ReadYamlFile(const std::string& path,
                                                     const Origin& asked_by) {
  absl::StatusOr<std::string> text = ReadWhole(path, asked_by);
  if (!text.ok()) return text.status();
  if (absl::Status checked = CheckIndentation(*text, path); !checked.ok()) return checked;
  try {
    const std::vector<int> documents = LinesOfDocuments(*text, 2);
    if (documents.size() > 1) {
      return ErrorAt(Origin::File(path, documents[1], ""),
                     "a second document; a settings file has one");
    }
    if (documents.empty()) return std::vector<NamedValue>();
    return ReadDocument(YAML::Load(*text), *text, path);
  } catch (const YAML::Exception& error) {
    return ErrorAt(Origin::File(path, LineOf(error.mark), ""), error.msg);
  }
}

}  // namespace lockstep::config
