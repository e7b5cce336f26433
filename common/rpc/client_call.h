// One unary call at a client, from its start until its answer.
#ifndef LOCKSTEP_COMMON_RPC_CLIENT_CALL_H_
#define LOCKSTEP_COMMON_RPC_CLIENT_CALL_H_

#include <grpcpp/generic/generic_stub.h>
#include <grpcpp/grpcpp.h>

#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <utility>

#include "absl/container/flat_hash_set.h"
#include "absl/functional/any_invocable.h"
#include "absl/time/time.h"
#include "common/rpc/queue_pool.h"

namespace lockstep::rpc {

// Calls that are cancelled together. Thread-safe.
class CallGroup {
 public:
  CallGroup() = default;
  CallGroup(const CallGroup&) = delete;
  CallGroup& operator=(const CallGroup&) = delete;

  // Cancels the calls that are under way, and from now on each one that is started.
  void CancelAll();

 private:
  friend class GroupMember;
  std::mutex mutex_;
  bool cancelled_ = false;
  absl::flat_hash_set<grpc::ClientContext*> contexts_;
};

// A call's place in its group, as long as it lives.
class GroupMember {
 public:
  GroupMember(std::shared_ptr<CallGroup> group, grpc::ClientContext* context);
  ~GroupMember();
  GroupMember(const GroupMember&) = delete;
  GroupMember& operator=(const GroupMember&) = delete;

 private:
  const std::shared_ptr<CallGroup> group_;
  grpc::ClientContext* const context_;
};

struct CallOptions {
  // From now on; must be finite, so that no call waits for ever.
  absl::Duration timeout = absl::Seconds(10);
  // False: fails at once with UNAVAILABLE while there is no connection. True: waits for one.
  bool wait_for_ready = false;
  // May be null.
  std::shared_ptr<CallGroup> group = nullptr;
};

// How a call ended. `response` means something only when status.ok(); `context` has the server's
// trailing metadata.
template <typename Response>
struct CallResult {
  grpc::Status status;
  Response response;
  std::unique_ptr<grpc::ClientContext> context;
};

// Called once: on the queue's thread, or inside the call that started it (with CANCELLED) when the
// queue was shut down. Must not block.
template <typename Response>
using OnDone = absl::AnyInvocable<void(CallResult<Response>)>;

namespace internal {

std::unique_ptr<grpc::ClientContext> NewContext(const CallOptions& options);
grpc::Status QueueShutDown();

// Owns itself from the start of the call until its one event.
template <typename Response>
class ClientCall final : public Tag {
 public:
  // Prepares with prepare(ClientContext*, CompletionQueue*), which returns a
  // unique_ptr<grpc::ClientAsyncResponseReader<Response>>.
  template <typename Prepare>
  static void Start(Queue* queue, const CallOptions& options, OnDone<Response> done,
                    Prepare&& prepare) {
    auto* call = new ClientCall(options, std::move(done));
    const bool started = queue->Start([&](grpc::CompletionQueue* completion_queue) {
      call->reader_ = prepare(call->result_.context.get(), completion_queue);
      call->reader_->StartCall();
      call->reader_->Finish(&call->result_.response, &call->result_.status, call);
    });
    if (started) return;
    call->result_.status = QueueShutDown();
    call->OnEvent(false);
  }

  void OnEvent(bool) noexcept override {
    member_.reset();
    OnDone<Response> done = std::move(done_);
    CallResult<Response> result = std::move(result_);
    delete this;
    done(std::move(result));
  }

 private:
  ClientCall(const CallOptions& options, OnDone<Response> done) : done_(std::move(done)) {
    result_.context = NewContext(options);
    if (options.group != nullptr) member_.emplace(options.group, result_.context.get());
  }
  ~ClientCall() override = default;

  OnDone<Response> done_;
  CallResult<Response> result_;
  std::optional<GroupMember> member_;
  std::unique_ptr<grpc::ClientAsyncResponseReader<Response>> reader_;
};

}  // namespace internal

// Starts a call of a generated stub's method: `prepare` is &Stub::PrepareAsyncXxx. The request is
// serialized before this returns. Any thread.
template <typename Stub, typename Request, typename Response>
void StartCall(Queue* queue, Stub* stub,
               std::unique_ptr<grpc::ClientAsyncResponseReader<Response>> (Stub::*prepare)(
                   grpc::ClientContext*, const Request&, grpc::CompletionQueue*),
               const Request& request, const CallOptions& options, OnDone<Response> done) {
  internal::ClientCall<Response>::Start(
      queue, options, std::move(done),
      [&](grpc::ClientContext* context, grpc::CompletionQueue* completion_queue) {
        return (stub->*prepare)(context, request, completion_queue);
      });
}

// Starts a call whose request is already serialized; the slices of `request` are shared, not
// copied. `method` is "/package.Service/Method".
template <typename Response>
void StartRawCall(Queue* queue, grpc::TemplatedGenericStub<grpc::ByteBuffer, Response>* stub,
                  const std::string& method, const grpc::ByteBuffer& request,
                  const CallOptions& options, OnDone<Response> done) {
  internal::ClientCall<Response>::Start(
      queue, options, std::move(done),
      [&](grpc::ClientContext* context, grpc::CompletionQueue* completion_queue) {
        return stub->PrepareUnaryCall(context, method, request, completion_queue);
      });
}

}  // namespace lockstep::rpc

#endif  // LOCKSTEP_COMMON_RPC_CLIENT_CALL_H_
