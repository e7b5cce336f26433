// What a handshake brings to light, and what is done about it (rules R16, R17, R22).
#include <gtest/gtest.h>

#include "tests/coordinator/protocol/harness.h"

namespace lockstep::coordinator {
namespace {

RoundId Old(uint64_t number) { return RoundId::Make(1, number); }

StartState Restarted(std::vector<KeptDecision> kept) {
  StartState start = MakeStart(2);
  start.kept = std::move(kept);
  return start;
}

TEST(RecoveryTest, ARoundInDoubtThatTheLogKeepsIsCommittedWithItsCutR16) {
  Harness harness(MakeConfig({1}), Restarted({{Old(3), {{0, 2}}}}));
  harness.reports[0].prepared = Old(3);
  harness.reports[0].in_doubt = true;
  harness.Start();
  harness.FenceAnswers(0);
  EXPECT_EQ(harness.First<SendCommit>().round, Old(3));
  EXPECT_EQ(harness.First<SendCommit>().cut, 2u);
  EXPECT_EQ(harness.StateOf(0), ParticipantState::kRecovering);
  EXPECT_EQ(harness.protocol().GetView().participants[0].in_doubt, Old(3));
  harness.reports[0].prepared = RoundId();
  harness.reports[0].in_doubt = false;
  harness.CommitAnswers(0, Old(3));
  // Behind a round in doubt there may be another: hands are shaken again.
  EXPECT_EQ(harness.Count<SendFence>(), 1u);
  harness.FenceAnswers(0);
  EXPECT_TRUE(harness.IsFree(0));
}

TEST(RecoveryTest, ARoundInDoubtWithoutARecordIsRolledBackR16) {
  Harness harness(MakeConfig({1}), Restarted({}));
  harness.reports[0].prepared = Old(3);
  harness.reports[0].in_doubt = true;
  harness.Start();
  harness.FenceAnswers(0);
  EXPECT_EQ(harness.First<SendRollback>().round, Old(3));
}

TEST(RecoveryTest, ARecordThatKeepsNothingThereRollsBackR12R16) {
  Harness harness(MakeConfig({1, 1}), Restarted({{Old(3), {{1, kKeepAll}}}}));
  harness.reports[0].prepared = Old(3);
  harness.reports[1].applied = Old(3);
  harness.StartReady();
  EXPECT_EQ(harness.Count<SendRollback>(), 0u);
  EXPECT_FALSE(harness.IsFree(0));
  EXPECT_TRUE(harness.IsFree(1));
}

TEST(RecoveryTest, ADecisionThatIsAppliedNeedsNoDeliveryButIsKeptUntilDurableR17) {
  Harness harness(MakeConfig({1}), Restarted({{Old(3), {{0, kKeepAll}}}}));
  harness.reports[0].applied = Old(3);
  harness.StartReady();
  EXPECT_TRUE(harness.IsFree(0));
  EXPECT_EQ(harness.protocol().GetView().undelivered_decisions, 1u);
  harness.reports[0].durable = Old(3);
  harness.StatusAnswers(0);
  EXPECT_EQ(harness.First<ForgetDecision>().round, Old(3));
}

TEST(RecoveryTest, WhatWasDurableBeforeTheRestartIsForgottenAtTheStartR17) {
  StartState start = Restarted({{Old(3), {{0, kKeepAll}}}});
  start.participants = {{Old(3), Old(3)}};
  Harness harness(MakeConfig({1}), start);
  harness.Start();
  EXPECT_EQ(harness.First<ForgetDecision>().round, Old(3));
}

TEST(RecoveryTest, NeitherAppliedNorInDoubtIsDataLossR16) {
  Harness harness(MakeConfig({1, 1}), Restarted({{Old(3), {{0, kKeepAll}, {1, kKeepAll}}}}));
  harness.reports[0].applied = Old(2);
  harness.Start();
  harness.FenceAnswers(0);
  EXPECT_EQ(harness.Count<Alarm>(), 1u);
  EXPECT_EQ(harness.StateOf(0), ParticipantState::kRefused);
  EXPECT_EQ(harness.Count<SendCommit>() + harness.Count<SendRollback>(), 0u);
  harness.reports[1].applied = Old(3);
  harness.FenceAnswers(1);
  EXPECT_EQ(harness.StateOf(1), ParticipantState::kReady) << "all others go on";
  harness.Pass(kRefusedRetry);
  harness.FenceAnswers(0);
  EXPECT_EQ(harness.Count<Alarm>(), 0u) << "once is enough";
}

TEST(RecoveryTest, TwoOpenDecisionsAtOneParticipantAreDataLossR16) {
  Harness harness(MakeConfig({1}),
                  Restarted({{Old(3), {{0, kKeepAll}}}, {Old(4), {{0, kKeepAll}}}}));
  harness.reports[0].prepared = Old(3);
  harness.Start();
  harness.FenceAnswers(0);
  EXPECT_EQ(harness.Count<Alarm>(), 1u);
}

TEST(RecoveryTest, LessDurableThanRecordedIsARegressR22) {
  StartState start = MakeStart(2);
  start.participants = {{Old(7), Old(7)}};
  Harness harness(MakeConfig({1}), start);
  harness.reports[0].applied = Old(6);
  harness.reports[0].durable = Old(6);
  harness.Start();
  harness.FenceAnswers(0);
  EXPECT_EQ(harness.StateOf(0), ParticipantState::kRefused);
  EXPECT_EQ(harness.Count<Alarm>(), 1u);
  // Put right by the operator.
  harness.reports[0].applied = Old(7);
  harness.reports[0].durable = Old(7);
  harness.Pass(kRefusedRetry);
  harness.FenceAnswers(0);
  EXPECT_TRUE(harness.IsFree(0));
}

TEST(RecoveryTest, AnotherLossIsAnotherAlarmR22) {
  StartState start = MakeStart(2);
  start.participants = {{Old(7), Old(7)}};
  Harness harness(MakeConfig({1}), start);
  harness.reports[0].applied = Old(7);
  harness.reports[0].durable = Old(6);
  harness.Start();
  harness.FenceAnswers(0);
  EXPECT_EQ(harness.Count<Alarm>(), 1u);
  harness.reports[0].durable = Old(5);
  harness.Pass(kRefusedRetry);
  harness.FenceAnswers(0);
  EXPECT_EQ(harness.Count<Alarm>(), 1u);
}

TEST(RecoveryTest, WhatWasDurableMustStillBeAppliedR22) {
  StartState start = MakeStart(2);
  start.participants = {{Old(7), Old(7)}};
  Harness harness(MakeConfig({1}), start);
  harness.reports[0].applied = Old(6);
  harness.reports[0].durable = Old(7);
  harness.Start();
  harness.FenceAnswers(0);
  EXPECT_EQ(harness.StateOf(0), ParticipantState::kRefused);
  EXPECT_EQ(harness.Count<Alarm>(), 1u);
}

// Until its identity is right nothing is asked sooner than the pause between two Fences.
TEST(RecoveryTest, TheEndOfARoundInDoubtDoesNotHastenTheNextFenceOfWhoIsRefusedR22) {
  Harness harness(MakeConfig({1}), Restarted({{Old(3), {{0, kKeepAll}}}}));
  harness.reports[0].prepared = Old(3);
  harness.reports[0].in_doubt = true;
  harness.StartReady();
  harness.Step(Heard{0, 999, RoundId()});
  harness.Step(FenceRefused{0, "this is node9, not node0"});
  harness.reports[0].prepared = RoundId();
  harness.reports[0].in_doubt = false;
  harness.CommitAnswers(0, Old(3));
  EXPECT_EQ(harness.StateOf(0), ParticipantState::kRefused);
  EXPECT_EQ(harness.Count<SendFence>(), 0u);
  harness.Pass(kRefusedRetry);
  EXPECT_EQ(harness.Count<SendFence>(), 1u);
}

// A report is measured by what was known when the Fence was sent.
TEST(RecoveryTest, ADecisionThatIsYoungerThanTheFenceIsNotMissedInItsAnswerR16) {
  Harness harness(MakeConfig({1, 1}));
  harness.StartReady();
  harness.Submits(1, {0, 1});
  harness.Votes(0, Old(1), {kYes});
  harness.reports[0].boot_id = 999;
  harness.Step(Heard{0, 999, RoundId()});
  ASSERT_EQ(harness.CountFor<SendFence>(0), 1u);
  harness.Votes(1, Old(1), {kYes});
  harness.Step(DecisionDurable{Old(1)});
  ASSERT_EQ(harness.CountFor<SendCommit>(0), 1u);
  harness.FenceAnswers(0);
  EXPECT_EQ(harness.Count<Alarm>(), 0u);
  EXPECT_EQ(harness.Count<SendCommit>(), 0u) << "it is under way";
  // The Commit finds nothing there, and the next Fence tells.
  harness.Step(CommitFailed{0, Old(1), CallFailure::kRefused});
  harness.FenceAnswers(0);
  EXPECT_EQ(harness.Count<Alarm>(), 1u);
}

TEST(RecoveryTest, APowerLossThatTakesACommitBackIsRepairedUnderALivingCoordinatorR15R16) {
  Harness harness(MakeConfig({1}));
  harness.StartReady();
  harness.Submits(1, {0});
  harness.Votes(0, Old(1), {kYes});
  harness.Step(DecisionDurable{Old(1)});
  harness.CommitAnswers(0, Old(1));
  EXPECT_TRUE(harness.IsFree(0));
  harness.reports[0].boot_id = 999;
  harness.reports[0].applied = RoundId();
  harness.reports[0].prepared = Old(1);
  harness.reports[0].in_doubt = true;
  harness.StatusAnswers(0);
  harness.FenceAnswers(0);
  EXPECT_EQ(harness.First<SendCommit>().round, Old(1));
}

TEST(RecoveryTest, AStartInDoubtOfTheRoundThatIsBeingDecidedWaitsForTheDecision) {
  Harness harness(MakeConfig({1, 1}));
  harness.StartReady();
  harness.Submits(1, {0, 1});
  harness.Votes(0, Old(1), {kYes});
  harness.reports[0].boot_id = 999;
  harness.reports[0].prepared = Old(1);
  harness.reports[0].in_doubt = true;
  harness.Step(Heard{0, 999, RoundId()});
  harness.FenceAnswers(0);
  EXPECT_EQ(harness.Count<SendRollback>(), 0u) << "nobody has decided yet";
  harness.Votes(1, Old(1), {kYes});
  harness.Step(DecisionDurable{Old(1)});
  EXPECT_EQ(harness.CountFor<SendCommit>(0), 1u);
}

TEST(RecoveryTest, AMaskOfARandomNumberIsRolledBackAndLaterRoundsStandAboveItR3) {
  Harness harness(MakeConfig({1}));
  harness.StartReady();
  harness.Submits(1, {0});
  harness.Step(PrepareFailed{0, Old(1), CallFailure::kUnavailable});
  harness.reports[0].boot_id = 999;
  harness.reports[0].prepared = Old(123456789);
  harness.reports[0].in_doubt = true;
  harness.FenceAnswers(0);
  harness.reports[0].prepared = RoundId();
  harness.reports[0].in_doubt = false;
  harness.RollbackAnswers(0, Old(1));
  EXPECT_EQ(harness.First<SendRollback>().round, Old(123456789));
  harness.RollbackAnswers(0, Old(123456789));
  harness.FenceAnswers(0);
  EXPECT_TRUE(harness.IsFree(0));
  harness.Submits(2, {0});
  EXPECT_EQ(harness.First<SendPrepare>().round, Old(123456790));
}

TEST(RecoveryTest, ATermThatIsOutOfNumbersEndsTheProcess) {
  Harness harness(MakeConfig({1}));
  harness.reports[0].prepared = Old(RoundId::kMaxNumber);
  harness.reports[0].in_doubt = true;
  harness.Start();
  harness.FenceAnswers(0);
  harness.reports[0].prepared = RoundId();
  harness.reports[0].in_doubt = false;
  harness.RollbackAnswers(0, Old(RoundId::kMaxNumber));
  harness.FenceAnswers(0);
  harness.Submits(1, {0});
  EXPECT_EQ(harness.Count<Fatal>(), 1u);
}

}  // namespace
}  // namespace lockstep::coordinator
