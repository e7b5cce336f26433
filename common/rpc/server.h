// A gRPC server: its services, queues, health and reflection, and how it stops.
#ifndef LOCKSTEP_COMMON_RPC_SERVER_H_
#define LOCKSTEP_COMMON_RPC_SERVER_H_

#include <grpcpp/grpcpp.h>
#include <grpcpp/impl/service_type.h>

#include <atomic>
#include <functional>
#include <memory>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/time/time.h"
#include "common/rpc/channel.h"
#include "common/rpc/health.h"
#include "common/rpc/queue_pool.h"
#include "common/rpc/reflection.h"
#include "common/rpc/server_call.h"

namespace lockstep::rpc {

struct ServerOptions {
  // "host:port"; port 0 takes a free one.
  std::string address;
  // Completion queues, with a thread each. Measured: every further thread that waits for events
  // costs CPU time in each call, so more than one pays only when one cannot keep up.
  int queues = 1;
  int max_receive_bytes = kMaxRequestBytes;
};

// Use: construct, Add and Handle, Start, SetServing(true) when ready; at the end StopServing, let
// what works on calls come to its end, then DrainQueues. One thread calls all of these.
class Server {
 public:
  explicit Server(ServerOptions options);
  // StopServing without grace, then DrainQueues. Every Call must be gone before.
  ~Server();
  Server(const Server&) = delete;
  Server& operator=(const Server&) = delete;

  // Adds a generated service, such as v1::CoordinatorService; the server owns it. Before Start.
  // Each of its methods needs a handler: calls of one without wait for ever.
  template <typename Service>
  typename Service::AsyncService* Add() {
    auto owned = std::make_unique<typename Service::AsyncService>();
    auto* service = owned.get();
    AddService(std::move(owned), Service::service_full_name());
    return service;
  }

  // Serves one method of an added service: `request_method` is &AsyncService::RequestXxx. Before
  // Start.
  template <typename Service, typename Base, typename Request, typename Response>
  void Handle(Service* service,
              void (Base::*request_method)(grpc::ServerContext*, Request*,
                                           grpc::ServerAsyncResponseWriter<Response>*,
                                           grpc::CompletionQueue*, grpc::ServerCompletionQueue*,
                                           void*),
              std::string name, const MethodOptions& options,
              std::type_identity_t<Handler<Request, Response>> handler) {
    auto method = std::make_shared<internal::Method<Request, Response>>();
    method->name = std::move(name);
    method->options = options;
    method->stopping = &stopping_;
    method->handler = std::move(handler);
    method->request_call = [service, request_method](
                               grpc::ServerContext* context, Request* request,
                               grpc::ServerAsyncResponseWriter<Response>* writer,
                               grpc::CompletionQueue* queue, void* tag) {
      (service->*request_method)(context, request, writer, queue,
                                 static_cast<grpc::ServerCompletionQueue*>(queue), tag);
    };
    AddMethod(method, [method](Queue* queue) {
      internal::CallSlot<Request, Response>::Post(method.get(), queue);
    });
  }

  // Listens and serves; health says NOT_SERVING until SetServing(true). Fails with a sentence that
  // names the address when it cannot be listened on.
  absl::Status Start();

  // The port that is listened on, after Start.
  int port() const { return port_; }

  // What health says, for "" and for each service. After Start; any thread.
  void SetServing(bool serving);

  // The server's queues: clients of the same process may use them too, and save a thread. Calls
  // that they start before Start proceed with it.
  QueuePool& queues() { return queues_; }

  // Health says NOT_SERVING, and new calls are refused with SHUTTING_DOWN; those under way go on.
  // May be called again.
  void Refuse();

  // As Refuse, and connections are closed as they become idle. Returns when all calls are answered,
  // or when `grace` is over and those left were cancelled. The queues still run. May be called
  // again.
  void StopServing(absl::Duration grace);

  // Waits until the queues' last event was delivered, and ends their threads: clients that share
  // them can start no call any more. After StopServing; may be called again.
  void DrainQueues();

 private:
  using Post = std::function<void(Queue*)>;

  void AddService(std::unique_ptr<grpc::Service> service, std::string name);
  void AddMethod(std::shared_ptr<internal::MethodState> method, Post post);
  void Serve(Queue* queue);

  // In this order: whatever is destroyed first may use what stands above it.
  const ServerOptions options_;
  std::atomic<bool> stopping_{false};
  bool shut_down_ = false;
  std::vector<std::pair<std::shared_ptr<internal::MethodState>, Post>> methods_;
  std::vector<std::unique_ptr<grpc::Service>> services_;
  std::vector<std::string> service_names_;
  Health health_;
  Health::Service::AsyncService* health_service_ = nullptr;
  std::unique_ptr<Reflection> reflection_;
  Reflection::Service::AsyncService* reflection_service_ = nullptr;
  int port_ = 0;
  std::unique_ptr<grpc::ServerBuilder> builder_;
  std::unique_ptr<grpc::Server> server_;
  QueuePool queues_;
};

}  // namespace lockstep::rpc

#endif  // LOCKSTEP_COMMON_RPC_SERVER_H_
