// What a shutdown refuses, finishes and waits for.
#include <gtest/gtest.h>

#include "tests/coordinator/protocol/harness.h"

namespace lockstep::coordinator {
namespace {

TEST(ShutdownTest, ShutdownRefusesTheWaitingFinishesTheRoundAndIsIdleThen) {
  Harness harness;
  harness.StartReady();
  harness.Submits(1, {0});
  harness.Submits(2, {0});
  harness.Step(Shutdown{});
  EXPECT_EQ(harness.First<Complete>().transaction, 2u);
  EXPECT_EQ(harness.First<Complete>().ending, Ending::kNotStarted);
  harness.Submits(3, {1});
  EXPECT_EQ(harness.First<Complete>().reason, EndingReason::kShuttingDown);
  harness.Votes(0, Round(1), {kYes});
  harness.Step(DecisionDurable{Round(1)});
  EXPECT_EQ(harness.First<Complete>().ending, Ending::kCommitted);
  EXPECT_EQ(harness.Count<Idle>(), 0u);
  harness.CommitAnswers(0, Round(1));
  EXPECT_EQ(harness.Count<Idle>(), 1u);
  harness.Step(Tick{});
  EXPECT_EQ(harness.Count<Idle>(), 0u);
}

TEST(ShutdownTest, ASecondShutdownChangesNothing) {
  Harness harness;
  harness.StartReady();
  harness.Submits(1, {0});
  harness.Step(Shutdown{});
  harness.Step(Shutdown{});
  EXPECT_TRUE(harness.effects.empty());
  harness.Votes(0, Round(1), {kNo});
  EXPECT_EQ(harness.Count<Idle>(), 1u);
}

// It was sent, so NOT_STARTED would be wrong.
TEST(ShutdownTest, OneThatWaitsForItsNextRoundIsAbortedByTheShutdown) {
  Harness harness;
  harness.StartReady();
  harness.Submits(1, {0, 1});
  harness.Votes(0, Round(1), {kDefer});
  harness.Votes(1, Round(1), {kYes});
  harness.Step(Shutdown{});
  EXPECT_EQ(harness.First<Complete>().ending, Ending::kAborted);
  EXPECT_EQ(harness.First<Complete>().reason, EndingReason::kShuttingDown);
}

// Round 1 is decided at participants 0 and 1, and delivered to 0 alone.
void ShutDownWithACommitOwedToOne(Harness* harness) {
  harness->StartReady();
  harness->Submits(1, {0, 1});
  harness->Votes(0, Round(1), {kYes});
  harness->Votes(1, Round(1), {kYes});
  harness->Step(DecisionDurable{Round(1)});
  harness->CommitAnswers(0, Round(1));
  harness->Step(Shutdown{});
  EXPECT_EQ(harness->Count<Idle>(), 0u);
}

TEST(ShutdownTest, AShutdownWaitsForWhatIsOwedToAParticipantThatRecovers) {
  Harness harness;
  ShutDownWithACommitOwedToOne(&harness);
  harness.Step(CommitFailed{1, Round(1), CallFailure::kRefused});
  EXPECT_EQ(harness.StateOf(1), ParticipantState::kRecovering);
  EXPECT_EQ(harness.Count<Idle>(), 0u);
  harness.reports[1].prepared = Round(1);
  harness.FenceAnswers(1);
  harness.reports[1].prepared = RoundId();
  EXPECT_EQ(harness.Count<Idle>(), 0u);
  harness.CommitAnswers(1, Round(1));
  EXPECT_EQ(harness.Count<Idle>(), 1u);
}

TEST(ShutdownTest, AShutdownDoesNotWaitForAParticipantThatCannotBeReached) {
  Harness harness;
  ShutDownWithACommitOwedToOne(&harness);
  harness.Step(CommitFailed{1, Round(1), CallFailure::kUnavailable});
  EXPECT_EQ(harness.Count<Idle>(), 0u);
  harness.Step(FenceFailed{1, CallFailure::kUnavailable});
  EXPECT_EQ(harness.StateOf(1), ParticipantState::kUnreachable);
  EXPECT_EQ(harness.Count<Idle>(), 1u);
}

TEST(ShutdownTest, ADeferredTransactionEndsWithTheShutdown) {
  Harness harness;
  harness.StartReady();
  harness.Submits(1, {0, 1});
  harness.Step(Shutdown{});
  harness.Votes(0, Round(1), {kDefer});
  harness.Votes(1, Round(1), {kYes});
  EXPECT_EQ(harness.First<Complete>().ending, Ending::kAborted);
  EXPECT_EQ(harness.First<Complete>().reason, EndingReason::kShuttingDown);
}

}  // namespace
}  // namespace lockstep::coordinator
