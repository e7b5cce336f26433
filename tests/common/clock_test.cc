#include "common/clock.h"

#include <gtest/gtest.h>

#include <ctime>

#include "absl/time/time.h"
#include "tests/support/manual_clock.h"

namespace lockstep {
namespace {

TEST(ClockTest, TheSystemsMonotonicClockNeverDecreases) {
  SystemClock clock;
  absl::Duration last = clock.MonotonicNow();
  for (int i = 0; i < 10'000; ++i) {
    const absl::Duration now = clock.MonotonicNow();
    ASSERT_GE(now, last);
    last = now;
  }
}

TEST(ClockTest, TheSystemsWallClockIsTheTimeOfDay) {
  EXPECT_LT(absl::AbsDuration(SystemClock().WallNow() - absl::FromTimeT(std::time(nullptr))),
            absl::Minutes(1));
}

TEST(ClockTest, TheManualClockStandsUntilItIsMoved) {
  ManualClock clock;
  const absl::Time wall = clock.WallNow();
  const absl::Duration monotonic = clock.MonotonicNow();
  EXPECT_EQ(clock.WallNow(), wall);
  clock.Advance(absl::Seconds(3));
  EXPECT_EQ(clock.WallNow(), wall + absl::Seconds(3));
  EXPECT_EQ(clock.MonotonicNow(), monotonic + absl::Seconds(3));
  clock.SetWall(wall - absl::Hours(1));
  EXPECT_EQ(clock.WallNow(), wall - absl::Hours(1));
  EXPECT_EQ(clock.MonotonicNow(), monotonic + absl::Seconds(3));
}

}  // namespace
}  // namespace lockstep
