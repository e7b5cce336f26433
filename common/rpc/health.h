// grpc.health.v1.Health on the server's own queues.
//
// gRPC's default implementation runs on threads of its own, which compete with the queues for
// every event of the process: that costs a third of the CPU time of each call, and it says SERVING
// for an instant at start.
#ifndef LOCKSTEP_COMMON_RPC_HEALTH_H_
#define LOCKSTEP_COMMON_RPC_HEALTH_H_

#include <grpcpp/grpcpp.h>

#include <map>
#include <memory>
#include <mutex>
#include <set>
#include <string>

#include "common/rpc/queue_pool.h"
#include "common/rpc/server_call.h"
#include "grpc/health/v1/health.grpc.pb.h"

namespace lockstep::rpc {

// Thread-safe. Must outlive the queue's last event.
class Health {
 public:
  using Request = grpc::health::v1::HealthCheckRequest;
  using Response = grpc::health::v1::HealthCheckResponse;
  using Service = grpc::health::v1::Health;

  Health() = default;
  Health(const Health&) = delete;
  Health& operator=(const Health&) = delete;

  // From now on `service` is known, and NOT_SERVING.
  void Add(const std::string& service);
  // Of "" and every known service. Does nothing after Stop.
  void SetServing(bool serving);
  // NOT_SERVING from now on; ends all Watch calls.
  void Stop();

  // Answers Check.
  void Check(Call<Request, Response> call);
  // Serves Watch on `queue`.
  void ServeWatch(Service::AsyncService* service, Queue* queue);

 private:
  class WatchCall;

  Response::ServingStatus StatusLocked(const std::string& service) const;

  std::mutex mutex_;
  bool serving_ = false;
  bool stopped_ = false;
  std::set<std::string> services_{""};
  std::set<WatchCall*> watchers_;
};

}  // namespace lockstep::rpc

#endif  // LOCKSTEP_COMMON_RPC_HEALTH_H_
