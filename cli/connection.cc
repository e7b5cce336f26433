#include "cli/connection.h"

#include <grpcpp/generic/generic_stub.h>

#include <future>
#include <vector>

#include "absl/strings/str_cat.h"

namespace lockstep::cli {
namespace {

// A round's answer may be as large as the server lets it be; the command has no reason to refuse.
constexpr int kMaxAnswerBytes = 64 << 20;

// HealthCheckResponse { ServingStatus status = 1; }, SERVING = 1: too little to carry another
// generated service for.
constexpr char kServing[] = "\x08\x01";

}  // namespace

grpc::Status Connect(const std::string& endpoint, absl::Duration patience,
                     std::shared_ptr<grpc::Channel>* channel) {
  grpc::ChannelArguments arguments;
  arguments.SetInt(GRPC_ARG_ENABLE_HTTP_PROXY, 0);
  arguments.SetMaxReceiveMessageSize(kMaxAnswerBytes);
  *channel = grpc::CreateCustomChannel(endpoint, grpc::InsecureChannelCredentials(), arguments);
  const auto deadline = absl::ToChronoTime(absl::Now() + patience);
  grpc_connectivity_state state = (*channel)->GetState(/*try_to_connect=*/true);
  while (state != GRPC_CHANNEL_READY) {
    if (state == GRPC_CHANNEL_TRANSIENT_FAILURE || state == GRPC_CHANNEL_SHUTDOWN) {
      return {grpc::StatusCode::UNAVAILABLE, absl::StrCat("no server at ", endpoint)};
    }
    if (!(*channel)->WaitForStateChange(state, deadline)) {
      return {grpc::StatusCode::UNAVAILABLE, absl::StrCat("no connection to ", endpoint, " within ",
                                                          absl::FormatDuration(patience))};
    }
    state = (*channel)->GetState(/*try_to_connect=*/true);
  }
  return grpc::Status::OK;
}

void SetDeadline(absl::Duration time, grpc::ClientContext* context) {
  context->set_deadline(absl::ToChronoTime(absl::Now() + time));
}

grpc::Status CheckServing(const std::shared_ptr<grpc::Channel>& channel, absl::Duration time) {
  grpc::GenericStub stub(channel);
  grpc::ClientContext context;
  SetDeadline(time, &context);
  // An empty message: no service named means the whole server.
  const grpc::ByteBuffer request(nullptr, 0);
  grpc::ByteBuffer response;
  std::promise<grpc::Status> done;
  stub.UnaryCall(&context, "/grpc.health.v1.Health/Check", {}, &request, &response,
                 [&done](grpc::Status status) { done.set_value(std::move(status)); });
  grpc::Status status = done.get_future().get();
  if (!status.ok()) return status;
  std::vector<grpc::Slice> slices;
  std::string bytes;
  if (response.Dump(&slices).ok()) {
    for (const grpc::Slice& slice : slices) {
      bytes.append(reinterpret_cast<const char*>(slice.begin()), slice.size());
    }
  }
  if (bytes == kServing) return grpc::Status::OK;
  return {grpc::StatusCode::FAILED_PRECONDITION, "grpc.health says NOT_SERVING"};
}

}  // namespace lockstep::cli
