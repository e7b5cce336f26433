// UTF-8: what travels in a proto string, in JSON and in a log line must be valid.
#ifndef LOCKSTEP_COMMON_UTF8_H_
#define LOCKSTEP_COMMON_UTF8_H_

#include <cstddef>
#include <string>
#include <string_view>

namespace lockstep {

// The length of the longest prefix of `bytes` that is valid UTF-8 (no surrogates, no overlong
// forms, nothing above U+10FFFF). NUL is valid.
size_t ValidUtf8Prefix(std::string_view bytes);

inline bool IsValidUtf8(std::string_view bytes) { return ValidUtf8Prefix(bytes) == bytes.size(); }

// `bytes` with each byte that has no place in valid UTF-8 replaced by U+FFFD.
std::string MakeValidUtf8(std::string_view bytes);

}  // namespace lockstep

#endif  // LOCKSTEP_COMMON_UTF8_H_
