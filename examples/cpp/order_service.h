// A small order service on Lockstep: an order pays from a wallet and is recorded, both or neither.
#ifndef LOCKSTEP_EXAMPLES_CPP_ORDER_SERVICE_H_
#define LOCKSTEP_EXAMPLES_CPP_ORDER_SERVICE_H_

#include <grpcpp/grpcpp.h>

#include <chrono>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <stdexcept>
#include <string>
#include <vector>

#include "lockstep/v1/coordinator.grpc.pb.h"

namespace example {

// Nothing happened, and the same request would not do better.
class Refused : public std::runtime_error {
 public:
  Refused(const std::string& message, std::string reason,
          std::map<std::string, std::string> metadata)
      : std::runtime_error(message), reason_(std::move(reason)), metadata_(std::move(metadata)) {}

  const std::string& reason() const { return reason_; }
  const std::string& metadata(const std::string& key) const { return metadata_.at(key); }

 private:
  std::string reason_;
  std::map<std::string, std::string> metadata_;
};

// Any number of threads may use it at once.
class OrderService {
 public:
  struct Placed {
    int64_t coins_left = 0;
    bool before = false;  // the order had been placed by an earlier call
  };

  explicit OrderService(const std::shared_ptr<grpc::Channel>& channel)
      : stub_(lockstep::v1::CoordinatorService::NewStub(channel)) {}

  // Makes the tables and a wallet. Throws as Execute.
  void SetUp();
  // Throws Refused when the wallet has too little, and as Execute.
  Placed Place(const std::string& order, const std::string& owner, int64_t coins);
  // Gives up at once, and then finds out what became of it: whether the order is placed.
  bool PlaceHastily(const std::string& order, const std::string& owner, int64_t coins);
  // The rows of a SELECT. Throws std::runtime_error.
  std::vector<lockstep::v1::Row> Query(const std::string& database, const std::string& sql);

 private:
  // Runs a request that has a request_id, once, however often it has to be sent.
  lockstep::v1::ExecuteResponse Execute(lockstep::v1::ExecuteRequest request,
                                        uint32_t first_attempt = 1);
  // How a request ended, without sending it again: committed, aborted, or not known here, which
  // does not mean aborted. No lower attempt can happen after that.
  std::optional<bool> Resolve(const std::string& request_id, uint32_t attempt);

  std::unique_ptr<lockstep::v1::CoordinatorService::Stub> stub_;
};

}  // namespace example

#endif  // LOCKSTEP_EXAMPLES_CPP_ORDER_SERVICE_H_
