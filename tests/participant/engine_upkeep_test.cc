// Syncs, checkpoints, the stop, and queries that wait.
#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <future>
#include <thread>

#include "participant/engine.h"
#include "tests/participant/engine_fixture.h"

namespace lockstep::participant {
namespace {

TEST_F(ParticipantEngineTest, R9_TheLastCommitIsSyncedWhenTheNodeIsIdle) {
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

TEST_F(ParticipantEngineTest, R9_TheNextPrepareMakesTheCommitBeforeItDurable) {
  node_->Prepare(Round(1), {Insert(1)});
  node_->Commit(Round(1));
  node_->Prepare(Round(2), {Insert(2)});
  EXPECT_EQ(node_->Report().durable, Round(1));
}

TEST_F(ParticipantEngineTest, AnOrderlyStopSyncsAndKeepsWhatIsPrepared) {
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

TEST_F(ParticipantEngineTest, AGrownWalIsCheckpointedInAPause) {
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

TEST_F(ParticipantEngineTest, R21_AQueryWaitsForItsVersionAndIsWokenByTheCommit) {
  std::promise<Result<QueryRows>> promise;
  QueryCall call;
  call.select.sql = kCount;
  call.least_round = Round(1);
  call.timeout = absl::Seconds(30);
  node_->readers().Submit(
      std::move(call), Asker::kClient, nullptr,
      [&promise](Result<QueryRows> rows) { promise.set_value(std::move(rows)); });
  node_->Prepare(Round(1), {Insert(1)});
  node_->Commit(Round(1));
  const Result<QueryRows> rows = promise.get_future().get();
  ASSERT_TRUE(rows.ok());
  EXPECT_EQ(rows.value().round, Round(1));
  EXPECT_EQ(std::get<int64_t>(rows.value().rows[0][0]), 1);
}

TEST_F(ParticipantEngineTest, R21_AQueryForARoundThatDoesNotComeTimesOut) {
  const Result<QueryRows> rows = node_->Query(kCount, Round(7), absl::Milliseconds(30));
  ASSERT_FALSE(rows.ok());
  EXPECT_EQ(rows.error().reason, Reason::kTimeout);
}

TEST_F(ParticipantEngineTest, AQueryThatRunsWhileTheFilesAreOpenedAnewIsRepeated) {
  node_->Prepare(Round(1), {Insert(1)});
  auto restarted = StartAfterKill();
  std::promise<Result<QueryRows>> promise;
  QueryCall call;
  call.select.sql =
      "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 3000000) "
      "SELECT (SELECT count(*) FROM t), max(i) FROM n";
  call.timeout = absl::Seconds(60);
  restarted->readers().Submit(
      std::move(call), Asker::kClient, nullptr,
      [&promise](Result<QueryRows> rows) { promise.set_value(std::move(rows)); });
  EXPECT_TRUE(restarted->Commit(Round(1)).ok());
  const Result<QueryRows> rows = promise.get_future().get();
  ASSERT_TRUE(rows.ok()) << rows.error().message;
  EXPECT_EQ(std::get<int64_t>(rows.value().rows[0][1]), 3000000);
}

constexpr char kEndless[] =
    "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT count(*) FROM n";

class WalBoundTest : public testing::Test {
 protected:
  WalBoundTest() {
    EngineOptions options = TestOptions(directory_.path());
    options.wal_limit_bytes = kLimit;
    node_ = StartNode(options);
  }
  ~WalBoundTest() override {
    go_on_ = false;
    node_.reset();  // every query is answered by then
  }

  // Each query is asked again as soon as it is answered.
  void KeepReading(const std::string& sql) {
    QueryCall call;
    call.select.sql = sql;
    call.timeout = absl::Seconds(60);
    node_->readers().Submit(std::move(call), Asker::kClient, nullptr,
                            [this, sql](Result<QueryRows> rows) {
                              answered_ += rows.ok() ? 1 : 0;
                              if (go_on_) KeepReading(sql);
                            });
  }
  std::future<Result<QueryRows>> Ask(const std::string& sql) {
    auto promise = std::make_shared<std::promise<Result<QueryRows>>>();
    QueryCall call;
    call.select.sql = sql;
    call.timeout = absl::Seconds(60);
    node_->readers().Submit(
        std::move(call), Asker::kClient, nullptr,
        [promise](Result<QueryRows> rows) { promise->set_value(std::move(rows)); });
    return promise->get_future();
  }
  void Write() {
    // Other bytes each time: SQLite does not write what stays.
    ASSERT_TRUE(node_->Execute({"REPLACE INTO t VALUES(1, randomblob(400000))"})->ok());
  }
  void WriteUntilReadersAreHeld() {
    while (node_->Report().wal_bytes < kLimit) Write();
    ASSERT_EQ(node_->engine().NextWake(), kDrainLook);
  }

  static constexpr int64_t kLimit = int64_t{6} << 20;
  TestDirectory directory_;
  std::unique_ptr<TestNode> node_;
  std::atomic<bool> go_on_{true};
  std::atomic<int> answered_{0};
};

TEST_F(WalBoundTest, P7_QueriesThatOverlapForEverDoNotKeepTheWalFromStartingOver) {
  // Some tens of milliseconds each, so that there is always one.
  const std::string sql =
      "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 200000) "
      "SELECT max(i), (SELECT count(*) FROM t) FROM n";
  KeepReading(sql);
  KeepReading(sql);
  int64_t written = 0;
  int64_t largest = 0;
  int64_t before = 0;
  int restarts = 0;
  while (written < 5 * kLimit) {
    while (node_->engine().NextWake() == kDrainLook) node_->engine().Idle();
    Write();
    written += 400'000;
    const int64_t now = node_->Report().wal_bytes;
    restarts += now < before ? 1 : 0;
    before = now;
    largest = std::max(largest, now);
  }
  EXPECT_LT(largest, kLimit + kLimit / 4);
  EXPECT_GE(restarts, 1);
  EXPECT_GT(answered_, 0);
}

TEST_F(WalBoundTest, P7_AQueryThatDoesNotEndIsInterruptedAndBeginsAgain) {
  std::future<Result<QueryRows>> endless = Ask(kEndless);
  while (node_->readers().idle()) std::this_thread::yield();
  WriteUntilReadersAreHeld();
  node_->clock().Advance(kDrainReaders);
  while (node_->engine().NextWake() == kDrainLook) node_->engine().Idle();
  Write();
  EXPECT_LT(node_->Report().wal_bytes, kLimit / 2);
  while (node_->readers().idle()) std::this_thread::yield();
  node_.reset();
  EXPECT_EQ(endless.get().error().reason, Reason::kShuttingDown);
}

TEST_F(WalBoundTest, QueriesAreNotHeldForALongPreparedRound) {
  std::future<Result<QueryRows>> endless = Ask(kEndless);
  while (node_->readers().idle()) std::this_thread::yield();
  WriteUntilReadersAreHeld();
  std::future<Result<QueryRows>> held = Ask(kCount);
  node_->Prepare(Round(1), {Insert(2)});
  EXPECT_EQ(node_->engine().NextWake(), kDrainReaders);
  node_->clock().Advance(kDrainReaders);
  node_->engine().Idle();
  ASSERT_EQ(held.wait_for(std::chrono::seconds(20)), std::future_status::ready);
  EXPECT_TRUE(held.get().ok());
}

TEST_F(ParticipantEngineTest, HealthRunsAStatementWhilePreparedToo) {
  Answer<Ok> alive;
  node_->Prepare(Round(1), {Insert(1)});
  node_->Handle(HealthMessage{alive.Taker()});
  EXPECT_TRUE(alive.ok());
}

}  // namespace
}  // namespace lockstep::participant
