#include "common/config/origin.h"

#include <utility>

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"

namespace lockstep::config {

Origin Origin::File(std::string path, int line, std::string key) {
  return {Kind::kFile, std::move(path), line, std::move(key)};
}

Origin Origin::Environment(std::string variable) {
  return {Kind::kEnvironment, std::move(variable), 0, ""};
}

Origin Origin::Flag(std::string flag) { return {Kind::kFlag, std::move(flag), 0, ""}; }

std::string Origin::Describe() const {
  switch (kind) {
    case Kind::kDefault:
      return "default";
    case Kind::kFile:
      return absl::StrCat("file ", absl::Utf8SafeCEscape(name), ", line ", line);
    case Kind::kEnvironment:
      return absl::StrCat("environment ", name);
    case Kind::kFlag:
      return absl::StrCat("flag ", name);
  }
  return "";
}

absl::Status ErrorAt(const Origin& origin, const std::string& what) {
  std::string place = origin.name;
  if (origin.kind == Origin::Kind::kFile) {
    if (origin.line > 0) absl::StrAppend(&place, ":", origin.line);
    if (!origin.key.empty()) absl::StrAppend(&place, ": ", origin.key);
  }
  return absl::InvalidArgumentError(absl::StrCat(place, ": ", what));
}

}  // namespace lockstep::config
