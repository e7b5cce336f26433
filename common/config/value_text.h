// The values of settings as text: what a person writes, and how it is shown again.
//
// A parser gives nothing for what it does not understand; the caller knows the setting's name and
// range, and says so. Every Format gives text that its parser takes for the same value.
#ifndef LOCKSTEP_COMMON_CONFIG_VALUE_TEXT_H_
#define LOCKSTEP_COMMON_CONFIG_VALUE_TEXT_H_

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "absl/time/time.h"

namespace lockstep::config {

// true, yes, on, 1; false, no, off, 0.
std::optional<bool> ParseBool(std::string_view text);
std::string FormatBool(bool value);

// Decimal, with a sign if need be, and nothing around it.
std::optional<int64_t> ParseInt(std::string_view text);
std::string FormatInt(int64_t value);

// As Go and Abseil write them: 250ms, 1.5s, 1h30m; 0 and inf need no unit. absl::FormatDuration
// is the way back.
std::optional<absl::Duration> ParseDuration(std::string_view text);

// A whole number of bytes: 512, 64KiB, 16MiB, 4GiB, 1TiB, 100kB, 10MB, 1GB, 1TB; 12B too.
std::optional<int64_t> ParseByteSize(std::string_view text);
std::string FormatByteSize(int64_t bytes);

// Text as one YAML scalar, quoted unless it is harmless everywhere.
std::string FormatYamlText(std::string_view text);

}  // namespace lockstep::config

#endif  // LOCKSTEP_COMMON_CONFIG_VALUE_TEXT_H_
