// LogClock, as the decision log tells it to the next run.
#include <gtest/gtest.h>

#include "tests/coordinator/decision_log_fixture.h"

namespace lockstep::coordinator {
namespace {

const absl::Time kLater = kNow + absl::Minutes(1);

class LogTimeTest : public SqliteDecisionLogTest {
 protected:
  absl::Time Recovered() {
    const absl::StatusOr<RecoveredState> state = Start()->Recover();
    EXPECT_TRUE(state.ok());
    return state.ok() ? state->log_time : absl::InfinitePast();
  }
  // The later one has the lower round.
  static LogBatch TwoDecisions() {
    Decision latest = DecisionOf(RoundId::Make(1, 1), {2});
    latest.log_time = kLater;
    return BatchOf({DecisionOf(RoundId::Make(1, 2), {1}), latest});
  }
};

TEST_F(LogTimeTest, R18_TimeGoesOnWhereTheLatestDecisionStands) {
  ASSERT_TRUE(Start()->Write(TwoDecisions()).ok());
  EXPECT_EQ(Recovered(), kLater);
}

TEST_F(LogTimeTest, R18_TimeGoesOnWhereItStandsWhenTheLatestDecisionIsForgotten) {
  {
    auto log = Start();
    ASSERT_TRUE(log->Write(TwoDecisions()).ok());
    ASSERT_TRUE(log->Write(BatchThatForgets({RoundId::Make(1, 1), RoundId::Make(1, 2)})).ok());
    ASSERT_TRUE(log->Prune(kNow + absl::Hours(24)).ok());
  }
  EXPECT_EQ(Recovered(), kLater);
}

TEST_F(LogTimeTest, TimeIsRecordedOnceAMinuteAndWhenItIsToldTo) {
  const auto time_after = [this](absl::Duration passed, bool at_once) {
    {
      auto log = Start();
      EXPECT_TRUE(log->Recover().ok());
      EXPECT_TRUE(log->RecordTime(absl::UnixEpoch() + passed, at_once).ok());
    }
    return Recovered();
  };
  EXPECT_EQ(time_after(absl::Seconds(59), false), absl::UnixEpoch());
  EXPECT_EQ(time_after(absl::Seconds(60), false), absl::UnixEpoch() + absl::Seconds(60));
  EXPECT_EQ(time_after(absl::Seconds(61), true), absl::UnixEpoch() + absl::Seconds(61));
  EXPECT_EQ(time_after(absl::Seconds(120), false), absl::UnixEpoch() + absl::Seconds(61));
  EXPECT_EQ(time_after(absl::Seconds(10), true), absl::UnixEpoch() + absl::Seconds(61));
}

}  // namespace
}  // namespace lockstep::coordinator
