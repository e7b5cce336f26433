// How far time has come, as the decision log tells the next run (LogTimes).
#include <gtest/gtest.h>

#include "tests/coordinator/decision_log_fixture.h"

namespace lockstep::coordinator {
namespace {

const LogTimes kLater = {kNow + absl::Minutes(1), kNow + absl::Hours(3)};

class LogTimesTest : public SqliteDecisionLogTest {
 protected:
  LogTimes Recovered() {
    const absl::StatusOr<RecoveredState> state = Start()->Recover();
    EXPECT_TRUE(state.ok());
    return state.ok() ? state->times : LogTimes();
  }
  // The later one has the lower round.
  static LogBatch TwoDecisions() {
    Decision latest = DecisionOf(RoundId::Make(1, 1), {2});
    latest.times = kLater;
    return BatchOf({DecisionOf(RoundId::Make(1, 2), {1}), latest});
  }
};

TEST_F(LogTimesTest, R18_TimeGoesOnWhereTheLatestDecisionStands) {
  ASSERT_TRUE(Start()->Write(TwoDecisions()).ok());
  EXPECT_EQ(Recovered().log, kLater.log);
  EXPECT_EQ(Recovered().latest_wall, kLater.latest_wall);
}

TEST_F(LogTimesTest, R18_TimeGoesOnWhereItStandsWhenTheLatestDecisionIsForgotten) {
  {
    auto log = Start();
    ASSERT_TRUE(log->Write(TwoDecisions()).ok());
    ASSERT_TRUE(log->Write(BatchThatForgets({RoundId::Make(1, 1), RoundId::Make(1, 2)})).ok());
    ASSERT_TRUE(log->Prune(kNow + absl::Hours(24)).ok());
  }
  EXPECT_EQ(Recovered().log, kLater.log);
  EXPECT_EQ(Recovered().latest_wall, kLater.latest_wall);
}

// It waited for a disk, say, while the time was recorded.
TEST_F(LogTimesTest, R18_TheWallClockOfADecisionThatComesLateHasPassedToo) {
  const absl::Duration late = absl::Minutes(6);
  {
    auto log = Start();
    ASSERT_TRUE(log->KeepTime(kLater.log + late, /*at_once=*/true).ok());
    ASSERT_TRUE(log->Write(TwoDecisions()).ok());
  }
  EXPECT_EQ(Recovered().log, kLater.log + late);
  EXPECT_EQ(Recovered().latest_wall, kLater.latest_wall + late);
}

TEST_F(LogTimesTest, TimeIsRecordedOnceAMinuteAndWhenItIsToldTo) {
  const auto time_after = [this](absl::Duration passed, bool at_once) {
    {
      auto log = Start();
      EXPECT_TRUE(log->Recover().ok());
      EXPECT_TRUE(log->KeepTime(absl::UnixEpoch() + passed, at_once).ok());
    }
    return Recovered();
  };
  EXPECT_EQ(time_after(absl::Seconds(59), false).log, absl::UnixEpoch());
  EXPECT_EQ(time_after(absl::Seconds(60), false).log, absl::UnixEpoch() + absl::Seconds(60));
  EXPECT_EQ(time_after(absl::Seconds(61), true).log, absl::UnixEpoch() + absl::Seconds(61));
  EXPECT_EQ(time_after(absl::Seconds(120), false).log, absl::UnixEpoch() + absl::Seconds(61));
  EXPECT_EQ(time_after(absl::Seconds(10), true).log, absl::UnixEpoch() + absl::Seconds(61));
  // The wall clock has passed as fast.
  EXPECT_EQ(Recovered().latest_wall, absl::UnixEpoch() + absl::Seconds(61));
}

}  // namespace
}  // namespace lockstep::coordinator
