#include "common/rpc/queue_pool.h"

#include <grpcpp/alarm.h>
#include <pthread.h>

#include "common/check.h"
#include "common/wake_batch.h"

namespace lockstep::rpc {

namespace {

// Whoever gets work from the events waits until the last of a batch: no longer than for a few.
constexpr int kMostEventsABatch = 32;

// Comes back on the queue's thread at once; owns itself until then.
class Wakeup final : public Tag {
 public:
  static bool Start(Queue* queue, absl::AnyInvocable<void()> then) {
    auto* wakeup = new Wakeup(std::move(then));
    const bool started = queue->Start([wakeup](grpc::CompletionQueue* completion_queue) {
      wakeup->alarm_.Set(completion_queue, gpr_inf_past(GPR_CLOCK_MONOTONIC),
                         static_cast<Tag*>(wakeup));
    });
    if (!started) delete wakeup;
    return started;
  }

  void OnEvent(bool) noexcept override {
    then_();
    delete this;
  }

 private:
  explicit Wakeup(absl::AnyInvocable<void()> then) : then_(std::move(then)) {}
  ~Wakeup() override = default;

  absl::AnyInvocable<void()> then_;
  grpc::Alarm alarm_;
};

}  // namespace

Queue::Queue(std::unique_ptr<grpc::CompletionQueue> queue) : queue_(std::move(queue)) {}

Queue::~Queue() {
  Shutdown();
  // gRPC wants a queue drained before it goes, also one that never had a thread.
  if (!thread_.joinable()) Poll();
  Join();
}

void Queue::Run(const std::string& thread_name) {
  LOCKSTEP_CHECK(!thread_.joinable(), "a queue has one thread");
  thread_ = std::thread([this] { Poll(); });
  // The kernel takes 15 characters.
  pthread_setname_np(thread_.native_handle(), thread_name.substr(0, 15).c_str());
}

bool Queue::Enter() {
  const uint32_t before = gate_.fetch_add(kStarting, std::memory_order_acquire);
  if ((before & kClosed) == 0) return true;
  Leave();
  return false;
}

void Queue::Leave() {
  if (gate_.fetch_sub(kStarting, std::memory_order_acq_rel) != (kClosed | kStarting)) return;
  // Several threads may be the last one out, since Enter also counts those that it turns away.
  if (!queue_shut_down_.exchange(true)) queue_->Shutdown();
}

void Queue::Post(absl::AnyInvocable<void()> task) {
  {
    std::lock_guard lock(tasks_mutex_);
    tasks_.push_back(std::move(task));
    if (tasks_.size() > 1) return;  // whoever posted the first has seen to them all
  }
  if (!Wakeup::Start(this, [this] { RunTasks(); })) RunTasks();
}

void Queue::RunTasks() {
  std::vector<absl::AnyInvocable<void()>> tasks;
  {
    std::lock_guard lock(tasks_mutex_);
    tasks.swap(tasks_);
  }
  for (auto& task : tasks) task();
}

void Queue::Shutdown() {
  // Leave as one that has entered: whoever is last, this thread or one inside Start, closes it.
  gate_.fetch_add(kStarting, std::memory_order_acquire);
  gate_.fetch_or(kClosed, std::memory_order_acq_rel);
  Leave();
}

void Queue::Join() {
  if (thread_.joinable()) thread_.join();
}

void Queue::Poll() {
  void* tag = nullptr;
  bool ok = false;
  while (queue_->Next(&tag, &ok)) {
    const WakeBatch wakes;
    int handled = 0;
    do {
      static_cast<Tag*>(tag)->OnEvent(ok);
    } while (++handled < kMostEventsABatch &&
             queue_->AsyncNext(&tag, &ok, gpr_inf_past(GPR_CLOCK_MONOTONIC)) ==
                 grpc::CompletionQueue::GOT_EVENT);
  }
}

QueuePool::QueuePool(int queues, const std::string& thread_name) {
  LOCKSTEP_CHECK(queues >= 1, "a pool has a queue");
  for (int i = 0; i < queues; ++i) {
    queues_.push_back(std::make_unique<Queue>(std::make_unique<grpc::CompletionQueue>()));
  }
  Run(thread_name);
}

QueuePool::QueuePool(grpc::ServerBuilder* builder, int queues) {
  LOCKSTEP_CHECK(queues >= 1, "a pool has a queue");
  for (int i = 0; i < queues; ++i) {
    queues_.push_back(std::make_unique<Queue>(builder->AddCompletionQueue()));
  }
}

QueuePool::~QueuePool() {
  Shutdown();
  Join();
}

void QueuePool::Run(const std::string& thread_name) {
  for (auto& queue : queues_) queue->Run(thread_name);
}

Queue* QueuePool::Next() {
  if (queues_.size() == 1) return queues_.front().get();
  return queues_[next_.fetch_add(1, std::memory_order_relaxed) % queues_.size()].get();
}

void QueuePool::Shutdown() {
  for (auto& queue : queues_) queue->Shutdown();
}

void QueuePool::Join() {
  for (auto& queue : queues_) queue->Join();
}

}  // namespace lockstep::rpc
