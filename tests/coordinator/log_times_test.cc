// How far time has come, as the decision log tells the next run (LogTimes).
#include <gtest/gtest.h>

#include "tests/coordinator/decision_log_fixture.h"

namespace lockstep::coordinator {
namespace {

TEST_F(SqliteDecisionLogTest, R18_TimeGoesOnWhereTheLatestDecisionStandsWhetherItIsForgottenOrNot) {
  const LogTimes later = {kNow + absl::Minutes(1), kNow + absl::Hours(3)};
  for (const bool is_forgotten : {false, true}) {
    {
      auto log = Start();
      // The later one has the lower round.
      Decision latest = DecisionOf(RoundId::Make(is_forgotten ? 3 : 1, 1), {2});
      const Decision highest = DecisionOf(RoundId::Make(is_forgotten ? 3 : 1, 2), {1});
      latest.times = later;
      ASSERT_TRUE(log->Write(BatchOf({highest, latest})).ok());
      if (is_forgotten) {
        ASSERT_TRUE(log->Write(BatchThatForgets({latest.round, highest.round})).ok());
        ASSERT_TRUE(log->Prune(kNow + absl::Hours(24)).ok());
      }
    }
    absl::StatusOr<RecoveredState> state = Start()->Recover();
    ASSERT_TRUE(state.ok());
    EXPECT_EQ(state->times.log, later.log);
    EXPECT_EQ(state->times.latest_wall, later.latest_wall);
  }
}

TEST_F(SqliteDecisionLogTest, TimeIsRecordedOnceAMinuteAndWhenItIsToldTo) {
  const auto time_after = [this](absl::Duration passed, bool at_once) {
    {
      auto log = Start();
      EXPECT_TRUE(log->Recover().ok());
      EXPECT_TRUE(log->KeepTime(absl::UnixEpoch() + passed, at_once).ok());
    }
    return Start()->Recover()->times;
  };
  EXPECT_EQ(time_after(absl::Seconds(59), false).log, absl::UnixEpoch());
  EXPECT_EQ(time_after(absl::Seconds(60), false).log, absl::UnixEpoch() + absl::Seconds(60));
  EXPECT_EQ(time_after(absl::Seconds(61), true).log, absl::UnixEpoch() + absl::Seconds(61));
  EXPECT_EQ(time_after(absl::Seconds(10), true).log, absl::UnixEpoch() + absl::Seconds(61));
  // The wall clock has passed as fast.
  EXPECT_EQ(Start()->Recover()->times.latest_wall, absl::UnixEpoch() + absl::Seconds(61));
}

}  // namespace
}  // namespace lockstep::coordinator
