#include "common/config/address.h"

#include <arpa/inet.h>
#include <netinet/in.h>

#include <cstdint>
#include <optional>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "common/config/value_text.h"

namespace lockstep::config {
namespace {

constexpr std::string_view kNameCharacters =
    "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-._";

absl::Status Wrong(std::string_view text, std::string_view why) {
  return absl::InvalidArgumentError(absl::StrCat("'", std::string(text),
                                                 "' is not an address: ", std::string(why),
                                                 " (write host:port, or [IPv6]:port)"));
}

bool IsIpv6(const std::string& host) {
  in6_addr address;
  return inet_pton(AF_INET6, host.c_str(), &address) == 1;
}

// The host of "host:port" or "[host]:port", or why there is none.
absl::StatusOr<std::string> HostOf(std::string_view text, std::string_view host) {
  if (host.starts_with('[') && host.ends_with(']')) {
    std::string inside(host.substr(1, host.size() - 2));
    if (!IsIpv6(inside)) return Wrong(text, "what is in the brackets is not an IPv6 address");
    return inside;
  }
  if (host.empty()) return Wrong(text, "the host is missing");
  if (host.find(':') != host.npos) return Wrong(text, "an IPv6 address needs brackets");
  if (host.find_first_not_of(kNameCharacters) != host.npos) {
    return Wrong(text, "the host is neither a name nor an IP address");
  }
  return std::string(host);
}

}  // namespace

absl::StatusOr<Address> ParseAddress(std::string_view text) {
  const size_t colon = text.rfind(':');
  if (colon == text.npos) return Wrong(text, "the port is missing");
  const std::optional<int64_t> port = ParseInt(text.substr(colon + 1));
  if (!port.has_value() || *port < 0 || *port > 65535) {
    return Wrong(text, "the port is not a number from 0 to 65535");
  }
  absl::StatusOr<std::string> host = HostOf(text, text.substr(0, colon));
  if (!host.ok()) return host.status();
  return Address{*std::move(host), static_cast<int>(*port)};
}

bool IsLoopback(const std::string& host) {
  in_addr ipv4;
  if (inet_pton(AF_INET, host.c_str(), &ipv4) == 1) return ntohl(ipv4.s_addr) >> 24 == 127;
  in6_addr ipv6;
  if (inet_pton(AF_INET6, host.c_str(), &ipv6) == 1) return IN6_IS_ADDR_LOOPBACK(&ipv6);
  return host == "localhost";
}

}  // namespace lockstep::config
