// grpc.reflection.v1alpha.ServerReflection on the server's own queues; see health.h for why gRPC's
// own implementation is not used.
#ifndef LOCKSTEP_COMMON_RPC_REFLECTION_H_
#define LOCKSTEP_COMMON_RPC_REFLECTION_H_

#include <grpcpp/grpcpp.h>

#include <mutex>
#include <set>
#include <string>
#include <vector>

#include "common/rpc/queue_pool.h"
#include "grpc/reflection/v1alpha/reflection.grpc.pb.h"

namespace lockstep::rpc {

// The answer to one question, from the descriptors that are linked into this program. Thread-safe.
grpc::reflection::v1alpha::ServerReflectionResponse Reflect(
    const grpc::reflection::v1alpha::ServerReflectionRequest& request,
    const std::vector<std::string>& services);

// Thread-safe. Must outlive the queue's last event.
class Reflection {
 public:
  using Service = grpc::reflection::v1alpha::ServerReflection;

  // `services` are those that list_services tells.
  explicit Reflection(std::vector<std::string> services) : services_(std::move(services)) {}
  Reflection(const Reflection&) = delete;
  Reflection& operator=(const Reflection&) = delete;

  void Serve(Service::AsyncService* service, Queue* queue);
  // Cancels all calls.
  void Stop();

 private:
  class InfoCall;

  const std::vector<std::string> services_;
  std::mutex mutex_;
  bool stopped_ = false;
  std::set<InfoCall*> calls_;
};

}  // namespace lockstep::rpc

#endif  // LOCKSTEP_COMMON_RPC_REFLECTION_H_
