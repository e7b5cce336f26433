// Text that may be sent in a protobuf string. Any thread.
#ifndef LOCKSTEP_COMMON_RPC_UTF8_H_
#define LOCKSTEP_COMMON_RPC_UTF8_H_

#include <cstddef>
#include <string>
#include <string_view>

namespace lockstep::rpc {

bool IsValidUtf8(std::string_view text);

// `text` with each byte that is not part of valid UTF-8 replaced by "?".
std::string ValidUtf8(std::string_view text);

// ValidUtf8, at most `max_bytes` long; what is cut ends with "..." if there is room for it.
std::string ShortText(std::string_view text, size_t max_bytes);

}  // namespace lockstep::rpc

#endif  // LOCKSTEP_COMMON_RPC_UTF8_H_
