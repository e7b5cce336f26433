// A list of maps: a YAML sequence in a file, "key=value,key=value;key=value,…" everywhere else.
#include <algorithm>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "common/config/address.h"
#include "common/config/types.h"
#include "common/config/value_text.h"

namespace lockstep::config {
namespace {

using Fields = std::vector<ListField>;

std::string Trimmed(const std::string& text) {
  return std::string(absl::StripAsciiWhitespace(text));
}

absl::StatusOr<RawValue::Entry> ParseCompactEntry(const std::string& text, const Origin& origin) {
  RawValue::Entry entry{{}, origin};
  const std::vector<std::string> pairs = absl::StrSplit(text, ',');
  for (const std::string& pair : pairs) {
    const size_t equals = pair.find('=');
    if (equals == pair.npos) {
      return ErrorAt(origin, absl::StrCat("'", pair, "' is not key=value, in '", text, "'"));
    }
    entry.fields.emplace_back(Trimmed(pair.substr(0, equals)), Trimmed(pair.substr(equals + 1)));
  }
  return entry;
}

absl::StatusOr<std::vector<RawValue::Entry>> ParseCompact(const RawValue& value) {
  std::vector<RawValue::Entry> entries;
  const std::vector<std::string> texts = absl::StrSplit(value.text, ';');
  for (const std::string& text : texts) {
    if (Trimmed(text).empty()) continue;  // a list may end with ';', and be empty
    absl::StatusOr<RawValue::Entry> entry = ParseCompactEntry(text, value.origin);
    if (!entry.ok()) return entry.status();
    entries.push_back(*std::move(entry));
  }
  return entries;
}

std::string NamesOf(const Fields& fields) {
  return absl::StrJoin(fields, ", ", [](std::string* out, const ListField& field) {
    absl::StrAppend(out, field.name);
  });
}

absl::Status CheckText(const ListField& field, const std::string& text, const Origin& origin) {
  if (text.empty()) return ErrorAt(origin, absl::StrCat(field.name, " is empty"));
  if (field.kind == ListField::Kind::kAddress) {
    const absl::StatusOr<Address> address = ParseAddress(text);
    if (!address.ok()) {
      return ErrorAt(origin,
                     absl::StrCat(field.name, ": ", std::string(address.status().message())));
    }
  }
  const auto& choices = field.choices;
  if (choices.empty() || std::find(choices.begin(), choices.end(), text) != choices.end()) {
    return absl::OkStatus();
  }
  return ErrorAt(origin, absl::StrCat(field.name, ": '", text, "' is not one of ",
                                      absl::StrJoin(choices, ", ")));
}

absl::StatusOr<ListEntry> CheckEntry(const Fields& fields, const RawValue::Entry& raw) {
  ListEntry entry;
  for (const auto& [key, text] : raw.fields) {
    const auto field =
        std::find_if(fields.begin(), fields.end(),
                     [&name = key](const ListField& known) { return known.name == name; });
    if (field == fields.end()) {
      return ErrorAt(raw.origin,
                     absl::StrCat("unknown key '", key, "'; known are ", NamesOf(fields)));
    }
    if (absl::Status checked = CheckText(*field, text, raw.origin); !checked.ok()) return checked;
    if (!entry.emplace(key, text).second) {
      return ErrorAt(raw.origin, absl::StrCat(key, " is given twice in one entry"));
    }
  }
  for (const ListField& field : fields) {
    if (field.required && !entry.contains(field.name)) {
      return ErrorAt(raw.origin, absl::StrCat(field.name, " is missing in an entry"));
    }
  }
  return entry;
}

absl::Status StoreList(const Fields& fields, const RawValue& value,
                       std::vector<ListEntry>* target) {
  absl::StatusOr<std::vector<RawValue::Entry>> parsed = value.entries;
  if (!value.is_list) parsed = ParseCompact(value);
  if (!parsed.ok()) return parsed.status();
  std::vector<ListEntry> list;
  for (const RawValue::Entry& raw : *parsed) {
    absl::StatusOr<ListEntry> entry = CheckEntry(fields, raw);
    if (!entry.ok()) return entry.status();
    list.push_back(*std::move(entry));
  }
  *target = std::move(list);
  return absl::OkStatus();
}

// One map a line, its keys in the order of their declaration.
std::pair<std::string, std::string> FormatList(const Fields& fields,
                                               const std::vector<ListEntry>& list) {
  if (list.empty()) return {"[]", ""};
  std::string lines;
  for (const ListEntry& entry : list) {
    std::vector<std::string> pairs;
    for (const ListField& field : fields) {
      const auto found = entry.find(field.name);
      if (found == entry.end()) continue;
      pairs.push_back(absl::StrCat(field.name, ": ", FormatYamlText(found->second)));
    }
    absl::StrAppend(&lines, "  - {", absl::StrJoin(pairs, ", "), "}\n");
  }
  return {"", lines};
}

}  // namespace

SettingType ListType(std::vector<ListEntry>* target, Fields fields) {
  const std::string names = NamesOf(fields);
  return {
      .name = absl::StrCat("list of {", names, "}"),
      .store = [target, fields](const RawValue& value) { return StoreList(fields, value, target); },
      .format = [target, fields] { return FormatList(fields, *target); },
      .is_empty = [target] { return target->empty(); }};
}

}  // namespace lockstep::config
