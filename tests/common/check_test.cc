#include "common/check.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <csignal>
#include <nlohmann/json.hpp>
#include <sstream>
#include <string>

namespace lockstep {
namespace {

using ::testing::KilledBySignal;

// Death tests of gtest give the output to a matcher, so that is where it is parsed.
MATCHER_P2(IsACriticalLine, message, condition, "") {
  std::istringstream output(arg);
  std::string text;
  std::getline(output, text);
  const auto line = nlohmann::json::parse(text, nullptr, /*allow_exceptions=*/false);
  return !line.is_discarded() && line["level"] == "critical" && line.contains("time") &&
         line["message"] == "invariant broken, stopping: " + std::string(message) &&
         line["condition"] == condition && line["line"].is_number() &&
         line["file"].get<std::string>().ends_with("check_test.cc");
}

TEST(CheckDeathTest, ABrokenCheckWritesOneJsonLineAndAborts) {
  GTEST_FLAG_SET(death_test_style, "threadsafe");
  const std::string name = "\"quoted\"\n\\";
  EXPECT_EXIT(LOCKSTEP_CHECK(name == "b", "is " + name), KilledBySignal(SIGABRT),
              IsACriticalLine("is \"quoted\"\n\\", "name == \"b\""));
}

TEST(CheckTest, AHoldingCheckDoesNotMakeItsMessage) {
  int made = 0;
  const auto message = [&] { return std::to_string(++made); };
  LOCKSTEP_CHECK(1 + 1 == 2, message());
  EXPECT_EQ(made, 0);
}

}  // namespace
}  // namespace lockstep
