// The commands against a server in this process that answers what the test says.
#include "cli/commands.h"

#include <gmock/gmock.h>
#include <grpcpp/grpcpp.h>
#include <gtest/gtest.h>

#include <memory>
#include <sstream>

#include "lockstep/v1/coordinator.grpc.pb.h"
#include "lockstep/v1/participant.grpc.pb.h"

namespace lockstep::cli {
namespace {

using ::testing::HasSubstr;

struct FakeCoordinator final : v1::CoordinatorService::Service {
  grpc::Status Execute(grpc::ServerContext*, const v1::ExecuteRequest* request,
                       v1::ExecuteResponse* response) override {
    last_execute = *request;
    *response = execute_response;
    return status;
  }
  grpc::Status Query(grpc::ServerContext*, const v1::QueryRequest*,
                     v1::QueryResponse* response) override {
    response->add_columns()->set_name("n");
    response->add_rows()->add_values()->set_int_value(7);
    return status;
  }
  grpc::Status GetClusterStatus(grpc::ServerContext*, const v1::GetClusterStatusRequest*,
                                v1::GetClusterStatusResponse* response) override {
    response->set_cluster_id("demo");
    auto* node = response->add_participants();
    node->set_node_id("bank-1");
    node->set_state(v1::STATE_UNREACHABLE);
    node->set_applied_round((int64_t{3} << 43) | 42);
    return status;
  }

  v1::ExecuteRequest last_execute;
  v1::ExecuteResponse execute_response;
  grpc::Status status;
};

struct FakeParticipant final : v1::ParticipantService::Service {
  grpc::Status CheckHealth(grpc::ServerContext*, const v1::CheckHealthRequest*,
                           v1::CheckHealthResponse* response) override {
    response->set_node_id("bank-1");
    response->set_database("bank");
    response->set_state(state);
    return grpc::Status::OK;
  }
  v1::State state = v1::STATE_READY;
};

class CommandsTest : public testing::Test {
 protected:
  void Serve(grpc::Service* service) {
    grpc::EnableDefaultHealthCheckService(true);
    grpc::ServerBuilder builder;
    builder.AddChannelArgument(GRPC_ARG_ALLOW_REUSEPORT, 0);
    int port = 0;
    builder.AddListeningPort("127.0.0.1:0", grpc::InsecureServerCredentials(), &port);
    builder.RegisterService(service);
    server_ = builder.BuildAndStart();
    ASSERT_NE(server_, nullptr);
    settings_.endpoint = "127.0.0.1:" + std::to_string(port);
  }

  void TearDown() override {
    if (server_) server_->Shutdown();
  }

  Commands MakeCommands(Format format = Format::kTable) {
    settings_.format = format;
    return Commands(settings_, &out_, &err_);
  }

  Settings settings_{"127.0.0.1:1", Format::kTable, absl::Seconds(10)};
  std::ostringstream out_;
  std::ostringstream err_;
  std::unique_ptr<grpc::Server> server_;
};

TEST_F(CommandsTest, ExecSendsItsTimeAndPrintsResultsAndTheTransaction) {
  FakeCoordinator fake;
  Serve(&fake);
  fake.execute_response.set_transaction_id("1-7");
  auto* operation = fake.execute_response.add_results();
  operation->set_database("bank");
  operation->add_statements()->set_rows_affected(1);
  v1::ExecuteRequest request;
  request.add_operations()->set_database("bank");
  EXPECT_EQ(MakeCommands().Execute(request), Exit::kDone);
  EXPECT_EQ(out_.str(), "bank: 1 row affected\ncommitted 1-7\n");
  EXPECT_EQ(err_.str(), "");
  EXPECT_EQ(fake.last_execute.timeout().seconds(), 10);
}

TEST_F(CommandsTest, ExecOfAServerThatIsNotThereStartedNothing) {
  EXPECT_EQ(MakeCommands().Execute({}), Exit::kUnreachable);
  EXPECT_EQ(out_.str(), "");
}

TEST_F(CommandsTest, ExecWhoseAnswerIsLostIsUnknown) {
  FakeCoordinator fake;
  fake.status = {grpc::StatusCode::UNAVAILABLE, "connection reset"};
  Serve(&fake);
  EXPECT_EQ(MakeCommands().Execute({}), Exit::kUnknown);
}

TEST_F(CommandsTest, QueryPrintsTheTableAloneOrJson) {
  FakeCoordinator fake;
  Serve(&fake);
  EXPECT_EQ(MakeCommands().Query({}), Exit::kDone);
  EXPECT_EQ(out_.str(), "n\n-\n7\n");
  EXPECT_EQ(MakeCommands(Format::kJson).Query({}), Exit::kDone);
  EXPECT_THAT(out_.str(), HasSubstr("\"intValue\": \"7\""));
}

TEST_F(CommandsTest, StatusShowsEveryParticipantWithRoundsByTerm) {
  FakeCoordinator fake;
  Serve(&fake);
  EXPECT_EQ(MakeCommands().ClusterStatus(), Exit::kDone);
  EXPECT_THAT(out_.str(), HasSubstr("bank-1"));
  EXPECT_THAT(out_.str(), HasSubstr("UNREACHABLE"));
  EXPECT_THAT(out_.str(), HasSubstr("3.42"));
}

TEST_F(CommandsTest, HealthKnowsACoordinator) {
  FakeCoordinator fake;
  Serve(&fake);
  EXPECT_EQ(MakeCommands().Health(false), Exit::kDone);
  EXPECT_THAT(out_.str(), HasSubstr("coordinator of cluster demo"));
}

// gRPC's health service alone says SERVING as soon as the port is open.
TEST_F(CommandsTest, HealthIsNotTakenFromGrpcAlone) {
  FakeCoordinator fake;
  fake.status = {grpc::StatusCode::UNAVAILABLE, "starting"};
  Serve(&fake);
  EXPECT_NE(MakeCommands().Health(false), Exit::kDone);
}

TEST_F(CommandsTest, HealthOfAServerThatSaysNotServingIsBad) {
  FakeCoordinator fake;
  Serve(&fake);
  server_->GetHealthCheckService()->SetServingStatus(false);
  EXPECT_EQ(MakeCommands().Health(false), Exit::kRefused);
}

TEST_F(CommandsTest, HealthOfAParticipantIsItsReadiness) {
  FakeParticipant fake;
  Serve(&fake);
  EXPECT_EQ(MakeCommands().Health(false), Exit::kDone);
  fake.state = v1::STATE_RECOVERING;
  EXPECT_EQ(MakeCommands().Health(false), Exit::kRefused);
  EXPECT_EQ(MakeCommands().Health(true), Exit::kDone);
}

TEST_F(CommandsTest, HealthOfNothingIsUnreachable) {
  EXPECT_EQ(MakeCommands().Health(false), Exit::kUnreachable);
}

}  // namespace
}  // namespace lockstep::cli
