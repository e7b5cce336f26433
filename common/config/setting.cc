#include "common/config/setting.h"

#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "common/utf8.h"

namespace lockstep::config {
namespace {

bool AllUtf8(const RawValue& value) {
  if (!IsValidUtf8(value.text)) return false;
  for (const RawValue::Entry& entry : value.entries) {
    for (const auto& [key, text] : entry.fields) {
      if (!IsValidUtf8(key) || !IsValidUtf8(text)) return false;
    }
  }
  return true;
}

bool IsEmpty(const RawValue& value) {
  return value.is_list ? value.entries.empty() : value.text.empty();
}

}  // namespace

Setting::Setting(std::string key, std::string help, SettingType type)
    : key_(std::move(key)), help_(std::move(help)), type_(std::move(type)) {}

Setting& Setting::Required() {
  required_ = true;
  return *this;
}

std::string Setting::flag() const {
  return absl::StrCat("--", absl::StrReplaceAll(key_, {{"_", "-"}}));
}

std::string Setting::variable() const {
  return absl::StrCat("LOCKSTEP_", absl::AsciiStrToUpper(key_));
}

absl::Status Setting::Store(const RawValue& value) {
  if (!AllUtf8(value)) return ErrorAt(value.origin, "the value is not valid UTF-8");
  if (required_ && IsEmpty(value)) return ErrorAt(value.origin, "the value is empty");
  if (absl::Status stored = type_.store(value); !stored.ok()) return stored;
  // " ;" is a list too.
  if (required_ && type_.is_empty && type_.is_empty()) {
    return ErrorAt(value.origin, "the value is empty");
  }
  origin_ = value.origin;
  return absl::OkStatus();
}

std::string Setting::ToYaml() const {
  const auto [line, rest] = type_.format();
  return absl::StrCat(key_, ":", line.empty() ? "" : " ", line, "  # ", origin_.Describe(), "\n",
                      rest);
}

}  // namespace lockstep::config
