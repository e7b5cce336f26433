// Both services over a real connection: details, trailing metadata, validation.
#include <grpcpp/grpcpp.h>
#include <gtest/gtest.h>

#include "common/rpc/error_details.h"
#include "common/rpc/node_metadata.h"
#include "lockstep/v1/participant.grpc.pb.h"
#include "lockstep/v1/two_phase_commit.grpc.pb.h"
#include "participant/participant.h"
#include "participant/participant_service.h"
#include "participant/two_phase_commit_service.h"
#include "tests/participant/test_node.h"

namespace lockstep::participant {
namespace {

// More than a method of a server takes by itself.
constexpr int kClientPlaces = 1100;

class ServiceTest : public testing::Test {
 protected:
  ServiceTest() : server_(rpc::ServerOptions{.address = "127.0.0.1:0"}) {
    ParticipantOptions options;
    options.engine = TestOptions(directory_.path());
    options.client_places = kClientPlaces;
    auto started = Participant::Start(options, &clock_);
    EXPECT_TRUE(started.ok()) << started.status();
    participant_ = *std::move(started);
    AddParticipantService(participant_->handle(), {}, &server_);
    AddTwoPhaseCommitService(participant_->handle(), {}, 1 << 20, &server_);
    EXPECT_TRUE(server_.Start().ok());
    const auto channel = grpc::CreateChannel("127.0.0.1:" + std::to_string(server_.port()),
                                             grpc::InsecureChannelCredentials());
    local_ = v1::ParticipantService::NewStub(channel);
    commit_ = v1::TwoPhaseCommitService::NewStub(channel);
  }
  ~ServiceTest() override {
    participant_->Stop();
    server_.StopServing(absl::Seconds(1));
    server_.DrainQueues();
  }

  // Calls, and keeps the error and the metadata.
  template <typename Stub, typename Request, typename Response>
  grpc::StatusCode Call(Stub& stub,
                        grpc::Status (Stub::*method)(grpc::ClientContext*, const Request&,
                                                     Response*),
                        const Request& request, Response* response) {
    grpc::ClientContext context;
    const grpc::Status status = (stub.*method)(&context, request, response);
    error_ = rpc::ErrorFromStatus(status);
    metadata_ = rpc::NodeMetadataOf(context);
    return status.error_code();
  }

  static void Aim(v1::Target* target, Term term = 1) {
    target->set_cluster_id("test");
    target->set_node_id("node-1");
    target->set_term(term);
  }
  void Fence() {
    v1::FenceRequest request;
    Aim(request.mutable_target());
    request.set_log_id("log-1");
    request.set_database("bank");
    request.set_role(v1::ROLE_MASTER);
    request.set_replicas(1);
    request.set_data_format(kDataFormat);
    v1::FenceResponse response;
    ASSERT_EQ(Call(*commit_, &Commit::Fence, request, &response), grpc::StatusCode::OK);
    EXPECT_EQ(response.report().state(), v1::STATE_READY);
  }

  using Local = v1::ParticipantService::Stub;
  using Commit = v1::TwoPhaseCommitService::Stub;
  SystemClock clock_;
  TestDirectory directory_;
  std::unique_ptr<Participant> participant_;
  rpc::Server server_;
  std::unique_ptr<Local> local_;
  std::unique_ptr<Commit> commit_;
  std::optional<Error> error_;
  rpc::NodeMetadata metadata_;
};

TEST_F(ServiceTest, EveryAnswerOfTwoPhaseCommitSaysWhoGaveItErrorsToo) {
  v1::StatusRequest status;
  Aim(status.mutable_target());
  v1::StatusResponse report;
  ASSERT_EQ(Call(*commit_, &Commit::Status, status, &report), grpc::StatusCode::OK);
  const uint64_t boot_id = report.report().boot_id();
  EXPECT_NE(boot_id, 0u);
  EXPECT_EQ(metadata_.boot_id, boot_id);
  EXPECT_EQ(report.report().state(), v1::STATE_RECOVERING);  // nobody fenced it

  Fence();
  v1::CommitRequest commit;
  Aim(commit.mutable_target());
  commit.set_round(Round(1).value());
  v1::CommitResponse committed;
  EXPECT_EQ(Call(*commit_, &Commit::Commit, commit, &committed),
            grpc::StatusCode::FAILED_PRECONDITION);
  EXPECT_EQ(error_->reason, Reason::kRoundUnknown);
  EXPECT_EQ(metadata_.boot_id, boot_id);
}

TEST_F(ServiceTest, ARoundGoesThroughPrepareCommitAndRead) {
  Fence();
  v1::ParticipantServiceExecuteRequest execute;
  execute.add_statements()->set_sql("CREATE TABLE t(k INTEGER PRIMARY KEY, version INTEGER)");
  v1::ParticipantServiceExecuteResponse executed;
  ASSERT_EQ(Call(*local_, &Local::Execute, execute, &executed), grpc::StatusCode::OK);

  v1::PrepareRequest prepare;
  Aim(prepare.mutable_target());
  prepare.set_round(Round(1).value());
  prepare.set_want_rows(true);
  v1::Branch* branch = prepare.add_branches();
  branch->mutable_time_left()->set_seconds(5);
  v1::Statement* statement = branch->add_operations()->add_statements();
  statement->set_sql("INSERT INTO t VALUES(?, 9) RETURNING k");
  statement->add_params()->set_int_value(5);
  v1::PrepareResponse votes;
  ASSERT_EQ(Call(*commit_, &Commit::Prepare, prepare, &votes), grpc::StatusCode::OK);
  ASSERT_EQ(votes.votes_size(), 1);
  EXPECT_EQ(votes.votes(0).vote(), v1::VOTE_YES);
  EXPECT_EQ(votes.votes(0).results(0).statements(0).rows(0).values(0).int_value(), 5);
  EXPECT_EQ(votes.report().prepared().round(), Round(1).value());

  v1::CommitRequest commit;
  Aim(commit.mutable_target());
  commit.set_round(Round(1).value());
  v1::CommitResponse committed;
  ASSERT_EQ(Call(*commit_, &Commit::Commit, commit, &committed), grpc::StatusCode::OK);
  EXPECT_EQ(committed.report().applied_round(), Round(1).value());

  v1::ReadRequest read;
  Aim(read.mutable_target());
  read.set_least_round(Round(1).value());
  read.set_version_of_table("t");
  v1::ReadResponse rows;
  ASSERT_EQ(Call(*commit_, &Commit::Read, read, &rows), grpc::StatusCode::OK);
  EXPECT_EQ(rows.rows(0).values(0).int_value(), 9);
  EXPECT_EQ(rows.round(), Round(1).value());

  v1::GetVersionRequest version;
  version.set_table("t");
  v1::GetVersionResponse its;
  ASSERT_EQ(Call(*local_, &Local::GetVersion, version, &its), grpc::StatusCode::OK);
  EXPECT_EQ(its.table_version(), 9);
}

TEST_F(ServiceTest, WhatIsWrongWithARequestIsNamedByItsPath) {
  v1::ParticipantServiceExecuteRequest execute;
  v1::ParticipantServiceExecuteResponse executed;
  EXPECT_EQ(Call(*local_, &Local::Execute, execute, &executed), grpc::StatusCode::INVALID_ARGUMENT);
  EXPECT_EQ(error_->field, "statements");

  v1::PrepareRequest prepare;
  Aim(prepare.mutable_target());
  prepare.set_round(Round(1).value());
  v1::PrepareResponse votes;
  EXPECT_EQ(Call(*commit_, &Commit::Prepare, prepare, &votes), grpc::StatusCode::INVALID_ARGUMENT);
  EXPECT_EQ(error_->field, "branches");

  v1::RollbackRequest rollback;
  Aim(rollback.mutable_target());
  v1::RollbackResponse rolled_back;
  EXPECT_EQ(Call(*commit_, &Commit::Rollback, rollback, &rolled_back),
            grpc::StatusCode::INVALID_ARGUMENT);
  EXPECT_EQ(error_->field, "round");
}

TEST_F(ServiceTest, HealthTellsTheNodesState) {
  v1::CheckHealthRequest request;
  v1::CheckHealthResponse health;
  ASSERT_EQ(Call(*local_, &Local::CheckHealth, request, &health), grpc::StatusCode::OK);
  EXPECT_EQ(health.state(), v1::STATE_RECOVERING);
  Fence();
  ASSERT_EQ(Call(*local_, &Local::CheckHealth, request, &health), grpc::StatusCode::OK);
  EXPECT_EQ(health.state(), v1::STATE_READY);
  EXPECT_EQ(health.node_id(), "node-1");
  EXPECT_EQ(health.role(), v1::ROLE_MASTER);
  EXPECT_FALSE(health.busy());
  EXPECT_GT(health.syncs(), 0);
}

TEST_F(ServiceTest, AsManyCallsOfClientsMayWaitAsThereArePlaces) {
  struct Pending {
    grpc::ClientContext context;
    v1::ParticipantServiceQueryResponse response;
    grpc::Status status;
    std::unique_ptr<grpc::ClientAsyncResponseReader<v1::ParticipantServiceQueryResponse>> reader;
  };
  v1::ParticipantServiceQueryRequest request;
  request.set_sql("SELECT 1");
  request.set_min_version(Round(9).value());
  request.mutable_timeout()->set_seconds(60);
  std::vector<Pending> calls(kClientPlaces + 1);
  grpc::CompletionQueue queue;
  for (Pending& call : calls) {
    call.reader = local_->AsyncQuery(&call.context, request, &queue);
    call.reader->Finish(&call.response, &call.status, &call);
  }
  const auto next = [&queue] {
    void* tag = nullptr;
    bool ok = false;
    EXPECT_TRUE(queue.Next(&tag, &ok));
    return *rpc::ErrorFromStatus(static_cast<Pending*>(tag)->status);
  };
  const Error refused = next();
  EXPECT_EQ(refused.reason, Reason::kQueueFull);
  EXPECT_NE(refused.message.find(std::to_string(kClientPlaces) + " places"), std::string::npos);
  participant_->Stop();
  for (int i = 0; i < kClientPlaces; ++i) ASSERT_EQ(next().reason, Reason::kShuttingDown);
  queue.Shutdown();
}

}  // namespace
}  // namespace lockstep::participant
