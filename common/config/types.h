// The types that a setting can have.
#ifndef LOCKSTEP_COMMON_CONFIG_TYPES_H_
#define LOCKSTEP_COMMON_CONFIG_TYPES_H_

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "absl/time/time.h"
#include "common/config/setting.h"

namespace lockstep::config {

// Each stores into *target, which must outlive the type; a range includes its ends.
SettingType StringType(std::string* target);
SettingType AddressType(std::string* target);
SettingType BoolType(bool* target);
SettingType IntType(std::function<int64_t()> get, std::function<void(int64_t)> set, int64_t least,
                    int64_t most);
SettingType DurationType(absl::Duration* target, absl::Duration least, absl::Duration most);
SettingType ByteSizeType(int64_t* target, int64_t least, int64_t most);
SettingType ChoiceType(std::string* target, std::vector<std::string> choices);
SettingType ListType(std::vector<ListEntry>* target, std::vector<ListField> fields);

}  // namespace lockstep::config

#endif  // LOCKSTEP_COMMON_CONFIG_TYPES_H_
