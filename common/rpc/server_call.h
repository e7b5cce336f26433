// One unary call at a server, from its arrival until it is answered.
#ifndef LOCKSTEP_COMMON_RPC_SERVER_CALL_H_
#define LOCKSTEP_COMMON_RPC_SERVER_CALL_H_

#include <grpcpp/grpcpp.h>

#include <atomic>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/time/time.h"
#include "common/check.h"
#include "common/error.h"
#include "common/rpc/error_details.h"
#include "common/rpc/queue_pool.h"

namespace lockstep::rpc {

// How one method is served.
struct MethodOptions {
  // Calls that may wait for their arrival, per queue; each costs memory for a request.
  int waiting_per_queue = 4;
  // Calls that have arrived and are not answered yet; one more is answered with QUEUE_FULL.
  int max_in_flight = 1000;
  // The setting that this follows, for the one who is refused; empty if it follows none.
  std::string setting = {};
  // Whether a server that is stopping answers SHUTTING_DOWN by itself.
  bool refuse_when_stopping = true;
};

namespace internal {

// What the calls of one method share.
struct MethodState {
  std::string name;
  MethodOptions options;
  const std::atomic<bool>* stopping = nullptr;
  std::atomic<int> in_flight{0};
};

// The answer to a call that `state` has no place for; nullopt if it has. Counts it as in flight.
std::optional<Error> Admit(MethodState* state);
// The answer to a call that its handler dropped.
grpc::Status DroppedStatus(const MethodState& state);
// What the caller's deadline leaves; infinite without one, zero or less when it has passed.
absl::Duration TimeLeft(const grpc::ServerContext& context);

template <typename Request, typename Response>
class CallSlot;

}  // namespace internal

// Owns the duty to answer one call: exactly one of Finish and Fail, from any thread, at any later
// time; a Call that is dropped unanswered answers INTERNAL. After its server has shut down
// answering does nothing. Must not outlive its Server. Not thread-safe itself.
template <typename Request, typename Response>
class [[nodiscard]] Call {
 public:
  Call(Call&& other) noexcept : slot_(std::exchange(other.slot_, nullptr)) {}
  Call& operator=(Call&& other) noexcept {
    if (this != &other) {
      Drop();
      slot_ = std::exchange(other.slot_, nullptr);
    }
    return *this;
  }
  ~Call() { Drop(); }

  // Whether it still has to be answered. What follows requires it.
  bool pending() const { return slot_ != nullptr; }

  // May be moved from.
  Request& request() { return slot_->request_; }

  // What the caller's deadline leaves from now on; infinite without one.
  absl::Duration TimeLeft() const { return internal::TimeLeft(*slot_->context_); }

  // Sent with the answer, whichever it is. Keys in lower case; values printable ASCII.
  void AddTrailingMetadata(const std::string& key, const std::string& value) {
    slot_->context_->AddTrailingMetadata(key, value);
  }

  // The response is serialized before this returns.
  void Finish(const Response& response) { Release()->Answer(&response, grpc::Status::OK); }
  void Fail(const Error& error) { FailWith(ToStatus(error)); }
  // For what has no Error.
  void FailWith(const grpc::Status& status) { Release()->Answer(nullptr, status); }

 private:
  using Slot = internal::CallSlot<Request, Response>;
  friend Slot;
  explicit Call(Slot* slot) : slot_(slot) {}

  Slot* Release() {
    LOCKSTEP_CHECK(slot_ != nullptr, "a call is answered once");
    return std::exchange(slot_, nullptr);
  }
  void Drop() {
    if (slot_ != nullptr) FailWith(internal::DroppedStatus(slot_->method()));
  }

  Slot* slot_;
};

// Takes over each call of a method. Runs on the queues' threads, on several of them at once, and
// must not block.
template <typename Request, typename Response>
using Handler = std::function<void(Call<Request, Response>)>;

namespace internal {

// Asks gRPC for the next call of a method: the generated AsyncService::RequestXxx.
template <typename Request, typename Response>
using RequestCall =
    std::function<void(grpc::ServerContext*, Request*, grpc::ServerAsyncResponseWriter<Response>*,
                       grpc::CompletionQueue*, void*)>;

template <typename Request, typename Response>
struct Method : MethodState {
  RequestCall<Request, Response> request_call;
  Handler<Request, Response> handler;
};

// Waits for a call, holds it until it is answered, then waits again. Owns itself: between calls
// only gRPC knows it.
template <typename Request, typename Response>
class CallSlot final : public Tag {
 public:
  // Waits for a call on `queue`; nothing happens once that is shut down. Both must outlive it.
  static void Post(Method<Request, Response>* method, Queue* queue) {
    (new CallSlot(method, queue))->Wait();
  }

  void OnEvent(bool ok) noexcept override {
    if (!arrived_) {
      if (ok) {
        Arrive();
      } else {
        delete this;  // the server is shutting down
      }
    } else {
      method_->in_flight.fetch_sub(1, std::memory_order_relaxed);
      delete this;
    }
  }

  const MethodState& method() const { return *method_; }

 private:
  friend class Call<Request, Response>;

  CallSlot(Method<Request, Response>* method, Queue* queue) : method_(method), queue_(queue) {
    context_.emplace();
    writer_.emplace(&*context_);
  }
  ~CallSlot() override = default;

  void Wait() {
    const bool started = queue_->Start([this](grpc::CompletionQueue* queue) {
      method_->request_call(&*context_, &request_, &*writer_, queue, this);
    });
    if (!started) delete this;
  }

  void Arrive() {
    arrived_ = true;
    Post(method_, queue_);
    Call<Request, Response> call(this);
    if (const std::optional<Error> refusal = Admit(method_)) {
      call.Fail(*refusal);
    } else {
      method_->handler(std::move(call));
    }
  }

  void Answer(const Response* response, const grpc::Status& status) {
    const bool started = queue_->Start([&](grpc::CompletionQueue*) {
      if (response != nullptr) {
        writer_->Finish(*response, status, this);
      } else {
        writer_->FinishWithError(status, this);
      }
    });
    if (started) return;
    method_->in_flight.fetch_sub(1, std::memory_order_relaxed);
    delete this;
  }

  Method<Request, Response>* const method_;
  Queue* const queue_;
  bool arrived_ = false;
  std::optional<grpc::ServerContext> context_;
  Request request_;
  std::optional<grpc::ServerAsyncResponseWriter<Response>> writer_;
};

}  // namespace internal
}  // namespace lockstep::rpc

#endif  // LOCKSTEP_COMMON_RPC_SERVER_CALL_H_
