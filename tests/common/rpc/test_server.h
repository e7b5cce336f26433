// A server whose Execute does what the test says, and a client that waits.
#ifndef LOCKSTEP_TESTS_COMMON_RPC_TEST_SERVER_H_
#define LOCKSTEP_TESTS_COMMON_RPC_TEST_SERVER_H_

#include <grpcpp/grpcpp.h>
#include <gtest/gtest.h>

#include <chrono>
#include <condition_variable>
#include <deque>
#include <functional>
#include <future>
#include <memory>
#include <mutex>
#include <string>
#include <utility>

#include "common/rpc/channel.h"
#include "common/rpc/client_call.h"
#include "common/rpc/server.h"
#include "lockstep/v1/coordinator.grpc.pb.h"

namespace lockstep::rpc {

using ExecuteCall = Call<v1::ExecuteRequest, v1::ExecuteResponse>;
using ExecuteResult = CallResult<v1::ExecuteResponse>;

inline constexpr std::chrono::seconds kTestTimeout{20};

// The value, or a failure and a default one if it does not come.
template <typename T>
T Await(std::future<T> future) {
  if (future.wait_for(kTestTimeout) != std::future_status::ready) {
    ADD_FAILURE() << "it did not come";
    return T();
  }
  return future.get();
}

// Keeps calls for the test to answer. Thread-safe.
class CallShelf {
 public:
  void Put(ExecuteCall call) {
    std::lock_guard lock(mutex_);
    calls_.push_back(std::move(call));
    changed_.notify_all();
  }

  ExecuteCall Take() {
    std::unique_lock lock(mutex_);
    const bool came = changed_.wait_for(lock, kTestTimeout, [this] { return !calls_.empty(); });
    LOCKSTEP_CHECK(came, "no call came");
    ExecuteCall call = std::move(calls_.front());
    calls_.pop_front();
    return call;
  }

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  std::deque<ExecuteCall> calls_;
};

class TestServer {
 public:
  explicit TestServer(std::function<void(ExecuteCall)> handler, MethodOptions method = {},
                      ServerOptions options = {.address = "127.0.0.1:0"})
      : server_(std::move(options)) {
    auto* service = server_.Add<v1::CoordinatorService>();
    server_.Handle(service, &v1::CoordinatorService::AsyncService::RequestExecute, "Execute",
                   method, std::move(handler));
    const absl::Status started = server_.Start();
    LOCKSTEP_CHECK(started.ok(), started.ToString());
    server_.SetServing(true);
  }

  Server* operator->() { return &server_; }
  std::string address() const { return "127.0.0.1:" + std::to_string(server_.port()); }

 private:
  Server server_;
};

class TestClient {
 public:
  explicit TestClient(const std::string& address)
      : channel_(InternalChannel(address)), stub_(channel_), queues_(1, "test-client") {}

  std::future<ExecuteResult> Execute(v1::ExecuteRequest request = {}, CallOptions options = {}) {
    auto promise = std::make_shared<std::promise<ExecuteResult>>();
    StartCall<v1::CoordinatorService::Stub, v1::ExecuteRequest, v1::ExecuteResponse>(
        queues_.Next(), &stub_, &v1::CoordinatorService::Stub::PrepareAsyncExecute, request,
        options, [promise](ExecuteResult result) { promise->set_value(std::move(result)); });
    return promise->get_future();
  }

  const std::shared_ptr<grpc::Channel>& channel() const { return channel_; }
  QueuePool& queues() { return queues_; }

 private:
  const std::shared_ptr<grpc::Channel> channel_;
  v1::CoordinatorService::Stub stub_;
  QueuePool queues_;
};

}  // namespace lockstep::rpc

#endif  // LOCKSTEP_TESTS_COMMON_RPC_TEST_SERVER_H_
