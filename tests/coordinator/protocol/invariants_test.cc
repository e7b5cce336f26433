// Each rule that is watched from outside, broken by a history made by hand.
#include "coordinator/protocol/invariants.h"

#include <gtest/gtest.h>

#include "tests/coordinator/protocol/harness.h"

namespace lockstep::coordinator {
namespace {

class InvariantsTest : public testing::Test {
 protected:
  InvariantsTest() : invariants_(MakeConfig({1, 1}), MakeStart()) {
    testing::FLAGS_gtest_death_test_style = "threadsafe";
    invariants_.Observe(Submit{1, {0, 1}, 100, absl::Seconds(10)}, {});
  }

  void SeeEffect(Effect effect) { invariants_.ObserveStart({std::move(effect)}); }
  void ShakeHands() {
    for (ParticipantIndex p = 0; p < 2; ++p) invariants_.Observe(FenceAnswered{p, {}}, {});
  }
  Effect Prepare(RoundId round) {
    return SendPrepare{0, round, {PreparedBranch{1, kClock, 0}}, absl::Seconds(10)};
  }
  // Of which participant 0 alone keeps a branch, the first.
  void LogRoundOne() { SeeEffect(LogDecision{Round(1), {{0, 1}}, {1}, kClock, kClock}); }

  static inline const absl::Time kClock = absl::FromUnixSeconds(1700000000);
  Invariants invariants_;
};

TEST_F(InvariantsTest, AnAnswerIsGivenWhenItsDecisionIsDurableR13) {
  LogRoundOne();
  for (const Ending ending : {Ending::kCommitted, Ending::kAborted}) {
    EXPECT_DEATH(SeeEffect(Complete{1, ending, EndingReason::kNone, Round(1), 0, {}}), "R13");
  }
  invariants_.Observe(DecisionDurable{Round(1)}, {});
  EXPECT_DEATH(SeeEffect(Complete{1, Ending::kAborted, EndingReason::kNone, Round(1), 0, {}}),
               "not what was decided");
  SeeEffect(Complete{1, Ending::kCommitted, EndingReason::kNone, Round(1), 0, {}});
  EXPECT_DEATH(SeeEffect(Complete{1, Ending::kAborted, EndingReason::kNone, RoundId(), 0, {}}),
               "answered twice");
}

TEST_F(InvariantsTest, ACommitIsSentWhenTheRecordIsDurableAndAsItSaysR12R13) {
  LogRoundOne();
  EXPECT_DEATH(SeeEffect(SendCommit{0, Round(1), 1}), "before the decision is durable");
  invariants_.Observe(DecisionDurable{Round(1)}, {});
  EXPECT_DEATH(SeeEffect(SendCommit{0, Round(1), kKeepAll}), "does not say");
  EXPECT_DEATH(SeeEffect(SendCommit{1, Round(1), 1}), "does not say");
  EXPECT_DEATH(SeeEffect(SendRollback{0, Round(1)}), "what the record keeps");
  SeeEffect(SendRollback{1, Round(1)});
  SeeEffect(SendCommit{0, Round(1), 1});
  EXPECT_DEATH(SeeEffect(SendCommit{0, Round(1), 1}), "two deliveries at once");
}

TEST_F(InvariantsTest, ARecordIsForgottenWhenItIsDurableEverywhereR17R22) {
  LogRoundOne();
  EXPECT_DEATH(SeeEffect(ForgetDecision{Round(1)}), "forgets the unknown");
  invariants_.Observe(DecisionDurable{Round(1)}, {});
  EXPECT_DEATH(SeeEffect(ForgetDecision{Round(1)}), "R17");
  EXPECT_DEATH(SeeEffect(RecordDurable{0, Round(1)}), "R22");
  invariants_.Observe(Heard{0, 100, Round(1)}, {});
  SeeEffect(RecordDurable{0, Round(1)});
  SeeEffect(ForgetDecision{Round(1)});
}

TEST_F(InvariantsTest, APrepareIsSentToWhoIsFreeAndShakenHandsWithR2R14R15) {
  EXPECT_DEATH(SeeEffect(Prepare(Round(2))), "without a handshake");
  ShakeHands();
  SeeEffect(Prepare(Round(2)));
  EXPECT_DEATH(SeeEffect(Prepare(Round(3))), "not free");
  // A late NO of another round ends nothing.
  invariants_.Observe(PrepareAnswered{0, Round(1), {}, {kNo}, {}}, {});
  EXPECT_DEATH(SeeEffect(Prepare(Round(3))), "not free");
  invariants_.Observe(PrepareAnswered{0, Round(2), {}, {kNo}, {}}, {});
  EXPECT_DEATH(SeeEffect(Prepare(Round(2))), "round numbers grow");
  SeeEffect(Prepare(Round(3)));
}

TEST_F(InvariantsTest, InstantsNeverDecreaseR23) {
  ShakeHands();
  SeeEffect(Prepare(Round(1)));
  EXPECT_DEATH(
      SeeEffect(SendPrepare{
          1, Round(1), {PreparedBranch{1, kClock - absl::Seconds(1), 0}}, absl::Seconds(10)}),
      "R23");
}

TEST_F(InvariantsTest, NothingFollowsFatalR13) {
  SeeEffect(Fatal{"disk"});
  EXPECT_DEATH(SeeEffect(SendStatus{0}), "something follows Fatal");
  EXPECT_DEATH(invariants_.Observe(Tick{}, {Idle{}}), "it goes on after Fatal");
}

}  // namespace
}  // namespace lockstep::coordinator
