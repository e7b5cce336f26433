// The rules of the protocol at one participant, one test each.
#include "participant/protocol/protocol.h"

#include <gtest/gtest.h>

#include "tests/participant/protocol/rounds.h"

namespace lockstep::participant {
namespace {

// The runs of a decision log: that of kTerm is the one that has fenced.
constexpr uint64_t kRun = 33;
const std::vector<uint64_t> kLog = {11, 22, kRun};

Scan Clean() {
  Scan scan;
  scan.term = kTerm;
  scan.coordinator = kRun;
  scan.applied = R(10);
  scan.identified = true;
  return scan;
}

class ProtocolTest : public testing::Test {
 protected:
  ProtocolTest() { Start(Clean()); }

  void Start(const Scan& scan, bool standalone = false) {
    protocol_.emplace(standalone);
    protocol_->Scanned(scan);
  }
  void StartInDoubt(RoundId round, bool has_record) {
    Scan scan = Clean();
    scan.in_doubt = {round, has_record};
    Start(scan);
  }
  void Fenced(Term term, uint64_t run) { protocol_->TermPersisted(term, run); }
  void Prepared(RoundId round) {
    ASSERT_EQ(protocol_->Prepare(kTerm, round).action, Action::kExecute);
    protocol_->Voted(round, true);
  }
  void RolledBack(RoundId round) {
    const Decision decision = protocol_->Rollback(kTerm, round);
    if (decision.persist_tombstone) protocol_->TombstonePersisted(*decision.persist_tombstone);
    if (decision.action == Action::kForget) protocol_->Forgotten(round);
  }
  Refusal RefusalOfPrepare(RoundId round, Term term = kTerm) {
    const Decision decision = protocol_->Prepare(term, round);
    EXPECT_EQ(decision.action, Action::kRefuse);
    return decision.refusal;
  }

  std::optional<Protocol> protocol_;
};

TEST_F(ProtocolTest, R1_EveryMessageOfALowerTermIsRefused) {
  constexpr Term kOld = kTerm - 1;
  EXPECT_EQ(RefusalOfPrepare(R(11, kOld), kOld), Refusal::kTermOutdated);
  EXPECT_EQ(protocol_->Commit(kOld, R(11, kOld), Keep::kAll).refusal, Refusal::kTermOutdated);
  EXPECT_EQ(protocol_->Rollback(kOld, R(11, kOld)).refusal, Refusal::kTermOutdated);
  EXPECT_EQ(protocol_->Fence(kOld, 22, {11}).refusal, Refusal::kTermOutdated);
  EXPECT_EQ(protocol_->Read(kOld, RoundId()).refusal, Refusal::kTermOutdated);
}

TEST_F(ProtocolTest, R1_OnlyAFenceRaisesTheTermAndNothingElseIsDoneForAHigherOne) {
  constexpr Term kNew = kTerm + 1;
  Prepared(R(11));
  for (const Decision& decision :
       {protocol_->Prepare(kNew, R(1, kNew)), protocol_->Commit(kNew, R(11), Keep::kAll),
        protocol_->Rollback(kNew, R(11)), protocol_->Rollback(kNew, R(12, kNew)),
        protocol_->Read(kNew, RoundId())}) {
    EXPECT_EQ(decision.refusal, Refusal::kNotFenced);
    EXPECT_FALSE(decision.persist_term.has_value());
    EXPECT_FALSE(decision.persist_tombstone.has_value());
  }
  EXPECT_EQ(protocol_->Fence(kNew, 44, kLog).persist_term, kNew);
  Fenced(kNew, 44);
  EXPECT_EQ(protocol_->Commit(kNew, R(11), Keep::kAll).action, Action::kCommitPrepared);
}

TEST_F(ProtocolTest, R1_TheSameTermIsNotWrittenAgain) {
  const Decision again = protocol_->Fence(kTerm, kRun, {11, 22});
  EXPECT_EQ(again.action, Action::kAnswer);
  EXPECT_FALSE(again.persist_term.has_value());
}

TEST_F(ProtocolTest, R22_ATermBelongsToOneRun) {
  const Decision other = protocol_->Fence(kTerm, kRun + 1, {11, 22});
  EXPECT_EQ(other.action, Action::kRefuse);
  EXPECT_EQ(other.refusal, Refusal::kTermTaken);
  EXPECT_FALSE(other.persist_term.has_value());
}

// An old copy that took one term a start, while nobody met it, is above the participant in the end.
TEST_F(ProtocolTest, R22_AHigherTermOfALogThatDidNotGiveOursIsRefused) {
  for (const std::vector<uint64_t>& copy : {std::vector<uint64_t>{11, 22}, {11, 22, 34, 45}, {}}) {
    const Decision decision = protocol_->Fence(kTerm + 2, 55, copy);
    EXPECT_EQ(decision.refusal, Refusal::kStrayed);
    EXPECT_FALSE(decision.persist_term.has_value());
  }
  EXPECT_EQ(protocol_->Fence(kTerm + 2, 55, {11, 22, kRun, 44}).persist_term, kTerm + 2);
}

TEST_F(ProtocolTest, R22_AFenceMadeByHandIsTakenByItsTerm) {
  EXPECT_EQ(protocol_->Fence(kTerm, 0, {}).action, Action::kAnswer);
  EXPECT_EQ(protocol_->Fence(kTerm + 1, 0, {}).persist_term, kTerm + 1);
  Fenced(kTerm + 1, 0);
  EXPECT_EQ(protocol_->Fence(kTerm + 1, 44, kLog).refusal, Refusal::kTermTaken);
  EXPECT_EQ(protocol_->Fence(kTerm + 2, 55, {}).persist_term, kTerm + 2);
}

TEST_F(ProtocolTest, R2_ARoundOfAnotherTermThanItsSendersIsNotPrepared) {
  EXPECT_EQ(RefusalOfPrepare(R(11, kTerm), kTerm + 1), Refusal::kRoundInvalid);
  EXPECT_EQ(RefusalOfPrepare(R(11, kTerm + 1), kTerm), Refusal::kRoundInvalid);
  EXPECT_EQ(RefusalOfPrepare(RoundId(), kTerm), Refusal::kRoundInvalid);
  EXPECT_EQ(RefusalOfPrepare(RoundId::FromValue(-5), kTerm), Refusal::kRoundInvalid);
}

TEST_F(ProtocolTest, R3_ARoundAtOrBelowTheAppliedOneIsNotPreparedAgain) {
  EXPECT_EQ(RefusalOfPrepare(R(10)), Refusal::kRoundFinished);
  EXPECT_EQ(RefusalOfPrepare(R(9)), Refusal::kRoundFinished);
}

TEST_F(ProtocolTest, R3_PrepareAfterRollbackOfTheSameRoundIsRefused) {
  const Decision rollback = protocol_->Rollback(kTerm, R(12));
  EXPECT_EQ(rollback.action, Action::kAnswer);
  ASSERT_EQ(rollback.persist_tombstone, R(12));
  protocol_->TombstonePersisted(R(12));
  EXPECT_EQ(RefusalOfPrepare(R(12)), Refusal::kRoundFinished);
  EXPECT_EQ(RefusalOfPrepare(R(11)), Refusal::kRoundFinished);
  Prepared(R(13));
}

TEST_F(ProtocolTest, R3_TheTombstoneOutlivesTheProcess) {
  Scan scan = Clean();
  scan.tombstone = R(12);
  Start(scan);
  EXPECT_EQ(RefusalOfPrepare(R(12)), Refusal::kRoundFinished);
}

TEST_F(ProtocolTest, R3_ARepeatedRollbackWritesNothing) {
  RolledBack(R(12));
  const Decision again = protocol_->Rollback(kTerm, R(12));
  EXPECT_EQ(again.action, Action::kAnswer);
  EXPECT_FALSE(again.persist_tombstone.has_value());
}

TEST_F(ProtocolTest, Rule6_OnlyARoundOfTheSendersTermMakesATombstone) {
  Prepared(R(11));
  constexpr Term kNew = kTerm + 1;
  Fenced(kNew, 44);
  const Decision decision = protocol_->Rollback(kNew, R(11));
  EXPECT_EQ(decision.action, Action::kForget);
  EXPECT_FALSE(decision.persist_tombstone.has_value());
}

TEST_F(ProtocolTest, Rule6_InDoubtWithoutARecordIsForgottenWithoutATrace) {
  StartInDoubt(R(12), false);
  const Decision decision = protocol_->Rollback(kTerm, R(12));
  EXPECT_EQ(decision.action, Action::kForget);
  EXPECT_FALSE(decision.persist_tombstone.has_value());
  protocol_->Forgotten(R(12));
  EXPECT_EQ(protocol_->state().tombstone, RoundId());
  const Decision again = protocol_->Rollback(kTerm, R(12));
  EXPECT_EQ(again.action, Action::kAnswer);
  EXPECT_FALSE(again.persist_tombstone.has_value());
  // Its late Prepare is refused all the same, and the next round is not.
  EXPECT_EQ(RefusalOfPrepare(R(12)), Refusal::kRoundFinished);
  Prepared(R(11));
}

TEST_F(ProtocolTest, Rule6_InDoubtWithARecordGetsATombstone) {
  StartInDoubt(R(12), true);
  EXPECT_EQ(protocol_->Rollback(kTerm, R(12)).persist_tombstone, R(12));
}

TEST_F(ProtocolTest, Rule6_AnAppliedRoundIsNotRolledBack) {
  EXPECT_EQ(protocol_->Rollback(kTerm, R(10)).refusal, Refusal::kRoundApplied);
  EXPECT_EQ(protocol_->Rollback(kTerm, R(4)).refusal, Refusal::kRoundApplied);
}

TEST_F(ProtocolTest, R4_RollbackOfAnotherRoundLeavesThePreparedOne) {
  Prepared(R(11));
  RolledBack(R(14));
  EXPECT_EQ(protocol_->state().phase, RoundPhase::kPrepared);
  EXPECT_EQ(protocol_->state().round, R(11));
  EXPECT_EQ(protocol_->Commit(kTerm, R(11), Keep::kAll).action, Action::kCommitPrepared);
  protocol_->Committed(R(11));
  EXPECT_EQ(RefusalOfPrepare(R(14)), Refusal::kRoundFinished);
}

TEST_F(ProtocolTest, R4_ATombstoneAboveWhatIsInDoubtDoesNotEndIt) {
  Scan scan = Clean();
  scan.tombstone = R(15);
  scan.in_doubt = {R(11), false};
  Start(scan);
  EXPECT_EQ(protocol_->state().phase, RoundPhase::kInDoubt);
  EXPECT_EQ(protocol_->Commit(kTerm, R(11), Keep::kAll).action, Action::kCommitInDoubt);
}

TEST_F(ProtocolTest, R7_ACutIsReexecutedAndTheNodeIsBusyMeanwhile) {
  Prepared(R(11));
  EXPECT_EQ(protocol_->Commit(kTerm, R(11), Keep::kPrefix).action, Action::kCommitCut);
  protocol_->RedoPersisted(R(11));
  EXPECT_EQ(RefusalOfPrepare(R(12)), Refusal::kReexecuting);
  EXPECT_EQ(protocol_->ExecuteLocal().refusal, Refusal::kReexecuting);
  EXPECT_EQ(protocol_->Rollback(kTerm, R(11)).refusal, Refusal::kRoundApplied);
  EXPECT_EQ(protocol_->Commit(kTerm, R(11), Keep::kPrefix).action, Action::kFinishReexecution);
  EXPECT_LT(protocol_->state().applied, R(11));
  protocol_->Reexecuted(R(11));
  EXPECT_EQ(protocol_->state().durable, R(11));
  EXPECT_EQ(protocol_->Commit(kTerm, R(11), Keep::kPrefix).action, Action::kAnswer);
}

TEST_F(ProtocolTest, R7_ARedoBlockIsFinishedWithoutAQuestion) {
  Scan scan = Clean();
  scan.redo = R(11);
  Start(scan);
  EXPECT_EQ(protocol_->state().phase, RoundPhase::kReexecuting);
  protocol_->Reexecuted(R(11));
  Prepared(R(12));
}

TEST_F(ProtocolTest, R7_ACutOfARoundInDoubtNeedsItsBranches) {
  StartInDoubt(R(11), true);
  EXPECT_EQ(protocol_->Commit(kTerm, R(11), Keep::kPrefix).action, Action::kCommitCut);
  StartInDoubt(R(11), false);
  EXPECT_EQ(protocol_->Commit(kTerm, R(11), Keep::kPrefix).action, Action::kStop);
}

TEST_F(ProtocolTest, ACutThatKeepsNothingIsRefused) {
  Prepared(R(11));
  EXPECT_EQ(protocol_->Commit(kTerm, R(11), Keep::kNothing).refusal, Refusal::kCutKeepsNothing);
}

TEST_F(ProtocolTest, R8_CommitOfWhatIsNotHeldIsAnErrorAndNeverSuccess) {
  EXPECT_EQ(protocol_->Commit(kTerm, R(11), Keep::kAll).refusal, Refusal::kRoundUnknown);
  Prepared(R(11));
  EXPECT_EQ(protocol_->Commit(kTerm, R(12), Keep::kAll).refusal, Refusal::kRoundUnknown);
  StartInDoubt(R(11), true);
  EXPECT_EQ(protocol_->Commit(kTerm, R(12), Keep::kAll).refusal, Refusal::kRoundUnknown);
}

TEST_F(ProtocolTest, R8_CommitOfARolledBackRoundStaysAnErrorAfterLaterRoundsAreApplied) {
  Prepared(R(11));
  RolledBack(R(11));
  EXPECT_EQ(protocol_->Commit(kTerm, R(11), Keep::kAll).refusal, Refusal::kRoundUnknown);
  Prepared(R(12));
  protocol_->Committed(R(12));
  EXPECT_EQ(protocol_->Commit(kTerm, R(11), Keep::kAll).refusal, Refusal::kRoundUnknown);
}

TEST_F(ProtocolTest, R8_CommitOfAnAppliedRoundIsOk) {
  Prepared(R(11));
  protocol_->Committed(R(11));
  EXPECT_EQ(protocol_->Commit(kTerm, R(11), Keep::kAll).action, Action::kAnswer);
  EXPECT_EQ(protocol_->Commit(kTerm, R(11), Keep::kPrefix).action, Action::kAnswer);
}

TEST_F(ProtocolTest, R8_EverythingIsRefusedBeforeTheScanHasEnded) {
  protocol_.emplace(false);
  EXPECT_EQ(RefusalOfPrepare(R(11)), Refusal::kRecovering);
  EXPECT_EQ(protocol_->Commit(kTerm, R(11), Keep::kAll).refusal, Refusal::kRecovering);
  EXPECT_EQ(protocol_->Rollback(kTerm, R(11)).refusal, Refusal::kRecovering);
  EXPECT_EQ(protocol_->Fence(kTerm, kRun, {11, 22}).refusal, Refusal::kRecovering);
  EXPECT_EQ(protocol_->Read(kTerm, RoundId()).refusal, Refusal::kRecovering);
  EXPECT_EQ(protocol_->ExecuteLocal().refusal, Refusal::kRecovering);
}

TEST_F(ProtocolTest, R8_CommitInDoubtIsFollowedByAnotherScan) {
  StartInDoubt(R(11), false);
  EXPECT_EQ(protocol_->Commit(kTerm, R(11), Keep::kAll).action, Action::kCommitInDoubt);
  protocol_->CommittedInDoubt(R(11));
  EXPECT_EQ(protocol_->Commit(kTerm, R(11), Keep::kAll).refusal, Refusal::kRecovering);
  Scan next = Clean();
  next.applied = R(11);
  next.in_doubt = {R(12), false};
  protocol_->Scanned(next);
  EXPECT_EQ(protocol_->Commit(kTerm, R(11), Keep::kAll).action, Action::kAnswer);
  EXPECT_EQ(protocol_->state().round, R(12));
}

TEST_F(ProtocolTest, R9_DurableMovesOnlyWithASyncThatStartedAfterTheCommit) {
  Prepared(R(11));
  protocol_->Committed(R(11));
  EXPECT_EQ(protocol_->state().durable, R(10));
  Prepared(R(12));  // its sync started after round 11 was applied
  EXPECT_EQ(protocol_->state().durable, R(11));
  protocol_->Committed(R(12));
  protocol_->Synced(R(11));
  EXPECT_EQ(protocol_->state().durable, R(11));
  protocol_->Synced(R(12));
  EXPECT_EQ(protocol_->state().durable, R(12));
}

TEST_F(ProtocolTest, R9_ARoundOfNothingButNoSyncsNothing) {
  Prepared(R(11));
  protocol_->Committed(R(11));
  protocol_->Voted(R(12), false);
  EXPECT_EQ(protocol_->state().durable, R(10));
}

TEST_F(ProtocolTest, R11_VotesAreRepeatedByTheProcessThatMadeThem) {
  Prepared(R(11));
  EXPECT_EQ(protocol_->Prepare(kTerm, R(11)).action, Action::kRepeatVotes);
}

TEST_F(ProtocolTest, R11_ARoundInDoubtGetsNoVotes) {
  for (bool has_record : {false, true}) {
    StartInDoubt(R(11), has_record);
    EXPECT_EQ(RefusalOfPrepare(R(11)), Refusal::kInDoubt);
    EXPECT_EQ(RefusalOfPrepare(R(12)), Refusal::kInDoubt);
  }
}

TEST_F(ProtocolTest, R14_ARoundOfNothingButNoHoldsNothingAndIsNotRunAgain) {
  protocol_->Voted(R(11), false);
  EXPECT_EQ(protocol_->state().phase, RoundPhase::kIdle);
  EXPECT_EQ(protocol_->Prepare(kTerm, R(11)).action, Action::kRepeatVotes);
  EXPECT_EQ(protocol_->Commit(kTerm, R(11), Keep::kAll).refusal, Refusal::kRoundUnknown);
  Prepared(R(12));
  EXPECT_EQ(RefusalOfPrepare(R(11)), Refusal::kHoldsAnotherRound);
  RolledBack(R(12));
  EXPECT_EQ(RefusalOfPrepare(R(11)), Refusal::kRoundFinished);
}

TEST_F(ProtocolTest, R21_AReadWaitsForItsRound) {
  EXPECT_EQ(protocol_->Read(kTerm, R(10)).action, Action::kAnswer);
  EXPECT_EQ(protocol_->Read(kTerm, R(11)).action, Action::kWait);
  EXPECT_EQ(protocol_->Read(kTerm, R(11, kTerm + 1)).refusal, Refusal::kRoundInvalid);
  StartInDoubt(R(11), true);
  EXPECT_EQ(protocol_->Read(kTerm, R(10)).action, Action::kAnswer);
  EXPECT_EQ(protocol_->Read(kTerm, R(11)).action, Action::kWait);
}

TEST_F(ProtocolTest, R22_NothingIsPreparedOrReadBeforeACoordinatorIntroducedItself) {
  Scan empty;
  Start(empty);
  EXPECT_EQ(RefusalOfPrepare(R(1)), Refusal::kNotFenced);
  EXPECT_EQ(protocol_->ExecuteLocal().refusal, Refusal::kNotIdentified);
  Fenced(*protocol_->Fence(kTerm, kRun, {11, 22}).persist_term, kRun);
  EXPECT_EQ(RefusalOfPrepare(R(1)), Refusal::kNotIdentified);
  EXPECT_EQ(protocol_->Read(kTerm, RoundId()).refusal, Refusal::kNotIdentified);
  protocol_->Identified(false);
  EXPECT_EQ(protocol_->ExecuteLocal().action, Action::kRunLocal);
  Prepared(R(1));
}

TEST_F(ProtocolTest, LocalTransactionsWaitForThePreparedRoundAndRunAloneOnAnUnreplicatedNode) {
  EXPECT_EQ(protocol_->ExecuteLocal().action, Action::kRunLocal);
  Prepared(R(11));
  EXPECT_EQ(protocol_->ExecuteLocal().action, Action::kWait);
  protocol_->Committed(R(11));
  EXPECT_EQ(protocol_->ExecuteLocal().action, Action::kRunLocal);
  protocol_->Identified(true);
  EXPECT_EQ(protocol_->ExecuteLocal().refusal, Refusal::kReplicated);
  StartInDoubt(R(12), true);
  EXPECT_EQ(protocol_->ExecuteLocal().refusal, Refusal::kInDoubt);
}

TEST_F(ProtocolTest, AStandaloneNodeRunsLocalTransactionsBeforeTheFirstFence) {
  Start(Scan(), /*standalone=*/true);
  EXPECT_EQ(protocol_->ExecuteLocal().action, Action::kRunLocal);
  protocol_->Identified(true);
  EXPECT_EQ(protocol_->ExecuteLocal().refusal, Refusal::kReplicated);
}

using ProtocolDeathTest = ProtocolTest;

TEST_F(ProtocolDeathTest, AStepThatWasNeverDueEndsTheProcess) {
  testing::FLAGS_gtest_death_test_style = "threadsafe";
  EXPECT_DEATH(protocol_->Committed(R(11)), "committed what was not held");
  EXPECT_DEATH(protocol_->Voted(R(10), true), "voted on a finished round");
  EXPECT_DEATH(protocol_->TermPersisted(kTerm - 1, kRun), "durable .R1.");
  EXPECT_DEATH(protocol_->TermPersisted(kTerm, kRun + 1), "a term belongs to one run .R22.");
  EXPECT_DEATH(protocol_->Synced(R(11)), "what is durable is applied");
  EXPECT_DEATH(protocol_->Scanned(Clean()), "a scan ended that nobody waited for");
  EXPECT_DEATH(protocol_->RedoPersisted(R(11)), "a cut of what does not wait");
  EXPECT_DEATH(protocol_->Forgotten(R(11)), "forgot what does not wait");
  Prepared(R(11));
  EXPECT_DEATH(protocol_->RedoPersisted(R(12)), "a cut of what was not held");
  EXPECT_DEATH(protocol_->Forgotten(R(12)), "forgot what was not held");
  protocol_->RedoPersisted(R(11));
  EXPECT_DEATH(protocol_->Forgotten(R(11)), "forgot what does not wait");
}

}  // namespace
}  // namespace lockstep::participant
