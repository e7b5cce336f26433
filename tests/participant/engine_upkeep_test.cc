// Syncs, checkpoints, the stop, and queries that wait.
#include <gtest/gtest.h>

#include <future>

#include "participant/engine.h"
#include "tests/participant/engine_fixture.h"

namespace lockstep::participant {
namespace {

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
