// Answers that waited in the network while faster ones told more (rule R15).
#include <gtest/gtest.h>

#include "tests/coordinator/protocol/harness.h"

namespace lockstep::coordinator {
namespace {

TEST(HandshakeTest, AFenceAnswerThatARoundOvertookDoesNotCountR15) {
  Harness harness;
  harness.StartReady();
  harness.Submits(1, {0});
  harness.reports[0].prepared = Round(1);
  harness.reports[0].in_doubt = true;
  harness.FenceAnswers(0);
  EXPECT_EQ(harness.protocol().GetView().participants[0].in_doubt, RoundId());
  EXPECT_EQ(harness.StateOf(0), ParticipantState::kReady);
}

TEST(HandshakeTest, AFenceAnswerThatHoldsWhatIsKnownDurableIsOldAndAskedForAgainR15) {
  Harness harness;
  harness.StartReady();
  harness.Submits(1, {0});
  harness.Votes(0, Round(1), {kYes});
  harness.Step(DecisionDurable{Round(1)});
  harness.CommitAnswers(0, Round(1));
  // Power loss takes the Commit back; a repeated one arrives behind the Fence, is synced, and a
  // Status tells so first.
  harness.Step(Heard{0, 999, RoundId()});
  ASSERT_EQ(harness.CountFor<SendFence>(0), 1u);
  harness.reports[0].boot_id = 999;
  Report old = harness.reports[0];
  old.applied = RoundId();
  old.prepared = Round(1);
  old.in_doubt = true;
  harness.reports[0].durable = Round(1);
  harness.StatusAnswers(0);
  ASSERT_EQ(harness.Count<ForgetDecision>(), 1u);
  harness.Step(FenceAnswered{0, old});
  EXPECT_EQ(harness.Count<SendRollback>(), 0u);
  ASSERT_EQ(harness.CountFor<SendFence>(0), 1u);
  harness.FenceAnswers(0);
  EXPECT_TRUE(harness.IsFree(0));
}

TEST(HandshakeTest, AFenceAnswerOfARunThatAnotherHasFollowedDoesNotCountR15) {
  Harness harness;
  harness.Start();
  harness.Step(Heard{0, 999, RoundId()});
  harness.FenceAnswers(0);
  EXPECT_EQ(harness.StateOf(0), ParticipantState::kRecovering);
  ASSERT_EQ(harness.CountFor<SendFence>(0), 1u);
  harness.reports[0].boot_id = 999;
  harness.FenceAnswers(0);
  EXPECT_EQ(harness.StateOf(0), ParticipantState::kReady);
}

TEST(HandshakeTest, AStatusThatARoundOvertookSaysNothingAboutIdleness) {
  Harness harness;
  harness.StartReady();
  harness.Pass(kStatusInterval);
  ASSERT_EQ(harness.CountFor<SendStatus>(0), 1u);
  harness.Submits(1, {0});
  harness.Votes(0, Round(1), {kNo});
  harness.reports[0].prepared = Round(1);
  harness.StatusAnswers(0);
  EXPECT_EQ(harness.CountFor<SendFence>(0), 0u);
}

}  // namespace
}  // namespace lockstep::coordinator
