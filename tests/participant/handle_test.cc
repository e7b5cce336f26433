// A whole participant behind its handle, with its own threads.
#include "participant/handle.h"

#include <gtest/gtest.h>

#include <atomic>
#include <future>
#include <thread>

#include "common/rpc/convert.h"
#include "lockstep/v1/two_phase_commit.pb.h"
#include "participant/participant.h"
#include "tests/participant/test_node.h"

namespace lockstep::participant {
namespace {

template <typename T>
struct Waiter {
  std::promise<Result<T>> promise;
  Done<T> Taker() {
    return [this](Result<T> its) { promise.set_value(std::move(its)); };
  }
  Result<T> Get() { return promise.get_future().get(); }
};

LocalCall Statements(const Sql& sql) {
  LocalCall call;
  for (const std::string& text : sql) call.statements.push_back({text, {}, {}});
  call.timeout = absl::Seconds(30);
  return call;
}

// Keeps the actor at work until its budget ends.
const Sql kLong = {
    "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) "
    "SELECT count(*) FROM n"};

class HandleTest : public testing::Test {
 protected:
  HandleTest() {
    options_.engine = TestOptions(directory_.path());
    options_.engine.standalone = true;
    options_.engine.execution.statement_budget = absl::Milliseconds(400);
    options_.client_places = 4;
    options_.coordinator_places = 4;
    Start();
  }
  void Start() {
    auto started = Participant::Start(options_, &clock_);
    ASSERT_TRUE(started.ok()) << started.status();
    participant_ = *std::move(started);
  }
  Result<std::vector<StatementResult>> Execute(const Sql& sql) {
    Waiter<std::vector<StatementResult>> waiter;
    participant_->handle().Execute(Statements(sql), waiter.Taker());
    return waiter.Get();
  }
  FenceCall FenceOf(Term term) const {
    FenceCall call;
    call.target = {"test", "node-1", term};
    call.log_id = "log-1";
    call.database = "bank";
    call.role = 1;
    call.replicas = 1;
    call.data_format = kDataFormat;
    return call;
  }
  static PrepareCall FirstRound(const std::string& sql) {
    v1::PrepareRequest request;
    request.add_branches()->add_operations()->add_statements()->set_sql(sql);
    PrepareCall prepare;
    prepare.target = {"test", "node-1", 1};
    prepare.round = Round(1);
    prepare.body = RoundBody::Encode("test", "node-1", request, size_t{1} << 20);
    prepare.branches = rpc::BranchesOf(&request);
    return prepare;
  }

  SystemClock clock_;
  TestDirectory directory_;
  ParticipantOptions options_;
  std::unique_ptr<Participant> participant_;
};

TEST_F(HandleTest, AFullMailboxRefusesClientsAndNotTheCoordinator) {
  const ParticipantHandle handle = participant_->handle();
  std::atomic<int> answers{0};
  std::atomic<int> full{0};
  constexpr int kClients = 40;
  for (int i = 0; i < kClients; ++i) {
    handle.Execute(Statements(kLong), [&](Result<std::vector<StatementResult>> result) {
      if (!result.ok() && result.error().reason == Reason::kQueueFull) ++full;
      ++answers;
    });
  }
  EXPECT_GT(full.load(), 0);
  // Its own place is free, and so is a health check that waits for nobody.
  Waiter<Ok> fenced;
  handle.Fence(FenceOf(1), fenced.Taker());
  Waiter<Health> health;
  handle.CheckHealth(health.Taker());
  EXPECT_TRUE(health.Get().ok());
  EXPECT_TRUE(fenced.Get().ok());
  participant_->Stop();
  EXPECT_EQ(answers.load(), kClients);
}

TEST_F(HandleTest, TheClientsPlacesCountWhateverTheirCallsWaitFor) {
  ASSERT_TRUE(Execute({"CREATE TABLE t(k)"}).ok());
  const ParticipantHandle handle = participant_->handle();
  Waiter<Ok> fenced;
  handle.Fence(FenceOf(1), fenced.Taker());
  ASSERT_TRUE(fenced.Get().ok());
  Waiter<Votes> votes;
  handle.Prepare(FirstRound("INSERT INTO t VALUES(1)"), votes.Taker());
  ASSERT_TRUE(votes.Get().ok());

  // Two wait for the round to end, two for a version.
  Waiter<std::vector<StatementResult>> locals[2];
  for (auto& local : locals) handle.Execute(Statements({"SELECT 1"}), local.Taker());
  const auto query = [](RoundId least) {
    QueryCall call;
    call.select.sql = "SELECT count(*) FROM t";
    call.least_round = least;
    call.timeout = absl::Seconds(30);
    return call;
  };
  Waiter<QueryRows> queries[2];
  for (auto& its : queries) handle.Query(query(Round(1)), its.Taker());

  const Result<std::vector<StatementResult>> fifth = Execute({"SELECT 1"});
  ASSERT_FALSE(fifth.ok());
  EXPECT_EQ(fifth.error().reason, Reason::kQueueFull);
  EXPECT_NE(fifth.error().message.find("4 places"), std::string::npos) << fifth.error().message;
  Waiter<QueryRows> refused;
  handle.Query(query(RoundId()), refused.Taker());
  EXPECT_EQ(refused.Get().error().reason, Reason::kQueueFull);
  // The coordinator's have places of their own.
  Waiter<QueryRows> read;
  handle.Read({{"test", "node-1", 1}, query(RoundId())}, read.Taker());
  EXPECT_TRUE(read.Get().ok());
  Waiter<Ok> committed;
  handle.Commit({{"test", "node-1", 1}, Round(1), std::nullopt}, committed.Taker());
  EXPECT_TRUE(committed.Get().ok());
  for (auto& local : locals) EXPECT_TRUE(local.Get().ok());
  for (auto& its : queries) EXPECT_TRUE(its.Get().ok());
  EXPECT_TRUE(Execute({"SELECT 1"}).ok());
}

// Answered beside the actor, it would say that nothing is prepared while a Prepare is on its way.
TEST_F(HandleTest, R11_AFenceIsAnsweredAfterThePrepareThatCameBeforeIt) {
  ASSERT_TRUE(Execute({"CREATE TABLE t(k)"}).ok());
  const ParticipantHandle handle = participant_->handle();
  Waiter<Ok> first;
  handle.Fence(FenceOf(1), first.Taker());
  ASSERT_TRUE(first.Get().ok());

  // The actor is at work until both others have come.
  std::promise<void> at_work;
  std::promise<void> go_on;
  handle.Execute(Statements({"SELECT 1"}), [&](Result<std::vector<StatementResult>>) {
    at_work.set_value();
    go_on.get_future().wait();
  });
  at_work.get_future().wait();
  Waiter<Votes> votes;
  handle.Prepare(FirstRound("INSERT INTO t VALUES(1)"), votes.Taker());
  std::promise<NodeReport> told;
  handle.Fence(FenceOf(1), [&](Result<Ok>) { told.set_value(handle.Report()); });
  go_on.set_value();
  ASSERT_TRUE(votes.Get().ok());
  const NodeReport report = told.get_future().get();
  ASSERT_TRUE(report.held.has_value());
  EXPECT_EQ(report.held->round, Round(1));
}

TEST_F(HandleTest, EveryCallIsAnsweredThoughTheNodeStops) {
  ASSERT_TRUE(Execute({"CREATE TABLE t(k)"}).ok());
  const ParticipantHandle handle = participant_->handle();
  std::atomic<int> asked{0};
  std::atomic<int> answered{0};
  std::atomic<bool> go_on{true};
  std::thread client([&] {
    while (go_on) {
      asked += 2;
      handle.Execute(Statements({"INSERT INTO t VALUES(1)"}),
                     [&](Result<std::vector<StatementResult>>) { ++answered; });
      QueryCall query;
      query.select.sql = "SELECT count(*) FROM t";
      query.timeout = absl::Seconds(30);
      handle.Query(std::move(query), [&](Result<QueryRows>) { ++answered; });
      while (asked - answered > 20) std::this_thread::yield();
    }
  });
  while (answered < 200) std::this_thread::yield();
  participant_->Stop();
  go_on = false;
  client.join();
  EXPECT_EQ(asked.load(), answered.load());
  const Result<std::vector<StatementResult>> late = Execute({"SELECT 1"});
  ASSERT_FALSE(late.ok());
  EXPECT_EQ(late.error().reason, Reason::kShuttingDown);
}

TEST_F(HandleTest, WhatWasAnsweredIsThereAfterAnotherStart) {
  ASSERT_TRUE(Execute({"CREATE TABLE t(k)", "INSERT INTO t VALUES(41)"}).ok());
  participant_.reset();
  Start();
  const auto rows = Execute({"SELECT k + 1 FROM t"});
  ASSERT_TRUE(rows.ok());
  EXPECT_EQ(std::get<int64_t>(rows.value()[0].rows[0][0]), 42);
}

TEST_F(HandleTest, TheVolumeBelongsToOneProcessAlone) {
  auto second = Participant::Start(options_, &clock_);
  ASSERT_FALSE(second.ok());
  EXPECT_NE(std::string(second.status().message()), "");
}

TEST_F(HandleTest, R1_ReadsCarryTheTermOfAFence) {
  const ParticipantHandle handle = participant_->handle();
  Waiter<Ok> fenced;
  handle.Fence(FenceOf(3), fenced.Taker());
  ASSERT_TRUE(fenced.Get().ok());
  const auto read = [&](Term term) {
    ReadCall call;
    call.target = {"test", "node-1", term};
    call.query.select.sql = "SELECT 7";
    call.query.timeout = absl::Seconds(10);
    Waiter<QueryRows> waiter;
    handle.Read(std::move(call), waiter.Taker());
    return waiter.Get();
  };
  EXPECT_TRUE(read(3).ok());
  EXPECT_EQ(read(2).error().reason, Reason::kTermOutdated);
  EXPECT_EQ(read(4).error().reason, Reason::kNotReady);
  EXPECT_EQ(handle.Report().term, 3u);
  EXPECT_EQ(handle.Status({{"test", "node-1", 2}})->reason, Reason::kTermOutdated);
  EXPECT_FALSE(handle.Status({{"test", "node-1", 4}}).has_value());
}

TEST_F(HandleTest, ACallForAnotherNodeOrClusterIsRefusedWithBothNames) {
  const auto refusal = [&](Target target) {
    Waiter<Ok> waiter;
    participant_->handle().Commit({std::move(target), Round(1), std::nullopt}, waiter.Taker());
    return waiter.Get().error();
  };
  const Error cluster = refusal({"other", "node-1", 1});
  EXPECT_EQ(cluster.reason, Reason::kRequestInvalid);
  EXPECT_EQ(cluster.field, "target.cluster_id");
  EXPECT_NE(cluster.message.find("\"other\""), std::string::npos);
  EXPECT_NE(cluster.message.find("\"test\""), std::string::npos);
  EXPECT_EQ(refusal({"test", "node-9", 1}).field, "target.node_id");
}

}  // namespace
}  // namespace lockstep::participant
