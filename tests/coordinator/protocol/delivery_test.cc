// Delivery of decisions, and when they are forgotten (rules R12, R14, R17, R22).
#include <gtest/gtest.h>

#include "tests/coordinator/protocol/harness.h"

namespace lockstep::coordinator {
namespace {

class DeliveryTest : public testing::Test {
 protected:
  DeliveryTest() { harness_.StartReady(); }

  // Round 1 is decided for participants 0 and 1, and their Commits are sent.
  void DecideRoundOne() {
    harness_.Submits(1, {0, 1});
    harness_.Votes(0, Round(1), {kYes});
    harness_.Votes(1, Round(1), {kYes});
    harness_.Step(DecisionDurable{Round(1)});
  }

  Harness harness_;
};

TEST_F(DeliveryTest, AParticipantIsFreeWhenItAnsweredItsCommitR14) {
  DecideRoundOne();
  EXPECT_FALSE(harness_.IsFree(0));
  harness_.Submits(2, {0});
  EXPECT_EQ(harness_.Count<SendPrepare>(), 0u);
  harness_.CommitAnswers(0, Round(1));
  EXPECT_EQ(harness_.First<SendPrepare>().round, Round(2));
  EXPECT_FALSE(harness_.IsFree(1));
}

TEST_F(DeliveryTest, NoTimeoutFreesAParticipantR14) {
  DecideRoundOne();
  harness_.Step(CommitFailed{0, Round(1), CallFailure::kTimeout});
  harness_.Submits(2, {0});
  size_t commits = 0;
  for (int i = 0; i < 100; ++i) {
    harness_.Pass(kLongestRetry);
    EXPECT_EQ(harness_.CountFor<SendPrepare>(0), 0u);
    commits += harness_.CountFor<SendCommit>(0);
    for (ParticipantIndex p = 0; p < 3; ++p) {
      if (harness_.CountFor<SendStatus>(p) > 0) harness_.StatusAnswers(p);
    }
    harness_.Step(CommitFailed{0, Round(1), CallFailure::kTimeout});
  }
  EXPECT_GT(commits, 50u) << "retried for ever";
}

TEST_F(DeliveryTest, RetriesBackOff) {
  DecideRoundOne();
  absl::Duration pause = kFirstRetry;
  for (int i = 0; i < 8; ++i) {
    harness_.Step(CommitFailed{0, Round(1), CallFailure::kTimeout});
    harness_.monotonic += pause - absl::Milliseconds(1);
    harness_.Step(Tick{});
    EXPECT_EQ(harness_.CountFor<SendCommit>(0), 0u);
    harness_.monotonic += absl::Milliseconds(1);
    harness_.Step(Tick{});
    EXPECT_EQ(harness_.CountFor<SendCommit>(0), 1u);
    pause = std::min(pause * 2, kLongestRetry);
  }
}

TEST_F(DeliveryTest, ARefusedCommitIsFollowedByAHandshakeR15) {
  DecideRoundOne();
  harness_.reports[0].prepared = Round(1);
  harness_.Step(CommitFailed{0, Round(1), CallFailure::kRefused});
  EXPECT_EQ(harness_.CountFor<SendFence>(0), 1u);
  harness_.FenceAnswers(0);
  EXPECT_EQ(harness_.CountFor<SendCommit>(0), 1u) << "at once, whatever the pause";
}

TEST_F(DeliveryTest, ADecisionIsForgottenWhenAllThatKeepABranchReportItDurableR17) {
  DecideRoundOne();
  harness_.CommitAnswers(0, Round(1));
  harness_.CommitAnswers(1, Round(1));
  EXPECT_EQ(harness_.Count<ForgetDecision>(), 0u) << "an acknowledgement is not durable";
  harness_.reports[0].durable = Round(1);
  harness_.StatusAnswers(0);
  EXPECT_EQ(harness_.Count<ForgetDecision>(), 0u);
  EXPECT_EQ(harness_.protocol().GetView().undelivered_decisions, 1u);
  harness_.Step(Heard{1, harness_.reports[1].boot_id, Round(1)});
  EXPECT_EQ(harness_.First<ForgetDecision>().round, Round(1));
  EXPECT_EQ(harness_.First<RecordDurable>().participant, 1u);
  EXPECT_EQ(harness_.protocol().GetView().undelivered_decisions, 0u);
}

TEST_F(DeliveryTest, ThoseThatKeepNothingDoNotHoldADecisionBackR17) {
  harness_.StepAll({harness_.MakeSubmit(1, {0}), harness_.MakeSubmit(2, {0, 1})});
  harness_.Votes(0, Round(1), {kYes, kNo});
  harness_.Votes(1, Round(1), {kYes});
  harness_.Step(DecisionDurable{Round(1)});
  EXPECT_EQ(harness_.CountFor<SendRollback>(1), 1u);
  harness_.reports[0].durable = Round(1);
  harness_.CommitAnswers(0, Round(1));
  EXPECT_EQ(harness_.First<ForgetDecision>().round, Round(1));
}

TEST_F(DeliveryTest, ACommitWhoseAnswerWasLostIsRepeatedR14) {
  DecideRoundOne();
  harness_.reports[0].applied = Round(1);
  harness_.Step(CommitFailed{0, Round(1), CallFailure::kUnavailable});
  EXPECT_EQ(harness_.CountFor<SendFence>(0), 1u);
  harness_.FenceAnswers(0);
  ASSERT_EQ(harness_.CountFor<SendCommit>(0), 1u);
  EXPECT_FALSE(harness_.IsFree(0));
  harness_.CommitAnswers(0, Round(1));
  EXPECT_TRUE(harness_.IsFree(0));
}

TEST_F(DeliveryTest, AnAnswerToNothingIsIgnored) {
  harness_.CommitAnswers(2, Round(9));
  harness_.Step(CommitFailed{2, Round(9), CallFailure::kTimeout});
  harness_.RollbackAnswers(2, Round(9));
  EXPECT_TRUE(harness_.IsFree(2));
}

TEST_F(DeliveryTest, OnlyTheAnswerToWhatIsUnderWayIsTakenR14) {
  DecideRoundOne();
  const Report report = harness_.reports[0];
  harness_.Step(CommitAnswered{0, Round(9), report});
  EXPECT_FALSE(harness_.IsFree(0));
  harness_.Step(RollbackAnswered{0, Round(1), report});
  EXPECT_FALSE(harness_.IsFree(0));
  harness_.Step(CommitFailed{0, Round(9), CallFailure::kRefused});
  EXPECT_EQ(harness_.CountFor<SendFence>(0), 0u);
  harness_.Step(CommitFailed{0, Round(1), CallFailure::kTimeout});
  harness_.Step(CommitFailed{0, Round(1), CallFailure::kRefused});
  EXPECT_EQ(harness_.CountFor<SendFence>(0), 0u);
  harness_.Step(CommitAnswered{0, Round(1), report});
  EXPECT_FALSE(harness_.IsFree(0));
  harness_.Pass(kFirstRetry);
  EXPECT_EQ(harness_.CountFor<SendCommit>(0), 1u);
}

TEST_F(DeliveryTest, WhatIsDurableIsRecordedOnceForAllRoundsThatItEndsR22) {
  DecideRoundOne();
  harness_.CommitAnswers(0, Round(1));
  harness_.CommitAnswers(1, Round(1));
  harness_.Submits(2, {0});
  harness_.Votes(0, Round(2), {kYes});
  harness_.Step(DecisionDurable{Round(2)});
  harness_.reports[1].durable = Round(1);
  harness_.StatusAnswers(1);
  harness_.reports[0].durable = Round(2);
  harness_.CommitAnswers(0, Round(2));
  EXPECT_EQ(harness_.CountFor<RecordDurable>(0), 1u);
  EXPECT_EQ(harness_.First<RecordDurable>().durable, Round(2));
  EXPECT_EQ(harness_.Count<ForgetDecision>(), 2u);
}

TEST_F(DeliveryTest, WhoIsRefusedGetsItsDecisionWhenItIsRepairedR14R22) {
  harness_.Submits(1, {0});
  harness_.Votes(0, Round(1), {kYes});
  harness_.Step(Heard{0, 999, RoundId()});
  harness_.Step(FenceRefused{0, "this is node9, not node0"});
  harness_.Step(DecisionDurable{Round(1)});
  EXPECT_EQ(harness_.First<Complete>().ending, Ending::kCommitted);
  EXPECT_EQ(harness_.Count<SendCommit>(), 0u);
  harness_.Pass(kRefusedRetry);
  EXPECT_EQ(harness_.Count<SendCommit>(), 0u);
  ASSERT_EQ(harness_.CountFor<SendFence>(0), 1u);
  harness_.reports[0].prepared = Round(1);
  harness_.FenceAnswers(0);
  EXPECT_EQ(harness_.Count<SendCommit>(), 1u);
}

TEST_F(DeliveryTest, TheNextDecisionIsNotSentToWhoIsRefusedMeanwhileR22) {
  harness_.Submits(1, {0});
  harness_.Step(PrepareFailed{0, Round(1), CallFailure::kTimeout});
  harness_.reports[0].prepared = Round(5);
  harness_.reports[0].in_doubt = true;
  harness_.FenceAnswers(0);  // owed now: Rollbacks of rounds 1, under way, and 5
  harness_.Step(Heard{0, 999, RoundId()});
  harness_.Step(FenceRefused{0, "this is node9, not node0"});
  harness_.RollbackAnswers(0, Round(1));
  EXPECT_EQ(harness_.Count<SendRollback>(), 0u);
  harness_.Pass(kRefusedRetry);
  EXPECT_EQ(harness_.Count<SendRollback>(), 0u);
  harness_.FenceAnswers(0);
  EXPECT_EQ(harness_.First<SendRollback>().round, Round(5));
}

TEST_F(DeliveryTest, WhatIsInDoubtBehindADecisionIsRolledBackBehindItR14) {
  DecideRoundOne();
  harness_.reports[0].applied = Round(1);
  harness_.Step(CommitFailed{0, Round(1), CallFailure::kTimeout});
  // A restart finds the Commit done, and a torn frame that unmasks to some number.
  harness_.reports[0].boot_id = 999;
  harness_.reports[0].prepared = Round(7);
  harness_.reports[0].in_doubt = true;
  harness_.Step(Heard{0, 999, RoundId()});
  harness_.FenceAnswers(0);
  EXPECT_EQ(harness_.First<SendCommit>().round, Round(1));
  EXPECT_EQ(harness_.Count<SendRollback>(), 0u);
  harness_.CommitAnswers(0, Round(1));
  EXPECT_EQ(harness_.First<SendRollback>().round, Round(7));
}

TEST_F(DeliveryTest, WhatIsDecidedLaterOfAnEarlierRoundIsDeliveredFirstR14) {
  harness_.Submits(1, {0, 1});
  harness_.Step(PrepareFailed{0, Round(1), CallFailure::kTimeout});
  harness_.reports[0].prepared = Round(5);
  harness_.reports[0].in_doubt = true;
  harness_.FenceAnswers(0);
  ASSERT_EQ(harness_.First<SendRollback>().round, Round(5));
  harness_.Step(RollbackFailed{0, Round(5), CallFailure::kTimeout});
  harness_.Votes(1, Round(1), {kNo});
  EXPECT_EQ(harness_.First<SendRollback>().round, Round(1));
  harness_.RollbackAnswers(0, Round(1));
  EXPECT_EQ(harness_.First<SendRollback>().round, Round(5));
}

TEST_F(DeliveryTest, WhatIsDurableLeavesLaterDecisionsKeptR17) {
  harness_.Submits(1, {0});
  harness_.Votes(0, Round(1), {kYes});
  harness_.Step(DecisionDurable{Round(1)});
  harness_.CommitAnswers(0, Round(1));
  harness_.Submits(2, {0});
  harness_.Votes(0, Round(2), {kYes});
  harness_.Step(DecisionDurable{Round(2)});
  harness_.Step(Heard{0, harness_.reports[0].boot_id, Round(1)});
  ASSERT_EQ(harness_.Count<ForgetDecision>(), 1u);
  EXPECT_EQ(harness_.First<ForgetDecision>().round, Round(1));
}

TEST_F(DeliveryTest, AHigherTermInAnAnswerEndsTheProcessR22) {
  DecideRoundOne();
  harness_.reports[0].term = 2;
  harness_.CommitAnswers(0, Round(1));
  EXPECT_EQ(harness_.Count<Fatal>(), 1u);
}

TEST_F(DeliveryTest, ARefusalForATermThatIsOutdatedEndsTheProcessR22) {
  DecideRoundOne();
  harness_.Step(CommitFailed{0, Round(1), CallFailure::kTermOutdated});
  EXPECT_EQ(harness_.Count<Fatal>(), 1u);
}

}  // namespace
}  // namespace lockstep::coordinator
