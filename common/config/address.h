// Network addresses as settings.
#ifndef LOCKSTEP_COMMON_CONFIG_ADDRESS_H_
#define LOCKSTEP_COMMON_CONFIG_ADDRESS_H_

#include <string>
#include <string_view>

#include "absl/status/statusor.h"

namespace lockstep::config {

struct Address {
  std::string host;  // a name or an IP address, IPv6 without its brackets
  int port = 0;      // 0: the system chooses (to listen only)
};

// From host:port or [IPv6]:port. A wrong one is an InvalidArgument that says what is wrong.
absl::StatusOr<Address> ParseAddress(std::string_view text);

// Whether only processes of this machine reach it: localhost, 127.0.0.0/8, ::1.
bool IsLoopback(const std::string& host);

}  // namespace lockstep::config

#endif  // LOCKSTEP_COMMON_CONFIG_ADDRESS_H_
