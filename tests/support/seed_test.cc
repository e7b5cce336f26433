#include "tests/support/seed.h"

#include <gmock/gmock.h>
#include <gtest/gtest-spi.h>
#include <gtest/gtest.h>

#include <cstdlib>
#include <string>

namespace lockstep {
namespace {

using ::testing::HasSubstr;
using ::testing::StartsWith;

class SeedTest : public testing::Test {
 protected:
  void TearDown() override {
    unsetenv("LOCKSTEP_SEED");
    unsetenv("LOCKSTEP_ROUNDS_OF_SEED_TEST");
  }

  static std::string Printed() {
    testing::internal::CaptureStdout();
    SeedOfTest();
    return testing::internal::GetCapturedStdout();
  }
};

TEST_F(SeedTest, TheGivenOneIsTaken) {
  setenv("LOCKSTEP_SEED", "18446744073709551615", 1);
  EXPECT_EQ(SeedOfTest(), 18446744073709551615u);
}

TEST_F(SeedTest, TheCommandNamesSeedSettingsProgramAndTest) {
  setenv("LOCKSTEP_SEED", "5", 1);
  setenv("LOCKSTEP_ROUNDS_OF_SEED_TEST", "9", 1);
  const std::string printed = Printed();
  EXPECT_THAT(printed, StartsWith("to repeat: LOCKSTEP_"));
  EXPECT_THAT(printed, HasSubstr("LOCKSTEP_ROUNDS_OF_SEED_TEST=9 "));
  EXPECT_THAT(printed, HasSubstr(" LOCKSTEP_SEED=5 "));
  EXPECT_THAT(printed, HasSubstr("/seed_test --gtest_filter=SeedTest."
                                 "TheCommandNamesSeedSettingsProgramAndTest\n"));
}

TEST_F(SeedTest, WithoutOneItIsDrawnAndPrinted) {
  unsetenv("LOCKSTEP_SEED");
  const std::string first = Printed();
  EXPECT_NE(first, Printed());
}

TEST_F(SeedTest, WhatIsNoNumberFailsTheTest) {
  for (const char* text : {"", "x", "5x", "-1", "18446744073709551616"}) {
    setenv("LOCKSTEP_SEED", text, 1);
    EXPECT_NONFATAL_FAILURE(SeedOfTest(), "LOCKSTEP_SEED is no number");
  }
}

}  // namespace
}  // namespace lockstep
