// Rounds, from Submit to Complete (rules R2, R12-R14, R23).
#include <gtest/gtest.h>

#include "tests/coordinator/protocol/harness.h"

namespace lockstep::coordinator {
namespace {

TEST(RoundTest, ATransactionIsPreparedDecidedAndCommitted) {
  Harness harness;
  harness.StartReady();
  harness.Submits(1, {0, 2});
  ASSERT_EQ(harness.Count<SendPrepare>(), 2u);
  EXPECT_EQ(harness.First<SendPrepare>().round, Round(1));
  harness.Votes(0, Round(1), {kYes});
  EXPECT_TRUE(harness.effects.empty());
  harness.Votes(2, Round(1), {kYes});
  const auto record = harness.First<LogDecision>();
  EXPECT_EQ(record.kept, (std::vector<KeptBranches>{{0, kKeepAll}, {2, kKeepAll}}));
  EXPECT_EQ(record.committed, (std::vector<TransactionHandle>{1}));
  // Rule R13: nothing is sent or answered before the record is durable.
  EXPECT_EQ(harness.effects.size(), 1u);
  harness.Step(DecisionDurable{Round(1)});
  EXPECT_EQ(harness.Count<SendCommit>(), 2u);
  EXPECT_EQ(harness.First<Complete>().ending, Ending::kCommitted);
  EXPECT_EQ(harness.First<Complete>().round, Round(1));
  EXPECT_EQ(harness.protocol().DatabaseVersion(0), Round(1));
  EXPECT_EQ(harness.protocol().DatabaseVersion(1), RoundId());
}

TEST(RoundTest, ADecisionThatCouldNotBeWrittenEndsTheProcessR13) {
  Harness harness;
  harness.StartReady();
  harness.Submits(1, {0});
  harness.Votes(0, Round(1), {kYes});
  harness.Step(DecisionFailed{Round(1), "disk"});
  EXPECT_FALSE(harness.First<Fatal>().superseded);
  ASSERT_EQ(harness.effects.size(), 1u);
  EXPECT_EQ(harness.Count<Fatal>(), 1u);
  harness.Submits(2, {1});
  EXPECT_TRUE(harness.effects.empty());
  EXPECT_FALSE(harness.protocol().RouteRead(0).has_value());
}

TEST(RoundTest, RoundNumbersGrowAndCarryTheTermR2) {
  Harness harness(MakeConfig({1, 1}), MakeStart(5));
  harness.StartReady();
  harness.StepAll({harness.MakeSubmit(1, {0}), harness.MakeSubmit(2, {1})});
  const auto prepares = harness.All<SendPrepare>();
  ASSERT_EQ(prepares.size(), 2u);
  EXPECT_EQ(prepares[0].round, RoundId::Make(5, 1));
  EXPECT_EQ(prepares[1].round, RoundId::Make(5, 2));
}

TEST(RoundTest, ARoundInWhichAllAbortNeedsNoRecordR12) {
  Harness harness;
  harness.StartReady();
  harness.Submits(1, {0, 1});
  harness.Votes(0, Round(1), {kYes});
  harness.Votes(1, Round(1), {kNo});
  EXPECT_EQ(harness.Count<LogDecision>(), 0u);
  EXPECT_EQ(harness.First<SendRollback>().participant, 0u);
  const auto complete = harness.First<Complete>();
  EXPECT_EQ(complete.ending, Ending::kAborted);
  EXPECT_EQ(complete.reason, EndingReason::kVoteNo);
  EXPECT_EQ(complete.participant, 1u);
}

TEST(RoundTest, WhoVotedNoToEverythingIsFreeAtOnceAndHearsNothingR14) {
  Harness harness;
  harness.StartReady();
  harness.Submits(1, {0, 1});
  harness.Votes(1, Round(1), {kNo});
  EXPECT_TRUE(harness.IsFree(1));
  harness.Submits(2, {1});
  EXPECT_EQ(harness.CountFor<SendPrepare>(1), 1u);
  harness.Votes(0, Round(1), {kYes});
  EXPECT_EQ(harness.CountFor<SendRollback>(1), 0u);
  EXPECT_EQ(harness.CountFor<SendRollback>(0), 1u);
}

TEST(RoundTest, WhoseYesIsVetoedHoldsItsBranchUntilItIsRolledBackR14) {
  Harness harness;
  harness.StartReady();
  harness.Submits(1, {0, 1});
  harness.Votes(1, Round(1), {Vote{Vote::Kind::kYes, 7, /*vetoed=*/true}});
  EXPECT_FALSE(harness.IsFree(1));
  harness.Votes(0, Round(1), {kYes});
  EXPECT_EQ(harness.Count<LogDecision>(), 0u);
  EXPECT_EQ(harness.CountFor<SendRollback>(0), 1u);
  EXPECT_EQ(harness.CountFor<SendRollback>(1), 1u);
  const auto complete = harness.First<Complete>();
  EXPECT_EQ(complete.ending, Ending::kAborted);
  EXPECT_EQ(complete.reason, EndingReason::kVetoed);
  EXPECT_EQ(complete.participant, 1u);
  EXPECT_FALSE(harness.IsFree(1));
  harness.RollbackAnswers(1, Round(1));
  EXPECT_TRUE(harness.IsFree(1));
}

TEST(RoundTest, TransactionsThatCameTogetherShareARound) {
  Harness harness;
  harness.StartReady();
  harness.StepAll({harness.MakeSubmit(1, {0, 1}), harness.MakeSubmit(2, {1, 2})});
  const auto prepares = harness.All<SendPrepare>();
  ASSERT_EQ(prepares.size(), 3u);
  EXPECT_EQ(prepares[0].round, prepares[2].round);
  EXPECT_EQ(prepares[1].branches.size(), 2u);
}

TEST(RoundTest, DisjointTransactionsAreRoundsOfTheirOwn) {
  Harness harness;
  harness.StartReady();
  harness.StepAll({harness.MakeSubmit(1, {0, 1}), harness.MakeSubmit(2, {2})});
  const auto prepares = harness.All<SendPrepare>();
  ASSERT_EQ(prepares.size(), 3u);
  EXPECT_NE(prepares[0].round, prepares[2].round);
}

TEST(RoundTest, ACutKeepsThePrefixAndTheDeferredLeadTheNextRound) {
  Harness harness;
  harness.StartReady();
  harness.StepAll({harness.MakeSubmit(1, {0}), harness.MakeSubmit(2, {0, 1}),
                   harness.MakeSubmit(3, {0}), harness.MakeSubmit(4, {0})});
  const auto seed_before = harness.First<SendPrepare>().branches[2].seed;
  harness.Submits(5, {0});
  harness.Votes(0, Round(1), {kYes, kYes, kYes, kNo});
  harness.Votes(1, Round(1), {kNo});
  EXPECT_EQ(harness.First<LogDecision>().kept, (std::vector<KeptBranches>{{0, 1}}));
  harness.Step(DecisionDurable{Round(1)});
  EXPECT_EQ(harness.First<SendCommit>().cut, 1u);
  ASSERT_EQ(harness.Count<Complete>(), 2u);
  harness.wall -= absl::Seconds(5);  // the wall clock was set back
  harness.CommitAnswers(0, Round(1));
  const auto prepare = harness.First<SendPrepare>();
  ASSERT_EQ(prepare.branches.size(), 3u);
  EXPECT_EQ(prepare.branches[0].transaction, 3u);
  EXPECT_EQ(prepare.branches[1].transaction, 4u);
  EXPECT_EQ(prepare.branches[2].transaction, 5u);
  // Rule R23: drawn anew, and no instant before an earlier one.
  EXPECT_NE(prepare.branches[0].seed, seed_before);
  EXPECT_EQ(prepare.branches[0].clock, absl::FromUnixSeconds(1700000000));
}

TEST(RoundTest, InstantsStartAtTheFloorOfTheLogR23) {
  StartState start = MakeStart(2);
  start.clock_floor = absl::FromUnixSeconds(1800000000);
  Harness harness(MakeConfig({1}), start);
  harness.StartReady();
  harness.Submits(1, {0});
  EXPECT_EQ(harness.First<SendPrepare>().branches[0].clock, start.clock_floor);
}

TEST(RoundTest, ReplicasGetTheSameInstantAndSeedR23) {
  Harness harness(MakeConfig({2}));
  harness.StartReady();
  harness.Submits(1, {0, 1});
  const auto prepares = harness.All<SendPrepare>();
  EXPECT_EQ(prepares[0].branches[0].seed, prepares[1].branches[0].seed);
  EXPECT_EQ(prepares[0].branches[0].clock, prepares[1].branches[0].clock);
}

TEST(RoundTest, ReplicasThatDisagreeAbortWithTheirDigests) {
  Harness harness(MakeConfig({2, 1}));
  harness.StartReady();
  harness.StepAll({harness.MakeSubmit(1, {0, 1}), harness.MakeSubmit(2, {0, 1, 2})});
  harness.Votes(0, Round(1), {kYes, {Vote::Kind::kYes, 1}});
  harness.Votes(1, Round(1), {kYes, {Vote::Kind::kYes, 2}});
  harness.Votes(2, Round(1), {{Vote::Kind::kYes, 3}});
  harness.Step(DecisionDurable{Round(1)});
  const auto complete = harness.All<Complete>().at(1);
  EXPECT_EQ(complete.reason, EndingReason::kReplicasDisagree);
  ASSERT_EQ(complete.digests.size(), 2u);
  EXPECT_EQ(complete.digests[0].digest, 1u);
  EXPECT_EQ(complete.digests[1].digest, 2u);
}

TEST(RoundTest, AMissingVoteIsANoOfThatParticipantAndIsRolledBackR12) {
  Harness harness;
  harness.StartReady();
  harness.StepAll({harness.MakeSubmit(1, {0}), harness.MakeSubmit(2, {0, 1})});
  harness.Votes(0, Round(1), {kYes, kYes});
  harness.Step(PrepareFailed{1, Round(1), CallFailure::kTimeout});
  EXPECT_EQ(harness.First<LogDecision>().kept, (std::vector<KeptBranches>{{0, 1}}));
  EXPECT_EQ(harness.CountFor<SendFence>(1), 1u);
  harness.Step(DecisionDurable{Round(1)});
  EXPECT_EQ(harness.CountFor<SendRollback>(1), 1u);
  const auto complete = harness.All<Complete>().at(1);
  EXPECT_EQ(complete.reason, EndingReason::kParticipantUnavailable);
  EXPECT_EQ(complete.participant, 1u);
}

TEST(RoundTest, AVoteThatComesAfterItWasGivenUpChangesNothingR12) {
  Harness harness;
  harness.StartReady();
  harness.Submits(1, {0, 1});
  harness.Step(PrepareFailed{0, Round(1), CallFailure::kTimeout});
  harness.Votes(0, Round(1), {kYes});
  harness.Votes(1, Round(1), {kYes});
  EXPECT_EQ(harness.Count<LogDecision>(), 0u);
  EXPECT_EQ(harness.Count<SendRollback>(), 2u);
}

TEST(RoundTest, VotesHaveTheTimeThatTheRoundsTransactionsHaveLeft) {
  Harness harness;
  harness.StartReady();
  Submit brief = harness.MakeSubmit(1, {0});
  brief.deadline = harness.monotonic + absl::Milliseconds(100);
  Submit longer = harness.MakeSubmit(2, {0});
  longer.deadline = harness.monotonic + absl::Seconds(2);
  harness.StepAll({brief, longer});
  EXPECT_EQ(harness.First<SendPrepare>().vote_deadline, longer.deadline + kVoteGrace);
  harness.Pass(absl::Seconds(2));
  EXPECT_EQ(harness.Count<Complete>(), 0u) << "once in a round, it is decided";
  harness.Pass(absl::Milliseconds(300));
  EXPECT_EQ(harness.Count<Complete>(), 2u);
  EXPECT_EQ(harness.Count<SendRollback>(), 1u);
}

TEST(RoundTest, NoVoteIsWaitedForLongerThanAMinute) {
  Harness harness;
  harness.StartReady();
  Submit submit = harness.MakeSubmit(1, {0});
  submit.deadline = harness.monotonic + absl::Hours(1);
  harness.Step(submit);
  EXPECT_EQ(harness.First<SendPrepare>().vote_deadline, harness.monotonic + kLongestVoteTime);
}

TEST(RoundTest, OnlyVotesThatDidNotComeInTimeAreMissingR12) {
  Harness harness;
  harness.StartReady();
  Submit brief = harness.MakeSubmit(1, {0, 1});
  brief.deadline = harness.monotonic + absl::Seconds(1);
  harness.Step(brief);
  harness.Votes(0, Round(1), {kYes});
  harness.monotonic += absl::Seconds(1) + kVoteGrace;
  harness.Step(Tick{});
  EXPECT_EQ(harness.First<Complete>().reason, EndingReason::kParticipantUnavailable);
  EXPECT_EQ(harness.First<Complete>().participant, 1u);
  EXPECT_EQ(harness.Count<SendRollback>(), 2u);
  EXPECT_EQ(harness.StateOf(0), ParticipantState::kReady) << "it did vote";
  EXPECT_EQ(harness.StateOf(1), ParticipantState::kRecovering);
}

TEST(RoundTest, ALateNoChangesNothing) {
  Harness harness;
  harness.StartReady();
  harness.Submits(1, {0});
  harness.Step(PrepareFailed{0, Round(1), CallFailure::kTimeout});
  harness.Votes(0, Round(1), {kNo});
  EXPECT_FALSE(harness.IsFree(0));
  harness.RollbackAnswers(0, Round(1));
  harness.FenceAnswers(0);
  harness.FenceAnswers(0);
  harness.Submits(2, {0});
  harness.Votes(0, Round(1), {kNo});
  EXPECT_EQ(harness.Count<Complete>(), 0u) << "no vote of round 2";
}

TEST(RoundTest, AFailureThatComesAfterTheVoteChangesNothingR12) {
  Harness harness;
  harness.StartReady();
  harness.Submits(1, {0, 1});
  harness.Votes(0, Round(1), {kYes});
  harness.Step(PrepareFailed{0, Round(1), CallFailure::kTimeout});
  EXPECT_EQ(harness.CountFor<SendFence>(0), 0u);
  harness.Votes(1, Round(1), {kYes});
  EXPECT_EQ(harness.First<LogDecision>().kept.size(), 2u);
}

TEST(RoundTest, ASlowParticipantGetsFewerTransactionsARoundButAlwaysOne) {
  Harness harness;
  harness.StartReady();
  const auto vote_no = [&harness](uint64_t round, size_t branches, absl::Duration time) {
    harness.Step(PrepareAnswered{0, Round(round), harness.reports[0],
                                 std::vector<Vote>(branches, kNo), time});
  };
  harness.Submits(1, {0});
  vote_no(1, 1, RoundCaps().execution_time / 2);
  harness.StepAll(
      {harness.MakeSubmit(2, {0}), harness.MakeSubmit(3, {0}), harness.MakeSubmit(4, {0})});
  EXPECT_EQ(harness.First<SendPrepare>().branches.size(), 2u);
  vote_no(2, 2, RoundCaps().execution_time);
  EXPECT_EQ(harness.First<SendPrepare>().branches.size(), 1u) << "what is left";
  vote_no(3, 1, 100 * RoundCaps().execution_time);
  harness.StepAll({harness.MakeSubmit(5, {0}), harness.MakeSubmit(6, {0})});
  EXPECT_EQ(harness.First<SendPrepare>().branches.size(), 1u);
}

TEST(RoundTest, AFastParticipantGetsAsManyAsOthers) {
  Harness harness;
  harness.StartReady();
  harness.Submits(1, {0});
  harness.Step(PrepareAnswered{0, Round(1), harness.reports[0], {kNo}, absl::Nanoseconds(100)});
  harness.StepAll({harness.MakeSubmit(2, {0}), harness.MakeSubmit(3, {0})});
  EXPECT_EQ(harness.First<SendPrepare>().branches.size(), 2u);
}

TEST(RoundTest, TooFewVotesAreNoVotes) {
  Harness harness;
  harness.StartReady();
  harness.StepAll({harness.MakeSubmit(1, {0}), harness.MakeSubmit(2, {0})});
  harness.Votes(0, Round(1), {kYes});
  EXPECT_EQ(harness.Count<Complete>(), 2u);
  EXPECT_EQ(harness.Count<SendRollback>(), 1u);
}

TEST(RoundTest, ADeferredTransactionThatRunsOutOfTimeIsAborted) {
  Harness harness;
  harness.StartReady();
  harness.Submits(1, {0, 1});
  harness.Votes(0, Round(1), {kDefer});
  harness.Votes(1, Round(1), {kYes});
  EXPECT_EQ(harness.Count<Complete>(), 0u);
  harness.monotonic += absl::Seconds(11);
  harness.Step(Tick{});
  EXPECT_EQ(harness.First<Complete>().reason, EndingReason::kTimeout);
  EXPECT_EQ(harness.First<Complete>().ending, Ending::kAborted);
}

}  // namespace
}  // namespace lockstep::coordinator
