// The engine on a real store: rounds, crashes, the handshake and local transactions.
#include "participant/engine.h"

#include <gtest/gtest.h>

#include <future>

#include "tests/participant/test_node.h"

namespace lockstep::participant {
namespace {

constexpr char kCount[] = "SELECT count(*) FROM t";
constexpr char kSum[] = "SELECT sum(v) FROM t";

Sql Insert(int key, int value = 1) {
  return {"INSERT INTO t VALUES(" + std::to_string(key) + "," + std::to_string(value) + ")"};
}

class EngineTest : public testing::Test {
 protected:
  EngineTest() : options_(TestOptions(directory_.path())), node_(StartNode(options_)) {}

  // What a kill leaves now, started again. The first process lives on beside it, on its own files.
  std::unique_ptr<TestNode> StartAfterKill() {
    copies_.push_back(std::make_unique<TestDirectory>());
    node_->CopyFilesTo(copies_.back()->path());
    auto node = std::make_unique<TestNode>(TestOptions(copies_.back()->path()));
    const absl::Status opened = node->Open();
    EXPECT_TRUE(opened.ok()) << opened;
    return node;
  }

  TestDirectory directory_;
  std::vector<std::unique_ptr<TestDirectory>> copies_;
  EngineOptions options_;
  std::unique_ptr<TestNode> node_;
};

TEST_F(EngineTest, APreparedRoundIsInvisibleUntilItsCommit) {
  EXPECT_EQ(TestNode::Letters(node_->Prepare(Round(1), {Insert(1), Insert(2)})), "YY");
  EXPECT_EQ(node_->Read(kCount), "0");
  EXPECT_EQ(node_->Report().held->round, Round(1));
  EXPECT_TRUE(node_->Commit(Round(1)).ok());
  EXPECT_EQ(node_->Read(kCount), "2");
  EXPECT_EQ(node_->Report().applied, Round(1));
  EXPECT_FALSE(node_->Report().held.has_value());
}

TEST_F(EngineTest, EachBranchHasItsOwnVoteAndANoLeavesNothing) {
  const Answer<Votes> votes = node_->Prepare(
      Round(1), {Insert(1), {"INSERT INTO t VALUES(2,2)", "INSERT INTO t VALUES(1,0)"}, Insert(3)});
  EXPECT_EQ(TestNode::Letters(votes), "YNY");
  EXPECT_EQ((*votes.result->value().votes)[1].error->reason, Reason::kConstraintViolation);
  EXPECT_TRUE(node_->Commit(Round(1)).ok());
  EXPECT_EQ(node_->Read("SELECT group_concat(k) FROM t"), "1,3");
}

TEST_F(EngineTest, R11_ARepeatedPrepareGetsTheSameVotesAndRunsNothing) {
  const Answer<Votes> first = node_->Prepare(Round(1), {Insert(1)});
  const Answer<Votes> second = node_->Prepare(Round(1), {Insert(1)});
  ASSERT_TRUE(second.ok());
  EXPECT_EQ((*second.result->value().votes)[0].digest, (*first.result->value().votes)[0].digest);
  EXPECT_TRUE(node_->Commit(Round(1)).ok());
  EXPECT_EQ(node_->Read(kCount), "1");
}

TEST_F(EngineTest, R14_ARoundOfNothingButNoHoldsNothing) {
  EXPECT_EQ(TestNode::Letters(node_->Prepare(Round(1), {{"INSERT INTO nowhere VALUES(1)"}})), "N");
  EXPECT_FALSE(node_->Report().held.has_value());
  EXPECT_EQ(TestNode::Letters(node_->Prepare(Round(1), {Insert(1)})), "N");
  EXPECT_EQ(node_->Commit(Round(1)).reason(), Reason::kRoundUnknown);
  EXPECT_EQ(TestNode::Letters(node_->Prepare(Round(2), {Insert(1)})), "Y");
}

TEST_F(EngineTest, R3_RollbackThatOvertookItsPrepareHoldsAfterARestartToo) {
  EXPECT_TRUE(node_->Rollback(Round(3)).ok());
  EXPECT_EQ(node_->Prepare(Round(3), {Insert(1)}).reason(), Reason::kRoundUnknown);
  auto restarted = StartAfterKill();
  EXPECT_EQ(restarted->Prepare(Round(3), {Insert(1)}).reason(), Reason::kRoundUnknown);
  EXPECT_EQ(TestNode::Letters(restarted->Prepare(Round(4), {Insert(1)})), "Y");
}

TEST_F(EngineTest, RollbackDropsThePreparedRoundAndTheNextOneFollows) {
  node_->Prepare(Round(1), {Insert(1)});
  EXPECT_TRUE(node_->Rollback(Round(1)).ok());
  EXPECT_TRUE(node_->Rollback(Round(1)).ok());
  EXPECT_EQ(node_->Commit(Round(1)).reason(), Reason::kRoundUnknown);
  EXPECT_EQ(TestNode::Letters(node_->Prepare(Round(2), {Insert(1, 7)})), "Y");
  EXPECT_TRUE(node_->Commit(Round(2)).ok());
  EXPECT_EQ(node_->Read(kSum), "7");
}

TEST_F(EngineTest, R8_CommitOfWhatIsNotHeldIsAnError) {
  EXPECT_EQ(node_->Commit(Round(1)).reason(), Reason::kRoundUnknown);
  node_->Prepare(Round(1), {Insert(1)});
  EXPECT_EQ(node_->Commit(Round(2)).reason(), Reason::kRoundUnknown);
  EXPECT_TRUE(node_->Commit(Round(1)).ok());
  EXPECT_TRUE(node_->Commit(Round(1)).ok());
}

TEST_F(EngineTest, AKilledNodeIsInDoubtAndServesReadsOnly) {
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

TEST_F(EngineTest, ARoundInDoubtIsCommittedWhenItsCoordinatorSaysSo) {
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

TEST_F(EngineTest, ARoundInDoubtIsRolledBackByALaterTerm) {
  node_->Prepare(Round(1), {Insert(1)});
  auto restarted = StartAfterKill();
  EXPECT_TRUE(restarted->Rollback(Round(1), 2).ok());
  EXPECT_EQ(restarted->Read(kCount), "0");
  EXPECT_TRUE(restarted->Report().ready);
  EXPECT_EQ(restarted->Commit(Round(1), std::nullopt, 2).reason(), Reason::kRoundUnknown);
  EXPECT_EQ(TestNode::Letters(restarted->Prepare(Round(1, 2), {Insert(9)})), "Y");
  EXPECT_TRUE(restarted->Commit(Round(1, 2)).ok());
  EXPECT_EQ(restarted->Read("SELECT k FROM t"), "9");
}

TEST_F(EngineTest, R7_ACutKeepsExactlyThePrefixAndIsDurableWhenAnswered) {
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

TEST_F(EngineTest, R7_ACutOfARoundInDoubtRunsFromItsRecord) {
  node_->Prepare(Round(1), {{"INSERT INTO t VALUES(1, random())"}, Insert(2), Insert(3)});
  auto restarted = StartAfterKill();
  EXPECT_TRUE(restarted->Commit(Round(1), 1).ok());
  EXPECT_EQ(restarted->Read(kCount), "1");
  // The same random number as another process draws for the whole round.
  EXPECT_TRUE(node_->Commit(Round(1)).ok());
  EXPECT_EQ(restarted->Read("SELECT v FROM t WHERE k = 1"),
            node_->Read("SELECT v FROM t WHERE k = 1"));
}

TEST_F(EngineTest, ACutBeyondTheLastYesIsNoCutAndOneBeforeTheFirstIsRefused) {
  node_->Prepare(Round(1), {{"INSERT INTO nowhere VALUES(1)"}, Insert(2)});
  EXPECT_EQ(node_->Commit(Round(1), 1).reason(), Reason::kRequestInvalid);
  EXPECT_TRUE(node_->Commit(Round(1), 2).ok());
  EXPECT_LT(node_->Report().durable, Round(1));  // no sync of its own: it was not re-executed
  EXPECT_EQ(node_->Read(kCount), "1");
}

TEST_F(EngineTest, R7_ARedoBlockLeftByACrashIsFinishedAlone) {
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

// SQLite gives the whole transaction up when a statement that writes is interrupted.
class LostTransactionTest : public testing::Test {
 protected:
  static EngineOptions Options(const std::string& directory) {
    EngineOptions options = TestOptions(directory);
    options.execution.max_changed_bytes = int64_t{4} << 20;
    return options;
  }
  // Never ends by itself.
  const Sql destroyer_ = {
      "INSERT INTO t(v) WITH RECURSIVE n(i) AS "
      "(SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT i FROM n"};
  TestDirectory directory_;
  std::unique_ptr<TestNode> node_ = StartNode(Options(directory_.path()));
};

TEST_F(LostTransactionTest, ABranchThatDestroysTheTransactionCostsOnlyItself) {
  const Answer<Votes> votes = node_->Prepare(Round(1), {Insert(1), destroyer_, Insert(3)});
  ASSERT_EQ(TestNode::Letters(votes), "YNY");
  EXPECT_EQ((*votes.result->value().votes)[1].error->reason, Reason::kLimitExceeded);
  EXPECT_TRUE(node_->Commit(Round(1)).ok());
  EXPECT_EQ(node_->Read("SELECT group_concat(k) FROM t"), "1,3");
}

TEST_F(LostTransactionTest, TheSecondLossDefersTheRest) {
  const Answer<Votes> votes =
      node_->Prepare(Round(1), {Insert(1), destroyer_, Insert(3), destroyer_, Insert(5)});
  EXPECT_EQ(TestNode::Letters(votes), "YNYND");
  EXPECT_TRUE(node_->Commit(Round(1)).ok());
  EXPECT_EQ(node_->Read("SELECT group_concat(k) FROM t"), "1,3");
}

TEST_F(LostTransactionTest, ALocalTransactionThatDestroysTheSharedOneFailsAlone) {
  const auto answers = node_->ExecuteAll({Insert(1), destroyer_, Insert(3), destroyer_});
  EXPECT_TRUE(answers[0]->ok());
  EXPECT_EQ(answers[1]->reason(), Reason::kLimitExceeded);
  EXPECT_TRUE(answers[2]->ok());
  EXPECT_EQ(answers[3]->reason(), Reason::kLimitExceeded);
  EXPECT_EQ(node_->Read("SELECT group_concat(k) FROM t"), "1,3");
}

TEST(EngineLimitsTest, WhatTheRecordHasNoRoomForIsDeferredAndRefusedIfItNeverFits) {
  TestDirectory directory;
  EngineOptions options = TestOptions(directory.path());
  options.execution.max_sql_bytes = int64_t{4} << 20;
  auto node = StartNode(options);
  const std::string large(400'000, 'x');
  const std::string huge(2'000'000, 'x');
  const auto insert = [](const std::string& text) {
    return Sql{"INSERT INTO t(v) VALUES('" + text + "')"};
  };
  EXPECT_EQ(TestNode::Letters(node->Prepare(
                Round(1), {insert(large), insert(large), insert(large), insert("small")})),
            "YYDD");
  EXPECT_TRUE(node->Rollback(Round(1)).ok());
  const Answer<Votes> votes = node->Prepare(Round(2), {insert("a"), insert(huge), insert("b")});
  EXPECT_EQ(TestNode::Letters(votes), "YNY");
  EXPECT_EQ((*votes.result->value().votes)[1].error->reason, Reason::kLimitExceeded);
}

TEST(EngineLimitsTest, RowsBeyondTheRoundsLimitDeferTheRest) {
  TestDirectory directory;
  EngineOptions options = TestOptions(directory.path());
  options.round.answer_bytes = 1000;
  auto node = StartNode(options);
  const Sql rows = {"SELECT hex(zeroblob(400))"};
  EXPECT_EQ(TestNode::Letters(node->Prepare(Round(1), {rows, rows, rows})), "YYD");
}

TEST_F(EngineTest, R1_ATermIsDurableAndOlderOnesAreRefused) {
  EXPECT_TRUE(node_->Fence(5).ok());
  EXPECT_EQ(node_->Fence(4).reason(), Reason::kTermOutdated);
  EXPECT_EQ(node_->Prepare(Round(1, 4), {Insert(1)}).reason(), Reason::kTermOutdated);
  auto restarted = StartAfterKill();
  EXPECT_EQ(restarted->Report().term, 5u);
  EXPECT_EQ(restarted->Fence(4).reason(), Reason::kTermOutdated);
}

TEST_F(EngineTest, R1_ANewTermIsTakenWhileARoundIsPrepared) {
  node_->Prepare(Round(1), {Insert(1)});
  EXPECT_TRUE(node_->Fence(2).ok());
  auto restarted = StartAfterKill();
  EXPECT_EQ(restarted->Report().term, 2u);
  EXPECT_EQ(restarted->Report().held->round, Round(1));
  EXPECT_TRUE(restarted->Commit(Round(1), std::nullopt, 2).ok());
  EXPECT_EQ(restarted->Read(kCount), "1");
}

TEST_F(EngineTest, R22_AnotherLogOrAnotherShapeOfTheDatabaseIsRefusedAndItsTermNotObeyed) {
  EXPECT_EQ(node_->Fence(9, 1, "another log").reason(), Reason::kRequestInvalid);
  EXPECT_EQ(node_->Report().term, 1u);
  node_->Prepare(Round(1), {Insert(1)});
  node_->Commit(Round(1));
  EXPECT_EQ(node_->Fence(9, 2).reason(), Reason::kRequestInvalid);
  auto restarted = StartAfterKill();
  const Answer<Ok> refused = restarted->Fence(9, 1, "another log");
  ASSERT_EQ(refused.reason(), Reason::kRequestInvalid);
  EXPECT_EQ(refused.result->error().field, "log_id");
  EXPECT_NE(refused.result->error().message.find("another log"), std::string::npos);
  EXPECT_NE(refused.result->error().message.find("log-1"), std::string::npos);
  EXPECT_TRUE(restarted->Fence(9).ok());
}

TEST(EngineStartTest, ANodeThatNobodyFencedTakesNoTransactions) {
  TestDirectory directory;
  TestNode node(TestOptions(directory.path()));
  ASSERT_TRUE(node.Open().ok());
  EXPECT_FALSE(node.Report().ready);
  EXPECT_TRUE(node.Report().serving);
  EXPECT_EQ(node.Execute({"CREATE TABLE t(k)"})->reason(), Reason::kNotReady);
  EXPECT_EQ(node.Prepare(Round(1), {{"CREATE TABLE t(k)"}}).reason(), Reason::kNotReady);
  EXPECT_TRUE(node.Fence().ok());
  EXPECT_TRUE(node.Report().ready);
  EXPECT_TRUE(node.Execute({"CREATE TABLE t(k)"})->ok());
}

TEST(EngineStartTest, AStandaloneNodeRunsLocalTransactionsAtOnceUntilItHasReplicas) {
  TestDirectory directory;
  EngineOptions options = TestOptions(directory.path());
  options.standalone = true;
  TestNode node(options);
  ASSERT_TRUE(node.Open().ok());
  EXPECT_TRUE(node.Execute({"CREATE TABLE t(k)"})->ok());
  EXPECT_TRUE(node.Fence(1, 2).ok());
  EXPECT_EQ(node.Execute({"INSERT INTO t VALUES(1)"})->reason(), Reason::kNodeIsReplicated);
}

TEST(EngineStartTest, AVolumeOfAnotherNodeIsRefusedWithBothNames) {
  TestDirectory directory;
  { StartNode(TestOptions(directory.path())); }
  EngineOptions options = TestOptions(directory.path());
  options.name.node_id = options.store.node_id = "node-2";
  TestNode other(options);
  const absl::Status refused = other.Open();
  EXPECT_NE(std::string(refused.message()).find("node-1"), std::string::npos) << refused;
  EXPECT_NE(std::string(refused.message()).find("node-2"), std::string::npos) << refused;
}

TEST_F(EngineTest, ALocalTransactionWaitsForThePreparedRoundAndRunsRightAfterIt) {
  node_->Prepare(Round(1), {Insert(1)});
  const auto answer = node_->Execute(Insert(2));
  EXPECT_FALSE(answer->result.has_value());
  EXPECT_TRUE(node_->Commit(Round(1)).ok());
  EXPECT_TRUE(answer->ok());
  EXPECT_EQ(node_->Read(kCount), "2");
  EXPECT_EQ(node_->Report().applied, Round(1));
}

TEST_F(EngineTest, ALocalTransactionWhoseTimeEndsWhileItWaitsWasNotStarted) {
  node_->Prepare(Round(1), {Insert(1)});
  const auto answer = node_->Execute(Insert(2), absl::Seconds(3));
  EXPECT_EQ(node_->engine().NextWake(), absl::Seconds(3));
  node_->clock().Advance(absl::Seconds(3));
  node_->engine().Idle();
  ASSERT_EQ(answer->reason(), Reason::kTimeout);
  EXPECT_EQ(answer->result->error().outcome, FailureOutcome::kNotStarted);
  EXPECT_TRUE(node_->Commit(Round(1)).ok());
  EXPECT_EQ(node_->Read(kCount), "1");
}

TEST_F(EngineTest, LocalTransactionsThatWaitTogetherShareOneSync) {
  const int64_t before = node_->Report().syncs;
  const auto answers = node_->ExecuteAll({Insert(1), Insert(2), Insert(2), Insert(3)});
  EXPECT_TRUE(answers[0]->ok());
  EXPECT_TRUE(answers[1]->ok());
  ASSERT_EQ(answers[2]->reason(), Reason::kConstraintViolation);
  EXPECT_EQ(answers[2]->result->error().outcome, FailureOutcome::kAborted);
  EXPECT_TRUE(answers[3]->ok());
  EXPECT_EQ(node_->Read(kCount), "3");
  EXPECT_EQ(node_->Report().syncs, before + 1);
}

TEST_F(EngineTest, ALocalTransactionIsDurableWhenAnswered) {
  EXPECT_TRUE(node_->Execute(Insert(1))->ok());
  EXPECT_EQ(StartAfterKill()->Read(kCount), "1");
}

TEST_F(EngineTest, R9_TheLastCommitIsSyncedWhenTheNodeIsIdle) {
  node_->Prepare(Round(1), {Insert(1)});
  node_->Commit(Round(1));
  EXPECT_LT(node_->Report().durable, Round(1));
  EXPECT_EQ(node_->engine().NextWake(), kIdleSyncAfter);
  node_->engine().Idle();
  EXPECT_LT(node_->Report().durable, Round(1));
  node_->clock().Advance(kIdleSyncAfter);
  node_->engine().Idle();
  EXPECT_EQ(node_->Report().durable, Round(1));
  EXPECT_EQ(node_->engine().NextWake(), absl::InfiniteDuration());
}

TEST_F(EngineTest, R9_TheNextPrepareMakesTheCommitBeforeItDurable) {
  node_->Prepare(Round(1), {Insert(1)});
  node_->Commit(Round(1));
  node_->Prepare(Round(2), {Insert(2)});
  EXPECT_EQ(node_->Report().durable, Round(1));
}

TEST_F(EngineTest, AnOrderlyStopSyncsAndKeepsWhatIsPrepared) {
  node_->Prepare(Round(1), {Insert(1)});
  node_->Commit(Round(1));
  node_->Prepare(Round(2), {Insert(2)});
  node_.reset();
  TestNode restarted(options_);
  ASSERT_TRUE(restarted.Open().ok());
  EXPECT_EQ(restarted.Report().applied, Round(1));
  EXPECT_EQ(restarted.Report().held->round, Round(2));
  EXPECT_TRUE(restarted.Commit(Round(2)).ok());
  EXPECT_EQ(restarted.Read(kCount), "2");
}

TEST_F(EngineTest, AGrownWalIsCheckpointedInAPause) {
  const std::string large(1'000'000, 'x');
  for (int i = 1; i <= 6; ++i) {
    ASSERT_TRUE(node_
                    ->Execute({"INSERT INTO t(v) VALUES('" + large.substr(0, 90'000) + "')",
                               "INSERT INTO t(v) VALUES(zeroblob(1000000))"})
                    ->ok());
  }
  node_->clock().Advance(kCheckpointPause);
  node_->engine().Idle();
  EXPECT_EQ(node_->Report().wal_bytes < kCheckpointInPauseBytes ||
                node_->engine().NextWake() == absl::InfiniteDuration(),
            true);
  // The WAL starts over: it does not grow with what is written.
  ASSERT_TRUE(node_->Execute(Insert(100))->ok());
  EXPECT_LT(node_->Report().wal_bytes, int64_t{1} << 20);
}

TEST_F(EngineTest, R21_AQueryWaitsForItsVersionAndIsWokenByTheCommit) {
  std::promise<Result<QueryRows>> promise;
  QueryCall call;
  call.select.sql = kCount;
  call.least_round = Round(1);
  call.timeout = absl::Seconds(30);
  node_->readers().Submit(
      std::move(call), [&promise](Result<QueryRows> rows) { promise.set_value(std::move(rows)); });
  node_->Prepare(Round(1), {Insert(1)});
  node_->Commit(Round(1));
  const Result<QueryRows> rows = promise.get_future().get();
  ASSERT_TRUE(rows.ok());
  EXPECT_EQ(rows.value().round, Round(1));
  EXPECT_EQ(std::get<int64_t>(rows.value().rows[0][0]), 1);
}

TEST_F(EngineTest, R21_AQueryForARoundThatDoesNotComeTimesOut) {
  const Result<QueryRows> rows = node_->Query(kCount, Round(7), absl::Milliseconds(30));
  ASSERT_FALSE(rows.ok());
  EXPECT_EQ(rows.error().reason, Reason::kTimeout);
}

TEST_F(EngineTest, AQueryThatRunsWhileTheFilesAreOpenedAnewIsRepeated) {
  node_->Prepare(Round(1), {Insert(1)});
  auto restarted = StartAfterKill();
  std::promise<Result<QueryRows>> promise;
  QueryCall call;
  call.select.sql =
      "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 3000000) "
      "SELECT (SELECT count(*) FROM t), max(i) FROM n";
  call.timeout = absl::Seconds(60);
  restarted->readers().Submit(
      std::move(call), [&promise](Result<QueryRows> rows) { promise.set_value(std::move(rows)); });
  EXPECT_TRUE(restarted->Commit(Round(1)).ok());
  const Result<QueryRows> rows = promise.get_future().get();
  ASSERT_TRUE(rows.ok()) << rows.error().message;
  EXPECT_EQ(std::get<int64_t>(rows.value().rows[0][1]), 3000000);
}

TEST_F(EngineTest, HealthRunsAStatementWhilePreparedToo) {
  Answer<Ok> alive;
  node_->Prepare(Round(1), {Insert(1)});
  node_->Handle(HealthMessage{alive.Taker()});
  EXPECT_TRUE(alive.ok());
}

}  // namespace
}  // namespace lockstep::participant
