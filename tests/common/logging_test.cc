#include "common/logging.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <ctime>
#include <limits>
#include <nlohmann/json.hpp>
#include <random>
#include <sstream>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include "absl/time/time.h"
#include "common/utf8.h"
#include "tests/support/seed.h"

namespace lockstep {
namespace {

using nlohmann::json;
using namespace std::string_view_literals;
using ::testing::ElementsAre;
using ::testing::MatchesRegex;

// Runs `write` and gives the lines that it logged, each parsed strictly.
template <typename Write>
std::vector<json> LinesOf(Write write) {
  ::testing::internal::CaptureStderr();
  write();
  std::istringstream output(::testing::internal::GetCapturedStderr());
  std::vector<json> lines;
  for (std::string line; std::getline(output, line);) lines.push_back(json::parse(line));
  return lines;
}

template <typename Write>
json LineOf(Write write) {
  const std::vector<json> lines = LinesOf(write);
  EXPECT_EQ(lines.size(), 1u);
  return lines.empty() ? json() : lines.front();
}

class LoggingTest : public ::testing::Test {
 protected:
  void TearDown() override { SetLogLevel(LogLevel::kInfo); }
};

TEST_F(LoggingTest, ALineHasTimeLevelMessageAndTheFieldsInTheirOrder) {
  ::testing::internal::CaptureStderr();
  Log(LogLevel::kInfo, "hello", {{"node_id", "a"}, {"round", 5}, {"ratio", 0.5}, {"last", true}});
  EXPECT_THAT(
      ::testing::internal::GetCapturedStderr(),
      MatchesRegex("\\{\"time\":\"[0-9]+-[0-9][0-9]-[0-9][0-9]T[0-9][0-9]:[0-9][0-9]:"
                   "[0-9][0-9]\\.[0-9][0-9][0-9]Z\",\"level\":\"info\",\"message\":\"hello\""
                   ",\"node_id\":\"a\",\"round\":5,\"ratio\":0.5,\"last\":true\\}\n"));
}

TEST_F(LoggingTest, TheTimeIsNow) {
  const absl::Time before = absl::FromTimeT(std::time(nullptr));
  const json line = LineOf([] { Log(LogLevel::kInfo, "x"); });
  absl::Time time;
  std::string error;
  ASSERT_TRUE(absl::ParseTime(absl::RFC3339_full, line["time"].get<std::string>(), &time, &error));
  EXPECT_GE(time, before);
  EXPECT_LE(time, before + absl::Minutes(1));
}

TEST_F(LoggingTest, ValuesKeepTheirTypesAndTheirLimits) {
  const std::string text = "text";
  const json line = LineOf([&] {
    Log(LogLevel::kInfo, "values",
        {{"string", text},
         {"view", std::string_view(text).substr(1)},
         {"literal", "x"},
         {"least", std::numeric_limits<int64_t>::min()},
         {"most", std::numeric_limits<int64_t>::max()},
         {"unsigned", std::numeric_limits<uint64_t>::max()},
         {"size", text.size()},
         {"int", -7},
         {"float", 1.5f},
         {"exact", 1234567.890625},
         {"tiny", 5e-324},
         {"huge", 1.7e308},
         {"false", false}});
  });
  EXPECT_EQ(line["string"], "text");
  EXPECT_EQ(line["view"], "ext");
  EXPECT_EQ(line["literal"], "x");
  EXPECT_EQ(line["least"].get<int64_t>(), std::numeric_limits<int64_t>::min());
  EXPECT_EQ(line["most"].get<int64_t>(), std::numeric_limits<int64_t>::max());
  EXPECT_EQ(line["unsigned"].get<uint64_t>(), std::numeric_limits<uint64_t>::max());
  EXPECT_EQ(line["size"], 4);
  EXPECT_EQ(line["int"], -7);
  EXPECT_EQ(line["float"], 1.5);
  EXPECT_EQ(line["exact"], 1234567.890625);
  EXPECT_EQ(line["tiny"], 5e-324);
  EXPECT_EQ(line["huge"], 1.7e308);
  EXPECT_EQ(line["false"], false);
}

TEST_F(LoggingTest, WhatJsonHasNoNumberForBecomesText) {
  const json line = LineOf([] {
    Log(LogLevel::kInfo, "numbers", {{"nan", std::nan("")}, {"up", INFINITY}, {"down", -INFINITY}});
  });
  EXPECT_EQ(line["nan"], "NaN");
  EXPECT_EQ(line["up"], "Infinity");
  EXPECT_EQ(line["down"], "-Infinity");
}

TEST_F(LoggingTest, NastyTextComesOutAsItWentInWhenItIsUtf8) {
  for (const std::string_view nasty :
       {"\"quotes\" and \\backslashes\\"sv, "\"}\n{\"level\":\"forged\"}"sv, "line\r\nbreaks\n"sv,
        "\0nul\0inside\0"sv, "\x01\x02\x1F\x7F\b\f\t\x1B[31m"sv, "{} {0} %s %n %v {:>999999999}"sv,
        "caf\u00E9 \u20AC \U0001F600 \u2028\u2029\uFEFF"sv, "</script>"sv, ""sv}) {
    const json line = LineOf([&] { Log(LogLevel::kError, nasty, {{"field", nasty}}); });
    EXPECT_EQ(line["message"].get<std::string>(), nasty);
    EXPECT_EQ(line["field"].get<std::string>(), nasty);
    EXPECT_EQ(line["level"], "error");
  }
}

TEST_F(LoggingTest, InvalidUtf8IsMadeValid) {
  for (const std::string_view bytes : {"\xFF"sv, "a\xC3"sv, "\xED\xA0\x80"sv, "\xC0\xAF\""sv}) {
    const json line = LineOf([&] { Log(LogLevel::kInfo, bytes, {{"field", bytes}}); });
    EXPECT_EQ(line["message"], MakeValidUtf8(bytes));
    EXPECT_EQ(line["field"], MakeValidUtf8(bytes));
  }
}

TEST_F(LoggingTest, RandomBytesAlwaysMakeOneValidLine) {
  std::mt19937_64 random(SeedOfTest());
  std::vector<std::string> messages;
  for (int i = 0; i < 2'000; ++i) {
    std::string& message = messages.emplace_back(random() % 40, '\0');
    for (char& c : message) c = static_cast<char>(random());
  }
  const std::vector<json> lines = LinesOf([&] {
    for (const std::string& message : messages) {
      Log(LogLevel::kInfo, message, {{message, message}});
    }
  });
  ASSERT_EQ(lines.size(), messages.size());
  for (size_t i = 0; i < lines.size(); ++i) {
    EXPECT_EQ(lines[i]["message"], MakeValidUtf8(messages[i]));
  }
}

TEST_F(LoggingTest, LinesBelowTheLevelAreNotWritten) {
  const auto write_all = [] {
    for (const LogLevel level : {LogLevel::kDebug, LogLevel::kInfo, LogLevel::kWarning,
                                 LogLevel::kError, LogLevel::kCritical}) {
      Log(level, LogLevelName(level));
    }
  };
  const auto levels_written = [&] {
    std::vector<std::string> levels;
    for (const json& line : LinesOf(write_all)) {
      EXPECT_EQ(line["level"], line["message"]);
      levels.push_back(line["level"]);
    }
    return levels;
  };
  EXPECT_THAT(levels_written(), ElementsAre("info", "warning", "error", "critical"));
  SetLogLevel(LogLevel::kDebug);
  EXPECT_THAT(levels_written(), ElementsAre("debug", "info", "warning", "error", "critical"));
  SetLogLevel(LogLevel::kCritical);
  EXPECT_THAT(levels_written(), ElementsAre("critical"));
  EXPECT_TRUE(LogEnabled(LogLevel::kCritical));
  EXPECT_FALSE(LogEnabled(LogLevel::kError));
}

TEST_F(LoggingTest, LevelsAreParsedByTheirNames) {
  EXPECT_EQ(ParseLogLevel("debug"), LogLevel::kDebug);
  EXPECT_EQ(ParseLogLevel("critical"), LogLevel::kCritical);
  EXPECT_EQ(ParseLogLevel("Info"), std::nullopt);
  EXPECT_EQ(ParseLogLevel(""), std::nullopt);
}

TEST_F(LoggingTest, LinesOfManyThreadsAreNeverMixed) {
  constexpr int kThreads = 4;
  constexpr int kLines = 500;
  const std::string filler(300, 'x');
  const std::vector<json> lines = LinesOf([&] {
    std::vector<std::thread> threads;
    for (int t = 0; t < kThreads; ++t) {
      threads.emplace_back([&filler, t] {
        for (int i = 0; i < kLines; ++i) {
          Log(LogLevel::kInfo, filler, {{"thread", t}, {"line", i}});
        }
      });
    }
    for (std::thread& thread : threads) thread.join();
  });
  ASSERT_EQ(lines.size(), size_t{kThreads * kLines});
  std::vector<int> next(kThreads, 0);
  for (const json& line : lines) EXPECT_EQ(line["line"], next[line["thread"]]++);
}

TEST_F(LoggingTest, ASlowTransactionIsLoggedByItsIdsAndTimesAlone) {
  json line = LineOf([] {
    LogSlowTransaction(
        {.transaction_id = "1-42",
         .request_id = "order-7",
         .round = 8'796'093'022'250,
         .total = absl::Milliseconds(1'500),
         .stages = {{"queue", absl::Seconds(1)}, {"sync", absl::Microseconds(500)}}});
  });
  EXPECT_EQ(line["level"], "warning");
  line.erase("time");
  line.erase("level");
  EXPECT_EQ(line, json({{"message", "slow transaction"},
                        {"transaction_id", "1-42"},
                        {"request_id", "order-7"},
                        {"round", 8'796'093'022'250},
                        {"total_ms", 1500.0},
                        {"queue_ms", 1000.0},
                        {"sync_ms", 0.5}}));
}

TEST_F(LoggingTest, ASlowTransactionLeavesOutWhatItHasNot) {
  const json line = LineOf([] { LogSlowTransaction({.transaction_id = "1-1"}); });
  EXPECT_FALSE(line.contains("request_id"));
  EXPECT_FALSE(line.contains("round"));
  SetLogLevel(LogLevel::kError);
  EXPECT_TRUE(LinesOf([] { LogSlowTransaction({.transaction_id = "1-1"}); }).empty());
}

}  // namespace
}  // namespace lockstep
