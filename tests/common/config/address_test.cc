#include "common/config/address.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

#include "absl/status/statusor.h"

namespace lockstep::config {
namespace {

using ::testing::HasSubstr;

TEST(AddressTest, HostAndPortAreTakenApart) {
  const auto check = [](const std::string& text, const std::string& host, int port) {
    const absl::StatusOr<Address> address = ParseAddress(text);
    ASSERT_TRUE(address.ok()) << address.status();
    EXPECT_EQ(address->host, host);
    EXPECT_EQ(address->port, port);
  };
  check("127.0.0.1:7400", "127.0.0.1", 7400);
  check("bank-1.example.org:1", "bank-1.example.org", 1);
  check("bank_1:65535", "bank_1", 65535);
  check("[::1]:7400", "::1", 7400);
  check("[fe80::1]:0", "fe80::1", 0);
}

TEST(AddressTest, AWrongOneIsRefusedWithTheReason) {
  const auto reason = [](const std::string& text) {
    return std::string(ParseAddress(text).status().message());
  };
  EXPECT_THAT(reason(""), HasSubstr("the port is missing"));
  EXPECT_THAT(reason("localhost"), HasSubstr("'localhost' is not an address: the port is missing"));
  EXPECT_THAT(reason("localhost:"), HasSubstr("the port is not a number"));
  EXPECT_THAT(reason("localhost:http"), HasSubstr("the port is not a number"));
  EXPECT_THAT(reason("localhost:65536"), HasSubstr("from 0 to 65535"));
  EXPECT_THAT(reason("localhost:-1"), HasSubstr("from 0 to 65535"));
  EXPECT_THAT(reason(":7400"), HasSubstr("the host is missing"));
  EXPECT_THAT(reason("::1:7400"), HasSubstr("needs brackets"));
  EXPECT_THAT(reason("[localhost]:7400"), HasSubstr("not an IPv6 address"));
  EXPECT_THAT(reason("[]:7400"), HasSubstr("not an IPv6 address"));
  EXPECT_THAT(reason("http//x:7400"), HasSubstr("neither a name nor an IP address"));
  EXPECT_THAT(reason("a b:7400"), HasSubstr("neither a name nor an IP address"));
}

TEST(AddressTest, OnlyThisMachinesOwnAddressesAreLoopback) {
  for (const char* host : {"127.0.0.1", "127.255.0.3", "::1", "localhost"}) {
    EXPECT_TRUE(IsLoopback(host)) << host;
  }
  for (const char* host : {"0.0.0.0", "::", "10.0.0.1", "128.0.0.1", "example.org", "::2", "",
                           "localhost.example.org", "127.0.0.1.example.org"}) {
    EXPECT_FALSE(IsLoopback(host)) << host;
  }
}

}  // namespace
}  // namespace lockstep::config
