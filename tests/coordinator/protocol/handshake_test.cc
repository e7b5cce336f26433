// Connections, handshakes and states (rules R15, R21, R22).
#include <gtest/gtest.h>

#include "tests/coordinator/protocol/harness.h"

namespace lockstep::coordinator {
namespace {

TEST(HandshakeTest, TheStartFencesEveryParticipantR15) {
  Harness harness;
  harness.Start();
  EXPECT_EQ(harness.Count<SendFence>(), 3u);
  EXPECT_EQ(harness.StateOf(0), ParticipantState::kRecovering);
  harness.FenceAnswers(0);
  EXPECT_EQ(harness.StateOf(0), ParticipantState::kReady);
  EXPECT_TRUE(harness.IsFree(0));
}

TEST(HandshakeTest, NothingIsSentBeforeTheHandshakeAndNobodyElseWaitsR15) {
  Harness harness;
  harness.Start();
  harness.FenceAnswers(1);
  harness.Submits(1, {0, 1});
  EXPECT_EQ(harness.Count<SendPrepare>(), 0u);
  harness.Submits(2, {1});
  EXPECT_EQ(harness.First<SendPrepare>().branches[0].transaction, 2u);
  harness.Votes(1, Round(1), {kNo});
  harness.FenceAnswers(0);
  EXPECT_EQ(harness.Count<SendPrepare>(), 2u);
}

TEST(HandshakeTest, ANewBootIdAsksForAHandshakeR15) {
  Harness harness;
  harness.StartReady();
  harness.reports[0].boot_id = 999;
  harness.StatusAnswers(0);
  EXPECT_EQ(harness.StateOf(0), ParticipantState::kRecovering);
  EXPECT_EQ(harness.CountFor<SendFence>(0), 1u);
  harness.FenceAnswers(0);
  EXPECT_EQ(harness.StateOf(0), ParticipantState::kReady);
}

TEST(HandshakeTest, WhoIsNotShakenHandsWithIsNotFreeR14R15) {
  Harness harness;
  harness.StartReady();
  harness.Step(Heard{0, 999, RoundId()});
  EXPECT_FALSE(harness.IsFree(0));
}

TEST(HandshakeTest, ARestartTakesTheVoteThatIsAwaitedWithItR11R15) {
  Harness harness;
  harness.StartReady();
  harness.Submits(1, {0, 1});
  harness.Step(Heard{0, 999, RoundId()});
  harness.Votes(1, Round(1), {kYes});
  EXPECT_EQ(harness.First<Complete>().reason, EndingReason::kParticipantUnavailable);
  EXPECT_EQ(harness.CountFor<SendRollback>(0), 1u);
}

TEST(HandshakeTest, AVoteOfARunThatNobodyShookHandsWithIsNoVoteR15) {
  Harness harness;
  harness.StartReady();
  harness.Submits(1, {0});
  harness.reports[0].boot_id = 999;
  harness.Votes(0, Round(1), {kYes});
  EXPECT_EQ(harness.Count<LogDecision>(), 0u);
  EXPECT_EQ(harness.First<Complete>().reason, EndingReason::kParticipantUnavailable);
}

TEST(HandshakeTest, AfterAMissingVoteAFenceAndTheRollbackHaveToBeAnsweredR14R15) {
  Harness harness;
  harness.StartReady();
  harness.Submits(1, {0});
  harness.Step(PrepareFailed{0, Round(1), CallFailure::kRefused});
  harness.Submits(2, {0});
  harness.FenceAnswers(0);
  EXPECT_EQ(harness.Count<SendPrepare>(), 0u);
  EXPECT_FALSE(harness.IsFree(0));
  harness.RollbackAnswers(0, Round(1));
  EXPECT_EQ(harness.Count<SendPrepare>(), 1u);
}

TEST(HandshakeTest, AFenceThatWasSentBeforeTheReasonForTheNextOneDoesNotCountR15) {
  Harness harness;
  harness.StartReady();
  harness.Submits(1, {0});
  harness.Step(PrepareFailed{0, Round(1), CallFailure::kTimeout});
  ASSERT_EQ(harness.CountFor<SendFence>(0), 1u);
  ASSERT_EQ(harness.CountFor<SendRollback>(0), 1u);
  // The Rollback is answered while the Fence, which may have seen the round prepared, is under way.
  harness.RollbackAnswers(0, Round(1));
  harness.reports[0].prepared = Round(1);
  harness.FenceAnswers(0);
  EXPECT_NE(harness.StateOf(0), ParticipantState::kReady);
  EXPECT_EQ(harness.CountFor<SendRollback>(0), 0u);
  EXPECT_EQ(harness.CountFor<SendFence>(0), 1u);
  harness.reports[0].prepared = RoundId();
  harness.FenceAnswers(0);
  EXPECT_TRUE(harness.IsFree(0));
}

TEST(HandshakeTest, AStatusCallASecondWithOneUnderWay) {
  Harness harness;
  harness.StartReady();
  harness.Pass(kStatusInterval);
  EXPECT_EQ(harness.Count<SendStatus>(), 3u);
  harness.Pass(kStatusInterval * 3);
  EXPECT_EQ(harness.Count<SendStatus>(), 0u);
  harness.monotonic += absl::Milliseconds(5);
  harness.StatusAnswers(1);
  EXPECT_EQ(harness.CountFor<SendStatus>(1), 1u);
  EXPECT_EQ(harness.protocol().GetView().participants[1].round_trip,
            kStatusInterval * 3 + absl::Milliseconds(5));
}

TEST(HandshakeTest, AnUnreachableParticipantFailsAllThatNeedItByName) {
  Harness harness;
  harness.StartReady();
  harness.Submits(1, {1});
  harness.Submits(2, {0, 1});
  harness.Pass(kStatusInterval);
  harness.Step(StatusFailed{0, CallFailure::kUnavailable});
  EXPECT_EQ(harness.StateOf(0), ParticipantState::kUnreachable);
  EXPECT_EQ(harness.First<Complete>().transaction, 2u);
  EXPECT_EQ(harness.First<Complete>().participant, 0u);
  EXPECT_EQ(harness.First<Complete>().reason, EndingReason::kParticipantUnavailable);
  harness.Submits(3, {2, 0});
  EXPECT_EQ(harness.First<Complete>().participant, 0u);
  EXPECT_EQ(harness.StateOf(2), ParticipantState::kReady);
}

TEST(HandshakeTest, AVoteOfAParticipantThatCannotBeReachedIsNotWaitedFor) {
  Harness harness;
  harness.StartReady();
  harness.Pass(kStatusInterval);
  harness.Submits(1, {0});
  harness.Step(StatusFailed{0, CallFailure::kUnavailable});
  EXPECT_EQ(harness.First<Complete>().reason, EndingReason::kParticipantUnavailable);
  EXPECT_EQ(harness.Count<SendRollback>(), 1u);
}

TEST(HandshakeTest, ADeferredTransactionFailsToo) {
  Harness harness;
  harness.StartReady();
  harness.Submits(1, {0, 1});
  harness.Votes(0, Round(1), {kDefer});
  harness.Pass(kStatusInterval);
  harness.Step(StatusFailed{0, CallFailure::kUnavailable});
  EXPECT_EQ(harness.Count<Complete>(), 0u);
  harness.Votes(1, Round(1), {kYes});
  EXPECT_EQ(harness.First<Complete>().participant, 0u);
  EXPECT_EQ(harness.First<Complete>().ending, Ending::kAborted);
}

TEST(HandshakeTest, WhenItAnswersAgainItIsShakenHandsWithFirstR15) {
  Harness harness;
  harness.StartReady();
  harness.Pass(kStatusInterval);
  harness.Step(StatusFailed{0, CallFailure::kUnavailable});
  harness.Pass(kStatusInterval);
  EXPECT_EQ(harness.CountFor<SendFence>(0), 0u) << "one question a second is enough";
  harness.StatusAnswers(0);
  EXPECT_EQ(harness.StateOf(0), ParticipantState::kRecovering);
  EXPECT_EQ(harness.CountFor<SendFence>(0), 1u);
}

TEST(HandshakeTest, AStatusWaitsAtOnceForAConnectionToWhatIsUnreachable) {
  Harness harness;
  harness.StartReady();
  harness.Submits(1, {0});
  harness.Step(PrepareFailed{0, Round(1), CallFailure::kUnavailable});
  EXPECT_EQ(harness.CountFor<SendStatus>(0), 0u);
  harness.Step(FenceFailed{0, CallFailure::kUnavailable});
  ASSERT_EQ(harness.StateOf(0), ParticipantState::kUnreachable);
  ASSERT_EQ(harness.CountFor<SendStatus>(0), 1u);
  EXPECT_TRUE(harness.First<SendStatus>().waits);
  harness.Step(StatusFailed{0, CallFailure::kUnavailable});
  EXPECT_EQ(harness.CountFor<SendStatus>(0), 0u) << "it is not asked without a pause";
  harness.Pass(kStatusInterval);
  ASSERT_EQ(harness.CountFor<SendStatus>(0), 1u);
  EXPECT_TRUE(harness.First<SendStatus>().waits);
  harness.StatusAnswers(0);
  EXPECT_EQ(harness.CountFor<SendFence>(0), 1u);
  harness.Pass(kStatusInterval);
  EXPECT_FALSE(harness.First<SendStatus>().waits);
}

// The Status call may come later than it: any answer tells that it is back.
TEST(HandshakeTest, ADecisionThatIsTakenShowsThatAParticipantIsBackR15) {
  Harness harness;
  harness.StartReady();
  harness.Submits(1, {0});
  harness.Votes(0, Round(1), {kYes});
  harness.Step(DecisionDurable{Round(1)});
  harness.Step(CommitFailed{0, Round(1), CallFailure::kUnavailable});
  harness.Step(FenceFailed{0, CallFailure::kUnavailable});
  ASSERT_EQ(harness.StateOf(0), ParticipantState::kUnreachable);
  harness.Pass(kLongestRetry);
  ASSERT_EQ(harness.CountFor<SendCommit>(0), 1u);
  harness.CommitAnswers(0, Round(1));
  EXPECT_EQ(harness.StateOf(0), ParticipantState::kRecovering);
  EXPECT_EQ(harness.CountFor<SendFence>(0), 1u);
}

TEST(HandshakeTest, AFailureThatIsOlderThanTheLatestAnswerIsIgnored) {
  Harness harness;
  harness.StartReady();
  harness.Pass(kStatusInterval);
  harness.monotonic += absl::Milliseconds(1);
  harness.Step(Heard{0, harness.reports[0].boot_id, RoundId()});
  harness.Step(StatusFailed{0, CallFailure::kUnavailable});
  EXPECT_EQ(harness.StateOf(0), ParticipantState::kReady);
}

TEST(HandshakeTest, SilenceAloneMakesUnreachableButNotOurOwnPause) {
  Harness harness;
  harness.StartReady();
  harness.monotonic += kSilenceLimit * 2;
  harness.Step(Tick{});
  EXPECT_EQ(harness.StateOf(0), ParticipantState::kReady);
  harness.Pass(kSilenceLimit);
  EXPECT_EQ(harness.StateOf(0), ParticipantState::kUnreachable);
}

TEST(HandshakeTest, AFenceThatFailsIsRepeatedWithPauses) {
  Harness harness;
  harness.Start();
  harness.Step(FenceFailed{0, CallFailure::kRefused});
  EXPECT_EQ(harness.CountFor<SendFence>(0), 0u);
  harness.Pass(kFirstRetry);
  EXPECT_EQ(harness.CountFor<SendFence>(0), 1u);
  EXPECT_EQ(harness.StateOf(0), ParticipantState::kRecovering);
  harness.Step(FenceFailed{0, CallFailure::kUnavailable});
  EXPECT_EQ(harness.StateOf(0), ParticipantState::kUnreachable);
}

TEST(HandshakeTest, ANodeOfAnotherIdentityIsRefusedUntilItIsRepairedR22) {
  Harness harness;
  harness.Start();
  harness.Step(FenceRefused{0, "this is node9, not node0"});
  EXPECT_EQ(harness.StateOf(0), ParticipantState::kRefused);
  EXPECT_EQ(harness.First<ParticipantStateChanged>().reason, "this is node9, not node0");
  EXPECT_EQ(harness.Count<Alarm>(), 0u);
  harness.Submits(1, {0});
  EXPECT_EQ(harness.First<Complete>().reason, EndingReason::kParticipantUnavailable);
  harness.Pass(kRefusedRetry);
  EXPECT_EQ(harness.CountFor<SendFence>(0), 1u);
  harness.FenceAnswers(0);
  EXPECT_EQ(harness.StateOf(0), ParticipantState::kReady);
}

// Another node under its address refuses the Status too: it answers, so it is asked who it is.
TEST(HandshakeTest, AnUnreachableNodeWhoseAddressAnotherOneTookIsRefusedNotUnreachableR22) {
  Harness harness;
  harness.StartReady();
  harness.Pass(kStatusInterval);
  harness.Step(StatusFailed{0, CallFailure::kUnavailable});
  ASSERT_EQ(harness.StateOf(0), ParticipantState::kUnreachable);
  harness.Pass(kStatusInterval);
  harness.Step(StatusFailed{0, CallFailure::kRefused});
  ASSERT_EQ(harness.CountFor<SendFence>(0), 1u);
  harness.Step(FenceRefused{0, "this is node9, not node0"});
  EXPECT_EQ(harness.StateOf(0), ParticipantState::kRefused);
}

// A participant's own errors carry its boot id; a server that knows nothing of Lockstep has none.
TEST(HandshakeTest, AStatusThatAStrangerRefusesAsksForAHandshakeR15R22) {
  Harness harness;
  harness.StartReady();
  harness.Pass(kStatusInterval);
  harness.monotonic += absl::Milliseconds(1);
  harness.Step(StatusFailed{0, CallFailure::kRefused});
  EXPECT_EQ(harness.StateOf(0), ParticipantState::kRecovering);
  EXPECT_EQ(harness.CountFor<SendFence>(0), 1u);
  harness.StepAll(
      {Heard{1, harness.reports[1].boot_id, RoundId()}, StatusFailed{1, CallFailure::kRefused}});
  EXPECT_EQ(harness.StateOf(1), ParticipantState::kReady);
}

TEST(HandshakeTest, AHigherTermEndsTheProcessAndTheLogWhereverItIsSeenR22) {
  const Event events[] = {
      PrepareFailed{0, Round(1), CallFailure::kTermOutdated},
      RollbackFailed{0, Round(1), CallFailure::kTermOutdated},
      FenceFailed{0, CallFailure::kTermOutdated, "run b, not run a"},
      StatusFailed{0, CallFailure::kTermOutdated},
  };
  for (const Event& event : events) {
    Harness harness;
    harness.Start();
    harness.Step(event);
    ASSERT_EQ(harness.Count<Fatal>(), 1u);
    EXPECT_TRUE(harness.First<Fatal>().superseded);
    EXPECT_EQ(harness.First<Fatal>().reason.find("node0"), 0u);
  }
  Report report;
  report.boot_id = 100;
  report.term = 2;
  const Event answers[] = {
      FenceAnswered{0, report},
      StatusAnswered{0, report},
      PrepareAnswered{0, Round(1), report, {kYes}, absl::ZeroDuration()},
      RollbackAnswered{0, Round(1), report},
  };
  for (const Event& event : answers) {
    Harness harness;
    harness.Start();
    harness.Step(event);
    EXPECT_TRUE(harness.First<Fatal>().superseded);
    EXPECT_EQ(harness.effects.size(), 1u) << "nothing follows";
  }
}

TEST(HandshakeTest, TheFenceSaysWhichRunHasTakenTheTermR22) {
  Harness harness;
  harness.Start();
  harness.Step(FenceFailed{0, CallFailure::kTermOutdated, "run b, not run a"});
  EXPECT_NE(harness.First<Fatal>().reason.find("run b, not run a"), std::string::npos);
}

TEST(HandshakeTest, ALogThatIsAnOlderCopyEndsTheProcessBeforeAnythingIsRolledBackR22) {
  StartState start = MakeStart(3);
  start.participants = {{Round(4), Round(5)}};
  Harness harness(MakeConfig({1}), start);
  harness.Start();
  harness.reports[0].applied = Round(6);
  harness.reports[0].durable = Round(4);
  harness.reports[0].prepared = Round(7);
  harness.FenceAnswers(0);
  ASSERT_EQ(harness.Count<Fatal>(), 1u);
  EXPECT_TRUE(harness.First<Fatal>().superseded);
  EXPECT_EQ(harness.Count<SendRollback>(), 0u);
}

TEST(HandshakeTest, ARepeatedPrepareThatRanAfterItsRoundIsFoundByStatus) {
  Harness harness;
  harness.StartReady();
  harness.Submits(1, {0});
  harness.Votes(0, Round(1), {kNo});
  harness.Pass(kStatusInterval);
  ASSERT_EQ(harness.CountFor<SendStatus>(0), 1u);
  harness.reports[0].prepared = Round(1);
  harness.StatusAnswers(0);
  EXPECT_EQ(harness.CountFor<SendFence>(0), 1u);
  harness.FenceAnswers(0);
  EXPECT_EQ(harness.First<SendRollback>().round, Round(1));
}

}  // namespace
}  // namespace lockstep::coordinator
