// What the engine makes of the files that a kill leaves, and finite cuts.
#include <gtest/gtest.h>

#include "participant/engine.h"
#include "tests/participant/engine_fixture.h"

namespace lockstep::participant {
namespace {

TEST_F(ParticipantEngineTest, AKilledNodeIsInDoubtAndServesReadsOnly) {
  node_->Prepare(Round(1), {Insert(1)});
  auto restarted = StartAfterKill();
  const NodeReport report = restarted->Report();
  ASSERT_TRUE(report.held.has_value());
  EXPECT_TRUE(report.held->in_doubt);
  EXPECT_TRUE(report.held->has_record);
  EXPECT_FALSE(report.ready);
  EXPECT_FALSE(report.serving);
  EXPECT_EQ(restarted->Read(kCount), "0");
  EXPECT_EQ(restarted->Prepare(Round(1), {Insert(1)}).reason(), Reason::kNotReady);
  EXPECT_EQ(restarted->Prepare(Round(2), {Insert(1)}).reason(), Reason::kNotReady);
  EXPECT_EQ(restarted->Execute(Insert(5))->reason(), Reason::kNotReady);
  EXPECT_TRUE(restarted->Fence(2).ok());
  EXPECT_TRUE(restarted->Report().held->in_doubt);
}

TEST_F(ParticipantEngineTest, ARoundInDoubtIsCommittedWhenItsCoordinatorSaysSo) {
  node_->Prepare(Round(1), {Insert(1), Insert(2)});
  auto restarted = StartAfterKill();
  EXPECT_TRUE(restarted->Commit(Round(1)).ok());
  EXPECT_EQ(restarted->Read(kCount), "2");
  EXPECT_EQ(restarted->Report().applied, Round(1));
  EXPECT_EQ(restarted->Report().durable, Round(1));
  EXPECT_TRUE(restarted->Report().ready);
  EXPECT_EQ(TestNode::Letters(restarted->Prepare(Round(2), {Insert(3)})), "Y");
  EXPECT_TRUE(restarted->Commit(Round(2)).ok());
  EXPECT_EQ(restarted->Read(kCount), "3");
}

TEST_F(ParticipantEngineTest, ARoundInDoubtIsRolledBackByALaterTerm) {
  node_->Prepare(Round(1), {Insert(1)});
  auto restarted = StartAfterKill();
  EXPECT_TRUE(restarted->Fence(2).ok());
  EXPECT_TRUE(restarted->Rollback(Round(1), 2).ok());
  EXPECT_EQ(restarted->Read(kCount), "0");
  EXPECT_TRUE(restarted->Report().ready);
  EXPECT_EQ(restarted->Commit(Round(1), std::nullopt, 2).reason(), Reason::kRoundUnknown);
  EXPECT_EQ(TestNode::Letters(restarted->Prepare(Round(1, 2), {Insert(9)})), "Y");
  EXPECT_TRUE(restarted->Commit(Round(1, 2)).ok());
  EXPECT_EQ(restarted->Read("SELECT k FROM t"), "9");
}

// Repeated by the network, long after: after the WAL that had the round was overwritten, and in
// another process too.
TEST_F(ParticipantEngineTest, R3_ARepeatedPrepareAndCommitOfARoundBeforeACheckpointChangeNothing) {
  EXPECT_EQ(TestNode::Letters(node_->Prepare(Round(1), {Insert(1)})), "Y");
  EXPECT_TRUE(node_->Commit(Round(1)).ok());
  // Enough for a checkpoint in a pause, after which the WAL starts over.
  ASSERT_TRUE(node_->Execute({"INSERT INTO t(v) VALUES(zeroblob(6000000))"})->ok());
  const int64_t before = node_->Report().wal_bytes;
  node_->clock().Advance(kCheckpointPause);
  node_->engine().Idle();
  EXPECT_TRUE(node_->Commit(Round(1)).ok()) << "it is told once more that it was committed";
  EXPECT_EQ(TestNode::Letters(node_->Prepare(Round(2), {Insert(7)})), "Y");
  EXPECT_LT(node_->Report().wal_bytes, before);
  EXPECT_TRUE(node_->Commit(Round(2)).ok());
  auto restarted = StartAfterKill();
  for (TestNode* node : {node_.get(), restarted.get()}) {
    EXPECT_EQ(node->Prepare(Round(1), {Insert(3)}).reason(), Reason::kRoundUnknown);
    EXPECT_TRUE(node->Commit(Round(1)).ok());
    EXPECT_EQ(node->Report().applied, Round(2));
    EXPECT_FALSE(node->Report().held.has_value());
    EXPECT_EQ(node->Read(kCount), "3");
  }
}

TEST_F(ParticipantEngineTest, R7_ACutKeepsExactlyThePrefixAndIsDurableWhenAnswered) {
  EXPECT_EQ(TestNode::Letters(node_->Prepare(
                Round(1), {Insert(1), {"INSERT INTO nowhere VALUES(1)"}, Insert(3), Insert(4)})),
            "YNYY");
  EXPECT_TRUE(node_->Commit(Round(1), 3).ok());
  EXPECT_EQ(node_->Read("SELECT group_concat(k) FROM t"), "1,3");
  EXPECT_EQ(node_->Report().applied, Round(1));
  EXPECT_EQ(node_->Report().durable, Round(1));
  EXPECT_TRUE(node_->Commit(Round(1), 3).ok());
  EXPECT_EQ(TestNode::Letters(node_->Prepare(Round(2), {Insert(4)})), "Y");
}

TEST_F(ParticipantEngineTest, R7_ACutOfARoundInDoubtRunsFromItsRecord) {
  node_->Prepare(Round(1), {{"INSERT INTO t VALUES(1, random())"}, Insert(2), Insert(3)});
  auto restarted = StartAfterKill();
  EXPECT_TRUE(restarted->Commit(Round(1), 1).ok());
  EXPECT_EQ(restarted->Read(kCount), "1");
  // The same random number as another process draws for the whole round.
  EXPECT_TRUE(node_->Commit(Round(1)).ok());
  EXPECT_EQ(restarted->Read("SELECT v FROM t WHERE k = 1"),
            node_->Read("SELECT v FROM t WHERE k = 1"));
}

TEST_F(ParticipantEngineTest, ACutBeyondTheLastYesKeepsAllAndOneBeforeTheFirstIsRefused) {
  node_->Prepare(Round(1), {{"INSERT INTO nowhere VALUES(1)"}, Insert(2)});
  EXPECT_EQ(node_->Commit(Round(1), 1).reason(), Reason::kRequestInvalid);
  EXPECT_TRUE(node_->Commit(Round(1), 2).ok());
  EXPECT_EQ(node_->Read(kCount), "1");
}

TEST_F(ParticipantEngineTest, R7_ARedoBlockLeftByACrashIsFinishedAlone) {
  node_->Prepare(Round(1), {Insert(1), Insert(2)});
  // The crash comes between the redo block and its re-execution.
  TestDirectory copy;
  node_->CopyFilesTo(copy.path());
  {
    EngineOptions options = TestOptions(copy.path());
    auto store = PrepareStore::Open(options.store);
    ASSERT_TRUE(store.ok()) << store.status();
    auto body = RoundBody::Parse((*store)->held()->record);
    ASSERT_TRUE(body.ok());
    ASSERT_TRUE((*store)->WriteRedo(Round(1), body->Kept(1)).ok());
  }
  TestNode restarted(TestOptions(copy.path()));
  ASSERT_TRUE(restarted.Open().ok());
  EXPECT_FALSE(restarted.Report().ready);
  EXPECT_EQ(restarted.engine().NextWake(), absl::ZeroDuration());
  // Refused, and the wait for the next message is used.
  EXPECT_EQ(restarted.Rollback(Round(1)).reason(), Reason::kRoundUnknown);
  EXPECT_EQ(restarted.Report().applied, Round(1));
  EXPECT_EQ(restarted.Report().durable, Round(1));
  EXPECT_EQ(restarted.Read("SELECT group_concat(k) FROM t"), "1");
  EXPECT_TRUE(restarted.Commit(Round(1), 1).ok());
}

}  // namespace
}  // namespace lockstep::participant
