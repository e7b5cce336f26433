#include "bench/empty_server.h"

#include "absl/strings/str_cat.h"
#include "common/rpc/server.h"
#include "lockstep/v1/coordinator.grpc.pb.h"

namespace lockstep::bench {
namespace {

using Service = v1::CoordinatorService;
using ExecuteCall = rpc::Call<v1::ExecuteRequest, v1::ExecuteResponse>;

class RpcEmptyServer final : public EmptyServer {
 public:
  RpcEmptyServer() : server_({.address = "127.0.0.1:0"}) {
    auto* service = server_.Add<Service>();
    // As many waiting calls as the coordinator has.
    server_.Handle(service, &Service::AsyncService::RequestExecute, "Execute",
                   {.waiting_per_queue = 64},
                   [](ExecuteCall call) { call.Finish(v1::ExecuteResponse()); });
  }

  absl::Status Listen() { return server_.Start(); }
  std::string endpoint() const override { return absl::StrCat("127.0.0.1:", server_.port()); }

 private:
  rpc::Server server_;
};

}  // namespace

absl::StatusOr<std::unique_ptr<EmptyServer>> EmptyServer::Start() {
  auto server = std::make_unique<RpcEmptyServer>();
  if (absl::Status listening = server->Listen(); !listening.ok()) return listening;
  return server;
}

}  // namespace lockstep::bench
