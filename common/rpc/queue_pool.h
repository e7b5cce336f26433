// Completion queues with one polling thread each: the only threads that gRPC's events run on.
//
// What runs in an event must not block: it delays every other call of its queue.
#ifndef LOCKSTEP_COMMON_RPC_QUEUE_POOL_H_
#define LOCKSTEP_COMMON_RPC_QUEUE_POOL_H_

#include <grpcpp/grpcpp.h>

#include <atomic>
#include <cstdint>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "absl/functional/any_invocable.h"

namespace lockstep::rpc {

// What a completion queue hands back. The object behind a tag stays alive until its last
// outstanding event was delivered.
class Tag {
 public:
  // Called once per started operation, on the thread of the queue that it was started on.
  virtual void OnEvent(bool ok) noexcept = 0;

 protected:
  Tag() = default;
  Tag(const Tag&) = delete;
  Tag& operator=(const Tag&) = delete;
  virtual ~Tag() = default;
};

// One completion queue and its thread.
class Queue {
 public:
  explicit Queue(std::unique_ptr<grpc::CompletionQueue> queue);
  // Shuts the queue down, waits for what was started, and joins the thread.
  ~Queue();
  Queue(const Queue&) = delete;
  Queue& operator=(const Queue&) = delete;

  // Starts the polling thread. Call once.
  void Run(const std::string& thread_name);

  // The queue itself; to start an operation on it, go through Start.
  grpc::CompletionQueue* completion_queue() { return queue_.get(); }

  // Calls start(grpc::CompletionQueue*), which must start exactly one operation, unless Shutdown
  // was called: then returns false, and the operation's event never comes. Any thread.
  template <typename StartOperation>
  [[nodiscard]] bool Start(StartOperation&& start) {
    if (!Enter()) return false;
    std::forward<StartOperation>(start)(queue_.get());
    Leave();
    return true;
  }

  // Runs `task` on the queue's thread, tasks in the order in which they were posted; after Shutdown
  // on a thread that posts. Any thread. Tasks that come while others wait cost no wake-up.
  // Measured: to answer a batch of calls in one task costs a tenth less CPU time than to answer
  // them on the thread that worked on them, and the clients' next calls come closer together.
  void Post(absl::AnyInvocable<void()> task);

  // Starts no more operations from now on. Events of those already started still come. Any thread.
  void Shutdown();

  // Waits until the last event was delivered. After Shutdown only; not on the queue's thread.
  void Join();

 private:
  static constexpr uint32_t kClosed = 1;
  static constexpr uint32_t kStarting = 2;

  void RunTasks();
  bool Enter();
  void Leave();
  void Poll();

  // kClosed, plus kStarting for each thread inside Start: starting anything on a queue after its
  // Shutdown aborts the process, so the last one out shuts it down.
  std::atomic<uint32_t> gate_{0};
  std::atomic<bool> queue_shut_down_{false};
  const std::unique_ptr<grpc::CompletionQueue> queue_;
  std::mutex tasks_mutex_;
  std::vector<absl::AnyInvocable<void()>> tasks_;
  std::thread thread_;
};

// A fixed set of queues, used in turn.
class QueuePool {
 public:
  // For clients. The threads run from the start. Requires queues >= 1.
  QueuePool(int queues, const std::string& thread_name);
  // For the server that `builder` builds, and for clients that share its threads; call Run after
  // BuildAndStart.
  QueuePool(grpc::ServerBuilder* builder, int queues);
  // Shutdown and Join. A server that uses the queues must have been shut down before.
  ~QueuePool();

  void Run(const std::string& thread_name);
  Queue* Next();
  int size() const { return static_cast<int>(queues_.size()); }
  Queue* at(int index) { return queues_[static_cast<size_t>(index)].get(); }

  // As of each queue. Both may be called again.
  void Shutdown();
  void Join();

 private:
  std::atomic<uint32_t> next_{0};
  std::vector<std::unique_ptr<Queue>> queues_;
};

}  // namespace lockstep::rpc

#endif  // LOCKSTEP_COMMON_RPC_QUEUE_POOL_H_
