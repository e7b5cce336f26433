#include <string>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "common/config/sources.h"

namespace lockstep::config {
namespace {

RawValue TextOf(std::string flag, std::string text) {
  RawValue value;
  value.origin = Origin::Flag(std::move(flag));
  value.text = std::move(text);
  return value;
}

bool GivenAlready(const std::vector<NamedValue>& values, const std::string& flag) {
  for (const NamedValue& value : values) {
    if (value.name == flag) return true;
  }
  return false;
}

}  // namespace

absl::StatusOr<std::vector<NamedValue>> ReadFlags(
    const std::vector<std::string>& arguments,
    const std::function<FlagKind(const std::string& flag)>& kind_of) {
  std::vector<NamedValue> values;
  for (size_t i = 0; i < arguments.size(); ++i) {
    const std::string& argument = arguments[i];
    const size_t equals = argument.find('=');
    const std::string flag = argument.substr(0, equals);
    const Origin origin = Origin::Flag(flag);
    const FlagKind kind = kind_of(flag);
    if (!flag.starts_with("-")) {
      return ErrorAt(Origin::Flag(argument), "unexpected argument: every setting is --name=value");
    }
    if (kind == FlagKind::kUnknown) return ErrorAt(origin, "unknown flag; --help shows all");
    if (GivenAlready(values, flag)) return ErrorAt(origin, "given twice");
    if (equals != argument.npos) {
      values.push_back({flag, TextOf(flag, argument.substr(equals + 1))});
    } else if (kind == FlagKind::kSwitch) {
      values.push_back({flag, TextOf(flag, "true")});
    } else if (i + 1 < arguments.size() && !arguments[i + 1].starts_with("--")) {
      values.push_back({flag, TextOf(flag, arguments[++i])});
    } else {
      return ErrorAt(origin, absl::StrCat("needs a value: ", flag, "=VALUE"));
    }
  }
  return values;
}

}  // namespace lockstep::config
