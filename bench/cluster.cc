#include "bench/cluster.h"

#include <grpcpp/grpcpp.h>

#include "absl/time/clock.h"
#include "absl/time/time.h"
#include "lockstep/v1/coordinator.grpc.pb.h"
#include "lockstep/v1/participant.grpc.pb.h"

namespace lockstep::bench {
namespace {

constexpr std::chrono::seconds kCallTimeout{30};
constexpr absl::Duration kStartTimeout = absl::Seconds(30);
constexpr absl::Duration kAskAgainAfter = absl::Milliseconds(50);

absl::Status AsStatus(const char* what, const grpc::Status& status) {
  if (status.ok()) return absl::OkStatus();
  return absl::UnavailableError(std::string(what) + ": " + status.error_message());
}

std::shared_ptr<grpc::Channel> Connect(const std::string& endpoint) {
  grpc::ChannelArguments arguments;
  arguments.SetInt(GRPC_ARG_ENABLE_HTTP_PROXY, 0);
  return grpc::CreateCustomChannel(endpoint, grpc::InsecureChannelCredentials(), arguments);
}

}  // namespace

absl::Status WaitUntilReady(const std::string& endpoint) {
  const auto stub = v1::CoordinatorService::NewStub(Connect(endpoint));
  const absl::Time deadline = absl::Now() + kStartTimeout;
  std::string waiting_for = "the coordinator";
  while (!waiting_for.empty()) {
    if (absl::Now() > deadline) return absl::UnavailableError("not ready: " + waiting_for);
    absl::SleepFor(kAskAgainAfter);
    grpc::ClientContext context;
    context.set_deadline(std::chrono::system_clock::now() + kCallTimeout);
    v1::GetClusterStatusResponse response;
    if (!stub->GetClusterStatus(&context, {}, &response).ok()) continue;
    waiting_for.clear();
    for (const v1::ParticipantStatus& participant : response.participants()) {
      if (participant.state() != v1::STATE_READY) waiting_for = participant.node_id();
    }
  }
  return absl::OkStatus();
}

absl::Status CreateTable(const std::string& endpoint, const std::string& database) {
  const auto stub = v1::CoordinatorService::NewStub(Connect(endpoint));
  v1::ExecuteRequest request;
  v1::Operation* operation = request.add_operations();
  operation->set_database(database);
  operation->add_statements()->set_sql("DROP TABLE IF EXISTS load");
  operation->add_statements()->set_sql(
      "CREATE TABLE load(id INTEGER PRIMARY KEY, payload BLOB NOT NULL)");
  grpc::ClientContext context;
  context.set_wait_for_ready(true);
  context.set_deadline(std::chrono::system_clock::now() + kCallTimeout);
  v1::ExecuteResponse response;
  return AsStatus("making the table", stub->Execute(&context, request, &response));
}

absl::StatusOr<SyncCount> CountSyncs(const std::vector<std::string>& participants) {
  SyncCount count;
  for (const std::string& endpoint : participants) {
    const auto stub = v1::ParticipantService::NewStub(Connect(endpoint));
    grpc::ClientContext context;
    context.set_wait_for_ready(true);
    context.set_deadline(std::chrono::system_clock::now() + kCallTimeout);
    v1::CheckHealthResponse response;
    const grpc::Status status = stub->CheckHealth(&context, {}, &response);
    if (!status.ok()) return AsStatus(endpoint.c_str(), status);
    count.syncs += response.syncs();
    count.rounds += response.prepared_rounds();
  }
  return count;
}

}  // namespace lockstep::bench
