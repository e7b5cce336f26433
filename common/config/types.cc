#include "common/config/types.h"

#include <algorithm>
#include <optional>
#include <utility>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "common/config/address.h"
#include "common/config/value_text.h"

namespace lockstep::config {
namespace {

using Store = std::function<absl::Status(const RawValue&)>;

std::string Quoted(const std::string& text) { return absl::StrCat("'", text, "'"); }

// A Store for types whose value is one piece of text.
Store OfText(Store store) {
  return [store = std::move(store)](const RawValue& value) {
    if (value.is_list) return ErrorAt(value.origin, "needs one value, not a list");
    return store(value);
  };
}

// A Store for types with a range. `range` is for people.
template <typename T>
Store InRange(std::optional<T> (*parse)(std::string_view), std::string what, std::string range,
              T least, T most, std::function<void(T)> set) {
  return OfText([=](const RawValue& value) {
    const std::optional<T> parsed = parse(value.text);
    if (!parsed.has_value()) {
      return ErrorAt(value.origin, absl::StrCat(Quoted(value.text), " is not ", what));
    }
    if (*parsed < least || *parsed > most) {
      return ErrorAt(value.origin, absl::StrCat(value.text, " is out of range, which is ", range));
    }
    set(*parsed);
    return absl::OkStatus();
  });
}

std::string Range(const std::string& least, const std::string& most) {
  return absl::StrCat(least, " to ", most);
}

std::pair<std::string, std::string> OneLine(std::string text) { return {std::move(text), ""}; }

}  // namespace

SettingType StringType(std::string* target) {
  return {.name = "text",
          .store = OfText([target](const RawValue& value) {
            *target = value.text;
            return absl::OkStatus();
          }),
          .format = [target] { return OneLine(FormatYamlText(*target)); }};
}

SettingType AddressType(std::string* target) {
  return {.name = "address",
          .store = OfText([target](const RawValue& value) {
            const absl::StatusOr<Address> address = ParseAddress(value.text);
            if (!address.ok()) {
              return ErrorAt(value.origin, std::string(address.status().message()));
            }
            *target = value.text;
            return absl::OkStatus();
          }),
          .format = [target] { return OneLine(FormatYamlText(*target)); }};
}

SettingType BoolType(bool* target) {
  return {.name = "true or false",
          .is_switch = true,
          .store = InRange<bool>(&ParseBool, "true or false", "", false, true,
                                 [target](bool value) { *target = value; }),
          .format = [target] { return OneLine(FormatBool(*target)); }};
}

SettingType IntType(std::function<int64_t()> get, std::function<void(int64_t)> set, int64_t least,
                    int64_t most) {
  const std::string range = Range(FormatInt(least), FormatInt(most));
  return {
      .name = absl::StrCat("number, ", range),
      .store = InRange<int64_t>(&ParseInt, "a whole number", range, least, most, std::move(set)),
      .format = [get = std::move(get)] { return OneLine(FormatInt(get())); }};
}

SettingType DurationType(absl::Duration* target, absl::Duration least, absl::Duration most) {
  const std::string range = Range(absl::FormatDuration(least), absl::FormatDuration(most));
  return {.name = absl::StrCat("duration, ", range),
          .store = InRange<absl::Duration>(
              &ParseDuration, "a duration with its unit, such as 250ms, 10s or 1h30m", range, least,
              most, [target](absl::Duration value) { *target = value; }),
          .format = [target] { return OneLine(absl::FormatDuration(*target)); }};
}

SettingType ByteSizeType(int64_t* target, int64_t least, int64_t most) {
  const std::string range = Range(FormatByteSize(least), FormatByteSize(most));
  return {
      .name = absl::StrCat("size, ", range),
      .store = InRange<int64_t>(&ParseByteSize, "a size, such as 4096, 64KiB, 16MiB or 4GiB", range,
                                least, most, [target](int64_t value) { *target = value; }),
      .format = [target] { return OneLine(FormatByteSize(*target)); }};
}

SettingType ChoiceType(std::string* target, std::vector<std::string> choices) {
  const std::string names = absl::StrJoin(choices, ", ");
  return {.name = absl::StrCat("one of ", names),
          .store = OfText([target, names, choices = std::move(choices)](const RawValue& value) {
            if (std::find(choices.begin(), choices.end(), value.text) == choices.end()) {
              return ErrorAt(value.origin,
                             absl::StrCat(Quoted(value.text), " is not one of ", names));
            }
            *target = value.text;
            return absl::OkStatus();
          }),
          .format = [target] { return OneLine(FormatYamlText(*target)); }};
}

}  // namespace lockstep::config
