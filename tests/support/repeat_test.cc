#include "tests/support/repeat.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <array>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <functional>
#include <memory>
#include <string>
#include <utility>

namespace lockstep {
namespace {

using ::testing::EndsWith;
using ::testing::HasSubstr;
using ::testing::Not;

std::string Program() { return std::filesystem::read_symlink("/proc/self/exe").string(); }

// Tests that are meant to fail, each in a process of its own: the one that REPEATED names is there.
class RepeatedTest : public testing::Test {
 public:
  explicit RepeatedTest(std::function<void()> body) : body_(std::move(body)) {}

 private:
  void TestBody() override { body_(); }

  const std::function<void()> body_;
};

[[maybe_unused]] const bool is_registered = [] {
  const char* wanted = std::getenv("REPEATED");
  const std::pair<const char*, std::function<void()>> all[] = {
      {"Fails",
       [] {
         RepeatWith("LOCKSTEP_SEED=7");
         FAIL();
       }},
      {"EndsTheProgram", [] { std::abort(); }},
      {"HasArguments",
       [] {
         RepeatByArguments("--seeds=1");
         FAIL();
       }},
  };
  for (const auto& [name, body] : all) {
    if (wanted == nullptr || std::string(wanted) != name) continue;
    testing::RegisterTest(
        "RepeatedTest", name, nullptr, nullptr, __FILE__, __LINE__,
        [body]() -> testing::Test* { return std::make_unique<RepeatedTest>(body).release(); });
  }
  return true;
}();

// What this program prints when it runs one of them, without settings.
std::string OutputOf(const std::string& test) {
  const std::string command =
      "env -i REPEATED=" + test + " " + Program() + " --gtest_filter=RepeatedTest.* 2>&1";
  std::FILE* pipe = popen(command.c_str(), "r");
  std::string output;
  std::array<char, 4096> piece;
  while (const size_t got = std::fread(piece.data(), 1, piece.size(), pipe)) {
    output.append(piece.data(), got);
  }
  EXPECT_NE(pclose(pipe), 0);
  return output;
}

TEST(RepeatCommandTest, ATestThatFailsTellsTheCommandOnce) {
  const std::string output = OutputOf("Fails");
  const std::string line =
      "to repeat: LOCKSTEP_SEED=7 " + Program() + " --gtest_filter=RepeatedTest.Fails\n";
  EXPECT_THAT(output, HasSubstr(line));
  EXPECT_EQ(output.find("to repeat"), output.rfind("to repeat"));
}

TEST(RepeatCommandTest, ATestThatEndsTheProgramTellsTheCommandToo) {
  EXPECT_THAT(
      OutputOf("EndsTheProgram"),
      HasSubstr("to repeat: " + Program() + " --gtest_filter=RepeatedTest.EndsTheProgram\n"));
}

TEST(RepeatCommandTest, ATestMayBeRepeatedByArgumentsOfItsProgram) {
  const std::string output = OutputOf("HasArguments");
  EXPECT_THAT(output, HasSubstr(Program() + " --seeds=1\n"));
  EXPECT_THAT(output, Not(HasSubstr(Program() + " --gtest_filter=")));
}

TEST(RepeatCommandTest, WhatIsDrawnStandsForWhatTheEnvironmentGives) {
  setenv("LOCKSTEP_SEED", "1", 1);
  RepeatWith("LOCKSTEP_SEED=2");
  RepeatWith("LOCKSTEP_SEED=3");
  const std::string command = RepeatCommand();
  unsetenv("LOCKSTEP_SEED");
  EXPECT_EQ(command.find("LOCKSTEP_SEED="), command.rfind("LOCKSTEP_SEED="));
  EXPECT_THAT(command, HasSubstr("LOCKSTEP_SEED=3 "));
  EXPECT_THAT(command, EndsWith("RepeatCommandTest.WhatIsDrawnStandsForWhatTheEnvironmentGives"));
}

}  // namespace
}  // namespace lockstep
