// CoordinatorService over a real connection, with fake participants and a real decision log.
#include <gmock/gmock.h>
#include <grpcpp/grpcpp.h>
#include <gtest/gtest.h>

#include <atomic>
#include <future>
#include <latch>
#include <memory>
#include <string>
#include <thread>
#include <utility>

#include "common/clock.h"
#include "common/rpc/error_details.h"
#include "common/rpc/server.h"
#include "coordinator/coordinator_service.h"
#include "coordinator/request_try.h"
#include "coordinator/sqlite_decision_log.h"
#include "lockstep/v1/coordinator.grpc.pb.h"
#include "tests/coordinator/fake_link.h"
#include "tests/coordinator/temp_directory.h"

namespace lockstep::coordinator {
namespace {

using testing::HasSubstr;

// The machine's, but that time passes as it is told to as well, and its wall clock can be set.
class SettableClock final : public Clock {
 public:
  absl::Time WallNow() const override { return system_.WallNow() + Ahead(); }
  absl::Duration MonotonicNow() const override {
    return system_.MonotonicNow() + absl::Nanoseconds(passed_.load());
  }
  void SetForward(absl::Duration by) { ahead_ += absl::ToInt64Nanoseconds(by); }
  void Pass(absl::Duration time) { passed_ += absl::ToInt64Nanoseconds(time); }

 private:
  absl::Duration Ahead() const { return absl::Nanoseconds(ahead_.load() + passed_.load()); }

  const SystemClock system_;
  std::atomic<int64_t> ahead_ = 0;
  std::atomic<int64_t> passed_ = 0;
};

// One participant, node bank-1 of database bank.
constexpr int kMostTransactions = 100;  // under way: more than any test has

class CoordinatorServiceTest : public testing::Test {
 protected:
  CoordinatorServiceTest()
      : cluster_(*Cluster::Make("demo", {{"bank-1", "bank", MemberRole::kMaster, "a:1"}})) {
    options_.log.lazy_delay = absl::ZeroDuration();
  }
  ~CoordinatorServiceTest() override { Stop(); }

  std::unique_ptr<SqliteDecisionLog> OpenLog() {
    SqliteDecisionLogOptions options;
    options.directory = directory_.path();
    options.cluster_id = "demo";
    options.reserve_bytes = 0;
    auto log = *SqliteDecisionLog::Open(options);
    EXPECT_TRUE(log->SetMembers(cluster_.Members()).ok());
    return log;
  }

  void Start() {
    server_ = std::make_unique<rpc::Server>(rpc::ServerOptions{.address = "127.0.0.1:0"});
    ParticipantLinks links;
    links.push_back(std::make_unique<FakeLink>(&node_));
    coordinator_ = *Coordinator::Make(&cluster_, &clock_, std::move(links), OpenLog(), options_);
    AddCoordinatorService(server_.get(), coordinator_.get(), {}, kMostTransactions);
    ASSERT_TRUE(server_->Start().ok());
    coordinator_->Start();
    coordinator_->WaitUntilAllAsked(absl::Seconds(60));
    stub_ = v1::CoordinatorService::NewStub(grpc::CreateChannel(
        "127.0.0.1:" + std::to_string(server_->port()), grpc::InsecureChannelCredentials()));
  }
  void Stop() {
    if (coordinator_ == nullptr) return;
    coordinator_->Refuse();
    coordinator_->Shutdown(absl::ZeroDuration());
    server_->StopServing(absl::Seconds(60));
    server_->DrainQueues();
    coordinator_.reset();
    server_.reset();
  }

  std::optional<Error> Execute(const std::string& request_id = "",
                               std::optional<absl::Time> expires = std::nullopt) {
    v1::ExecuteRequest request;
    request.set_request_id(request_id);
    if (expires) request.mutable_expire_time()->set_seconds(absl::ToUnixSeconds(*expires));
    v1::Operation* operation = request.add_operations();
    operation->set_database("bank");
    operation->add_statements()->set_sql("INSERT INTO t VALUES(1)");
    request.mutable_timeout()->set_seconds(60);
    grpc::ClientContext context;
    return ErrorIn(stub_->Execute(&context, request, &executed_));
  }
  std::optional<Error> GetTransaction(const std::string& id) {
    v1::GetTransactionRequest request;
    request.set_transaction_id(id);
    grpc::ClientContext context;
    const grpc::Status status = stub_->GetTransaction(&context, request, &found_);
    code_ = status.error_code();
    return ErrorIn(status);
  }
  v1::Outcome OutcomeOf(const std::string& id) {
    const std::optional<Error> error = GetTransaction(id);
    EXPECT_FALSE(error.has_value()) << error->message;
    return found_.outcome();
  }
  static std::optional<Error> ErrorIn(const grpc::Status& status) {
    if (status.ok()) return std::nullopt;
    std::optional<Error> error = rpc::ErrorFromStatus(status);
    EXPECT_TRUE(error.has_value()) << status.error_code() << " " << status.error_message();
    return error ? *error : Error();
  }

  SettableClock clock_;
  const TempDirectory directory_;
  const Cluster cluster_;
  FakeParticipant node_;
  CoordinatorOptions options_;
  std::unique_ptr<rpc::Server> server_;
  std::unique_ptr<Coordinator> coordinator_;
  std::unique_ptr<v1::CoordinatorService::Stub> stub_;
  v1::ExecuteResponse executed_;
  v1::GetTransactionResponse found_;
  grpc::StatusCode code_ = grpc::StatusCode::OK;
};

TEST_F(CoordinatorServiceTest, ATransactionIsInProgressUntilItIsCommitted) {
  node_.holds_votes = true;
  Start();
  std::future<std::optional<Error>> executed =
      std::async(std::launch::async, [this] { return Execute(); });
  while (GetTransaction("1-1").has_value()) std::this_thread::yield();
  EXPECT_EQ(found_.outcome(), v1::OUTCOME_IN_PROGRESS);
  EXPECT_EQ(found_.transaction_id(), "1-1");
  EXPECT_FALSE(found_.has_decide_time());
  while (executed.wait_for(std::chrono::seconds(0)) != std::future_status::ready) {
    EXPECT_FALSE(coordinator_->Run([this](Engine&) { node_.Release(); }).has_value());
    std::this_thread::yield();
  }
  EXPECT_FALSE(executed.get().has_value());
  EXPECT_EQ(OutcomeOf("1-1"), v1::OUTCOME_COMMITTED);
  EXPECT_TRUE(found_.has_decide_time());
  EXPECT_THAT(found_.databases(), testing::ElementsAre("bank"));
}

TEST_F(CoordinatorServiceTest, ATransactionThatVotedNoIsAborted) {
  node_.vote = [](const v1::Branch&) {
    Error error;
    error.reason = Reason::kConstraintViolation;
    v1::BranchVote vote;
    vote.set_vote(v1::VOTE_NO);
    rpc::ToProto(error, vote.mutable_error());
    return vote;
  };
  Start();
  EXPECT_EQ(Execute()->reason, Reason::kConstraintViolation);
  EXPECT_EQ(OutcomeOf("1-1"), v1::OUTCOME_ABORTED);
  Stop();
  Start();
  EXPECT_EQ(OutcomeOf("1-1"), v1::OUTCOME_ABORTED);
}

// It may still be given, and commit: ABORTED would be a lie then.
TEST_F(CoordinatorServiceTest, NothingIsSaidOfAnIdThatWasNotGivenYet) {
  Start();
  ASSERT_FALSE(Execute().has_value());
  EXPECT_EQ(OutcomeOf("1-1"), v1::OUTCOME_COMMITTED);
  for (const char* id : {"1-2", "2-1", "1048575-1"}) {
    const std::optional<Error> error = GetTransaction(id);
    ASSERT_TRUE(error.has_value()) << id;
    EXPECT_EQ(error->reason, Reason::kTransactionUnknown);
    EXPECT_EQ(code_, grpc::StatusCode::NOT_FOUND);
    EXPECT_EQ(error->transaction_id, id);
    EXPECT_THAT(error->message, HasSubstr("does not mean that it was aborted"));
  }
  EXPECT_EQ(GetTransaction("1-01")->reason, Reason::kRequestInvalid);
  EXPECT_EQ(GetTransaction("1-01")->field, "transaction_id");
}

TEST_F(CoordinatorServiceTest, NothingIsSaidOfAnIdWhoseOutcomeIsNotKeptAnyMore) {
  Start();
  ASSERT_FALSE(Execute().has_value());
  Stop();
  {
    // As after an hour.
    auto log = OpenLog();
    absl::StatusOr<RecoveredState> state = log->Recover();
    ASSERT_TRUE(state.ok());
    LogBatch batch;
    for (const KeptDecision& decision : state->open) {
      batch.forget.push_back(decision.round);
      for (const KeptBranches& kept : decision.kept) {
        batch.durable_rounds.emplace_back(kept.participant, decision.round);
      }
    }
    ASSERT_TRUE(batch.empty() || log->Write(batch).ok());
    ASSERT_EQ(*log->Prune(state->log_time + absl::Hours(1)), 1);
  }
  Start();
  EXPECT_EQ(GetTransaction("1-1")->reason, Reason::kTransactionUnknown);
  EXPECT_EQ(code_, grpc::StatusCode::NOT_FOUND);
  ASSERT_FALSE(Execute().has_value());
  EXPECT_EQ(OutcomeOf("2-1"), v1::OUTCOME_COMMITTED);
}

TEST_F(CoordinatorServiceTest,
       R18_ARequestIdIsNotRunAgainAlthoughTheClockIsSetForwardBetweenTwoRuns) {
  Start();
  ASSERT_FALSE(Execute("a").has_value());
  clock_.SetForward(absl::Hours(2));
  ASSERT_FALSE(Execute("b").has_value());
  Stop();
  clock_.SetForward(absl::Hours(2));
  Start();
  // What is old is dropped behind the first write.
  ASSERT_FALSE(Execute("c").has_value());
  EXPECT_FALSE(executed_.deduplicated());
  for (const char* id : {"a", "b"}) {
    ASSERT_FALSE(Execute(id).has_value());
    EXPECT_TRUE(executed_.deduplicated()) << id;
  }
  EXPECT_EQ(OutcomeOf("1-1"), v1::OUTCOME_COMMITTED);
}

// By the clock that was ahead two hours were left of its time, and its answer is gone.
TEST_F(CoordinatorServiceTest,
       R18_WhatExpiredByAClockThatWasAheadIsRefusedAfterItIsSetRightAndARestart) {
  Start();
  const absl::Time expires = clock_.WallNow() + absl::Hours(5);
  clock_.SetForward(absl::Hours(3));
  ASSERT_FALSE(Execute("a", expires).has_value());
  clock_.Pass(absl::Hours(2) + 2 * kExpirySlack);
  GetTransaction("1-1");  // behind it, what is old is dropped
  Stop();
  clock_.SetForward(-absl::Hours(3));
  Start();
  const std::optional<Error> error = Execute("a", expires);
  ASSERT_TRUE(error.has_value()) << "deduplicated: " << executed_.deduplicated();
  EXPECT_EQ(error->reason, Reason::kRequestExpired);
  EXPECT_FALSE(Execute("b").has_value());
  EXPECT_FALSE(Execute("c", expires + absl::Seconds(1)).has_value());
}

TEST_F(CoordinatorServiceTest, AClockThatWasAheadLeavesNothingBehindIfNothingWasTakenByIt) {
  Start();
  clock_.SetForward(absl::Hours(48));
  ASSERT_FALSE(Execute("a").has_value());
  clock_.SetForward(-absl::Hours(48));
  EXPECT_FALSE(Execute("b", clock_.WallNow() + absl::Minutes(5)).has_value());
  Stop();
  Start();
  EXPECT_FALSE(Execute("c", clock_.WallNow() + absl::Minutes(5)).has_value());
}

TEST_F(CoordinatorServiceTest, AFullMailboxIsToldAsOne) {
  options_.mailbox_capacity = 1;
  Start();
  struct Latches {
    std::latch reached{1};
    std::latch go_on{1};
  };
  // Shared, because the thread that waits on one looks at it again after this test has gone on.
  const auto latches = std::make_shared<Latches>();
  ASSERT_FALSE(coordinator_
                   ->Run([latches](Engine&) {
                     latches->reached.count_down();
                     latches->go_on.wait();
                   })
                   .has_value());
  latches->reached.wait();
  EXPECT_FALSE(coordinator_->Run([](Engine&) {}).has_value());
  const std::optional<Error> transaction = GetTransaction("1-1");
  grpc::ClientContext context;
  v1::GetClusterStatusResponse response;
  const std::optional<Error> status = ErrorIn(stub_->GetClusterStatus(&context, {}, &response));
  latches->go_on.count_down();
  for (const std::optional<Error>& error : {transaction, status}) {
    ASSERT_TRUE(error.has_value());
    EXPECT_EQ(error->reason, Reason::kQueueFull);
    EXPECT_FALSE(error->outcome.has_value());
  }
}

// Under the name of the retry nothing would be on record: a client would be told ABORTED.
TEST_F(CoordinatorServiceTest, R18_WhoAsksWhileAnAnswerIsLookedUpIsToldWhatTheLogSays) {
  Start();
  EXPECT_FALSE(Execute("a").has_value());
  v1::GetTransactionRequest question;
  question.set_request_id("a");
  RequestTry asked = RequestTryOf(question, coordinator_->log_id());
  auto go_on = std::make_shared<std::latch>(1);
  coordinator_->FindAnswer(asked, {}, [go_on](auto) { go_on->wait(); });
  std::future<std::optional<Error>> retried =
      std::async(std::launch::async, [this] { return Execute("a"); });
  const auto is_in_flight = [&] {
    std::promise<bool> told;
    EXPECT_FALSE(coordinator_->Run([&](Engine& engine) {
      bool has_room = false;
      told.set_value(engine.AskForRequest(&asked, &has_room).in_flight);
    }));
    return told.get_future().get();
  };
  while (!is_in_flight()) std::this_thread::yield();
  v1::GetTransactionResponse response;
  grpc::ClientContext context;
  std::future<grpc::Status> status = std::async(
      std::launch::async, [&] { return stub_->GetTransaction(&context, question, &response); });
  const std::optional<Error> unknown = GetTransaction("1-2");
  go_on->count_down();
  EXPECT_TRUE(status.get().ok());
  EXPECT_EQ(response.outcome(), v1::OUTCOME_COMMITTED);
  EXPECT_EQ(response.transaction_id(), "1-1");
  EXPECT_FALSE(retried.get().has_value());
  EXPECT_TRUE(executed_.deduplicated());
  ASSERT_TRUE(unknown.has_value()) << "a look-up has a name";
  EXPECT_EQ(unknown->reason, Reason::kTransactionUnknown);
}

// In the order in which the program stops.
TEST_F(CoordinatorServiceTest, APlannedStopTellsWhoWaitsTheNameOfItsTransaction) {
  node_.holds_votes = true;
  Start();
  std::future<std::optional<Error>> executed =
      std::async(std::launch::async, [this] { return Execute(); });
  while (GetTransaction("1-1").has_value()) std::this_thread::yield();
  coordinator_->Refuse();
  server_->Refuse();
  EXPECT_EQ(Execute()->reason, Reason::kShuttingDown);
  coordinator_->Shutdown(absl::ZeroDuration());
  const std::optional<Error> error = executed.get();
  ASSERT_TRUE(error.has_value());
  EXPECT_EQ(error->reason, Reason::kOutcomeUnknown);
  EXPECT_EQ(error->outcome, FailureOutcome::kUnknown);
  EXPECT_EQ(error->transaction_id, "1-1");
}

}  // namespace
}  // namespace lockstep::coordinator
