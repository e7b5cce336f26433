#include "common/config/value_text.h"

#include <gtest/gtest.h>
#include <yaml-cpp/yaml.h>

#include <limits>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "absl/time/time.h"

namespace lockstep::config {
namespace {

TEST(ValueTextTest, OnlyTheKnownWordsAreBooleans) {
  for (const char* yes : {"true", "yes", "on", "1"}) EXPECT_EQ(ParseBool(yes), true) << yes;
  for (const char* no : {"false", "no", "off", "0"}) EXPECT_EQ(ParseBool(no), false) << no;
  for (const char* wrong : {"", "True", "2", "y", " true", "true "}) {
    EXPECT_EQ(ParseBool(wrong), std::nullopt) << wrong;
  }
}

TEST(ValueTextTest, IntegersAreExactToTheirLimits) {
  EXPECT_EQ(ParseInt("0"), 0);
  EXPECT_EQ(ParseInt("-7"), -7);
  EXPECT_EQ(ParseInt("+7"), 7);
  EXPECT_EQ(ParseInt("007"), 7);
  EXPECT_EQ(ParseInt("9223372036854775807"), std::numeric_limits<int64_t>::max());
  EXPECT_EQ(ParseInt("-9223372036854775808"), std::numeric_limits<int64_t>::min());
  for (const char* wrong : {"", "+", "-", "+-1", "++1", "1.5", "1e3", "0x10", " 1", "1 ", "ten",
                            "9223372036854775808", "-9223372036854775809"}) {
    EXPECT_EQ(ParseInt(wrong), std::nullopt) << wrong;
  }
}

TEST(ValueTextTest, DurationsNeedAUnit) {
  EXPECT_EQ(ParseDuration("250ms"), absl::Milliseconds(250));
  EXPECT_EQ(ParseDuration("1h30m"), absl::Minutes(90));
  EXPECT_EQ(ParseDuration("1.5s"), absl::Milliseconds(1500));
  EXPECT_EQ(ParseDuration("0"), absl::ZeroDuration());
  EXPECT_EQ(ParseDuration("inf"), absl::InfiniteDuration());
  for (const char* wrong : {"", "10", "10 s", "s", "10sec", "1d"}) {
    EXPECT_EQ(ParseDuration(wrong), std::nullopt) << wrong;
  }
}

TEST(ValueTextTest, ByteSizesHaveBinaryAndDecimalUnits) {
  const std::vector<std::pair<std::string, int64_t>> cases = {{"0", 0},
                                                              {"512", 512},
                                                              {"12B", 12},
                                                              {"64KiB", 65'536},
                                                              {"16MiB", 1 << 24},
                                                              {"4GiB", 4'294'967'296},
                                                              {"1TiB", 1ll << 40},
                                                              {"100kB", 100'000},
                                                              {"10MB", 10'000'000},
                                                              {"1GB", 1'000'000'000},
                                                              {"2TB", 2'000'000'000'000}};
  for (const auto& [text, bytes] : cases) EXPECT_EQ(ParseByteSize(text), bytes) << text;
  for (const char* wrong : {"", "MiB", "-1", "+1", "1.5MiB", "1 MiB", "1mib", "1KB", "1K",
                            "9000000TiB", "99999999999999999999", "64MiB "}) {
    EXPECT_EQ(ParseByteSize(wrong), std::nullopt) << wrong;
  }
}

TEST(ValueTextTest, AFormattedByteSizeIsParsedToTheSameValue) {
  EXPECT_EQ(FormatByteSize(16 << 20), "16MiB");
  EXPECT_EQ(FormatByteSize(100'000), "100000");
  EXPECT_EQ(FormatByteSize(0), "0");
  for (int64_t bytes = 1; bytes > 0 && bytes < std::numeric_limits<int64_t>::max() / 3;
       bytes *= 3) {
    EXPECT_EQ(ParseByteSize(FormatByteSize(bytes)), bytes);
    EXPECT_EQ(ParseByteSize(FormatByteSize(bytes * 1024)), bytes * 1024);
    if (bytes > (1ll << 50)) break;
  }
}

TEST(ValueTextTest, FormattedTextIsTheSameTextInYaml) {
  for (const std::string_view text : {"",
                                      "plain",
                                      "/data/lockstep",
                                      "127.0.0.1:7400",
                                      "true",
                                      "null",
                                      "~",
                                      "0123",
                                      "- x",
                                      "a: b",
                                      "# no comment",
                                      "\"quoted\" 'both'",
                                      "tab\tnew\nline",
                                      "{a: b}",
                                      "[x]",
                                      "&a *b !c",
                                      "caf\u00E9 \u20AC \U0001F600",
                                      "trailing ",
                                      " leading",
                                      "%x",
                                      "@",
                                      "`",
                                      "a,b",
                                      "\x7F\x01"}) {
    const std::string yaml = FormatYamlText(text);
    EXPECT_EQ(YAML::Load("key: " + yaml + "  # comment")["key"].Scalar(), text) << yaml;
    EXPECT_EQ(YAML::Load("[{key: " + yaml + ", other: x}]")[0]["key"].Scalar(), text) << yaml;
    EXPECT_EQ(yaml.find('\n'), yaml.npos) << yaml;
  }
  EXPECT_EQ(FormatYamlText("bank-1"), "bank-1");
  EXPECT_EQ(FormatYamlText("127.0.0.1:7400"), "\"127.0.0.1:7400\"");
}

}  // namespace
}  // namespace lockstep::config
