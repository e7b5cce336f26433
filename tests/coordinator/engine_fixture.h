// An engine between fake participants and a fake decision log, stepped by the test.
#ifndef LOCKSTEP_TESTS_COORDINATOR_ENGINE_FIXTURE_H_
#define LOCKSTEP_TESTS_COORDINATOR_ENGINE_FIXTURE_H_

#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "common/rpc/error_details.h"
#include "coordinator/engine.h"
#include "coordinator/log_clock.h"
#include "tests/coordinator/fake_link.h"
#include "tests/support/manual_clock.h"

namespace lockstep::coordinator {

// Decisions become durable when the test says so.
class HeldDecisions final : public DecisionSink {
 public:
  void Append(std::vector<Decision> decisions) override {
    for (Decision& decision : decisions) waiting.push_back(std::move(decision));
  }
  void WriteLater(LogBatch batch) override { later.push_back(std::move(batch)); }
  void FindAnswer(TransactionHandle transaction, const RequestTry& request,
                  const Rounds& rounds) override {
    asked.push_back({transaction, request, rounds});
  }

  std::vector<Decision> waiting;
  std::vector<LogBatch> later;
  struct Question {
    TransactionHandle transaction = 0;
    RequestTry request;
    Rounds rounds;
  };
  std::vector<Question> asked;
};

// Node 0 and 1 are the master and a backup of bank, node 2 is stock.
class EngineTest : public testing::Test {
 protected:
  EngineTest()
      : cluster_(*Cluster::Make("demo", {{"bank-1", "bank", MemberRole::kMaster, "a:1"},
                                         {"bank-2", "bank", MemberRole::kBackup, "b:1"},
                                         {"stock-1", "stock", MemberRole::kMaster, "c:1"}})),
        nodes_(3) {
    for (FakeParticipant& node : nodes_) links_.push_back(std::make_unique<FakeLink>(&node));
  }

  void Start() {
    EngineOutside outside;
    outside.cluster = &cluster_;
    outside.clock = &clock_;
    outside.log_clock = &log_clock_;
    outside.links = &links_;
    outside.decisions = &decisions_;
    outside.answer = [](absl::AnyInvocable<void()> task) { task(); };
    outside.post = [this](Message message) { mailbox_.push_back(std::move(message)); };
    outside.on_idle = [this] { idle_ = true; };
    outside.on_fatal = [](const Fatal& fatal) { LOCKSTEP_CHECK(false, fatal.reason); };
    Config config;
    for (ParticipantIndex i = 0; i < 3; ++i) {
      config.participants.push_back({cluster_.node(i).node_id, cluster_.database_of(i), i != 1});
    }
    config.queue_caps = queue_caps_;
    StartState start;
    start.term = 3;
    engine_ = std::make_unique<Engine>(std::move(outside),
                                       EngineOptions{.log_id = "log",
                                                     .boot_id = 30,
                                                     .earlier_boot_ids = {10, 20},
                                                     .max_result_bytes = 1000,
                                                     .max_kept_answer_bytes = 2000,
                                                     .least_free_bytes = 3000,
                                                     .requests = request_table_options_},
                                       std::move(config), std::move(start),
                                       CommittedRequests{committed_});
    mailbox_.push_back(Begin{});
    Pump();
  }

  // Until nothing waits.
  void Pump() {
    while (!mailbox_.empty()) {
      std::vector<Message> batch;
      batch.swap(mailbox_);
      engine_->Handle(batch);
    }
  }
  void MakeDurable() {
    std::vector<RoundId> rounds;
    for (const Decision& decision : decisions_.waiting) rounds.push_back(decision.round);
    decisions_.waiting.clear();
    mailbox_.push_back(DecisionsDurable{rounds});
    Pump();
  }
  void Advance(absl::Duration by) {
    clock_.Advance(by);
    engine_->Tick();
    Pump();
  }

  // Each operation names a database.
  static v1::ExecuteRequest RequestFor(const std::vector<std::string>& databases) {
    v1::ExecuteRequest request;
    for (const std::string& database : databases) {
      v1::Operation* operation = request.add_operations();
      operation->set_database(database);
      operation->add_statements()->set_sql("INSERT INTO t VALUES(1)");
    }
    return request;
  }
  // Puts a transaction into the mailbox; its answer comes into answers_.
  void Submit(const std::vector<std::string>& databases) {
    auto transaction = MakeTransaction(RequestFor(databases), cluster_);
    ASSERT_TRUE(transaction.ok());
    (*transaction)->arrived = clock_.MonotonicNow();
    (*transaction)->deadline = clock_.MonotonicNow() + absl::Seconds(10);
    (*transaction)->done = [this](Result<v1::ExecuteResponse> result) {
      answers_.push_back(std::move(result));
    };
    mailbox_.push_back(std::move(*transaction));
  }
  void Execute(const std::vector<std::string>& databases) {
    Submit(databases);
    Pump();
    MakeDurable();
  }
  const Error& OnlyError() {
    EXPECT_EQ(answers_.size(), 1u);
    return answers_.at(0).error();
  }

  static v1::BranchVote No(Reason reason, const std::string& message) {
    Error error;
    error.reason = reason;
    error.message = message;
    error.operation = 0;
    error.statement = 0;
    v1::BranchVote vote;
    vote.set_vote(v1::VOTE_NO);
    rpc::ToProto(error, vote.mutable_error());
    return vote;
  }
  // A YES that answers each operation with its number, so that their order shows.
  static v1::BranchVote YesWithResults(const v1::Branch& branch) {
    v1::BranchVote vote;
    vote.set_vote(v1::VOTE_YES);
    for (const v1::BranchOperation& operation : branch.operations()) {
      v1::BranchResult* result = vote.add_results();
      result->set_operation(operation.operation());
      result->add_statements()->set_rows_affected(100 + operation.operation());
    }
    return vote;
  }

  absl::Time LogNow() const { return log_clock_.At(clock_.MonotonicNow()); }

  ManualClock clock_;
  // Not what the wall clock says.
  const LogClock log_clock_{absl::FromUnixSeconds(1'000'000'000), clock_.MonotonicNow()};
  const Cluster cluster_;
  std::vector<FakeParticipant> nodes_;
  ParticipantLinks links_;
  HeldDecisions decisions_;
  QueueCaps queue_caps_;
  RequestTableOptions request_table_options_;
  RequestIndex committed_;
  std::vector<Message> mailbox_;
  bool idle_ = false;
  std::vector<Result<v1::ExecuteResponse>> answers_;
  std::unique_ptr<Engine> engine_;
};

}  // namespace lockstep::coordinator

#endif  // LOCKSTEP_TESTS_COORDINATOR_ENGINE_FIXTURE_H_
