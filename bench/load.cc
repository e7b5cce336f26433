#include "bench/load.h"

#include <grpcpp/generic/generic_stub.h>
#include <grpcpp/grpcpp.h>

#include <memory>
#include <optional>
#include <utility>

#include "lockstep/v1/coordinator.pb.h"

namespace lockstep::bench {
namespace {

constexpr int kClientsPerConnection = 64;
constexpr int kRowBytes = 100;
// A call that takes longer means that the cluster is stuck; the bench says so instead of hanging.
constexpr absl::Duration kCallTimeout = absl::Seconds(30);

using Stub = grpc::TemplatedGenericStub<grpc::ByteBuffer, grpc::ByteBuffer>;

constexpr char kExecuteMethod[] = "/lockstep.v1.CoordinatorService/Execute";

// Encoded once: what a client spends on its own messages is not what is measured.
grpc::ByteBuffer InsertRequest(const std::string& database) {
  v1::ExecuteRequest request;
  v1::Operation* operation = request.add_operations();
  operation->set_database(database);
  v1::Statement* statement = operation->add_statements();
  statement->set_sql("INSERT INTO load(payload) VALUES (?)");
  statement->add_params()->set_blob_value(std::string(kRowBytes, 'x'));
  const grpc::Slice slice(request.SerializeAsString());
  return grpc::ByteBuffer(&slice, 1);
}

// One closed loop: at most one call in flight.
class Client {
 public:
  Client(Stub* stub, const grpc::ByteBuffer* request, grpc::CompletionQueue* queue)
      : stub_(stub), request_(request), queue_(queue) {}

  void Start() {
    context_.emplace();
    context_->set_deadline(std::chrono::system_clock::now() + absl::ToChronoSeconds(kCallTimeout));
    started_ = absl::Now();
    call_ = stub_->PrepareUnaryCall(&*context_, kExecuteMethod, *request_, queue_);
    call_->StartCall();
    call_->Finish(&response_, &status_, this);
  }

  const grpc::Status& status() const { return status_; }
  absl::Time started() const { return started_; }

 private:
  Stub* const stub_;
  const grpc::ByteBuffer* const request_;
  grpc::CompletionQueue* const queue_;
  std::optional<grpc::ClientContext> context_;
  std::unique_ptr<grpc::ClientAsyncResponseReader<grpc::ByteBuffer>> call_;
  grpc::ByteBuffer response_;
  grpc::Status status_;
  absl::Time started_;
};

// With nothing that a call would pay for and does not use: gRPC's own retries, compression.
grpc::ChannelArguments LeanArguments() {
  grpc::ChannelArguments arguments;
  arguments.SetInt(GRPC_ARG_USE_LOCAL_SUBCHANNEL_POOL, 1);
  arguments.SetInt(GRPC_ARG_ENABLE_HTTP_PROXY, 0);
  arguments.SetInt(GRPC_ARG_ENABLE_RETRIES, 0);
  arguments.SetInt(GRPC_ARG_MINIMAL_STACK, 1);
  arguments.SetInt(GRPC_ARG_ENABLE_CHANNELZ, 0);
  arguments.SetInt(GRPC_ARG_HTTP2_BDP_PROBE, 0);
  return arguments;
}

std::vector<std::unique_ptr<Stub>> Connect(const LoadOptions& options) {
  std::vector<std::unique_ptr<Stub>> stubs;
  for (int first = 0; first < options.clients; first += kClientsPerConnection) {
    stubs.push_back(std::make_unique<Stub>(grpc::CreateCustomChannel(
        options.endpoint, grpc::InsecureChannelCredentials(), LeanArguments())));
  }
  return stubs;
}

}  // namespace

absl::StatusOr<Samples> RunLoad(const LoadOptions& options) {
  const auto stubs = Connect(options);
  const grpc::ByteBuffer request = InsertRequest(options.database);
  grpc::CompletionQueue queue;
  std::vector<std::unique_ptr<Client>> clients;
  for (int i = 0; i < options.clients; ++i) {
    clients.push_back(std::make_unique<Client>(
        stubs[static_cast<size_t>(i / kClientsPerConnection)].get(), &request, &queue));
  }
  Samples samples;
  const absl::Time start = absl::Now();
  const absl::Time end = start + options.duration;
  for (auto& client : clients) client->Start();
  absl::Status failure;
  size_t in_flight = clients.size();
  void* tag = nullptr;
  bool ok = false;
  while (in_flight > 0 && queue.Next(&tag, &ok)) {
    auto* client = static_cast<Client*>(tag);
    const absl::Time now = absl::Now();
    if (!client->status().ok()) {
      failure = absl::UnavailableError("Execute failed: " + client->status().error_message());
    }
    samples.latencies.push_back(now - client->started());
    if (failure.ok() && now < end) {
      client->Start();
    } else {
      --in_flight;
    }
  }
  samples.elapsed = absl::Now() - start;
  queue.Shutdown();
  while (queue.Next(&tag, &ok)) {
  }
  if (!failure.ok()) return failure;
  return samples;
}

}  // namespace lockstep::bench
