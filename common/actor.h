// A thread that owns some state, and a mailbox as the only way to it.
#ifndef LOCKSTEP_COMMON_ACTOR_H_
#define LOCKSTEP_COMMON_ACTOR_H_

#include <atomic>
#include <cstddef>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "absl/functional/any_invocable.h"
#include "absl/time/time.h"
#include "common/check.h"
#include "common/mailbox.h"
#include "common/thread_name.h"

namespace lockstep {

// Calls its handler with batches of messages, and its idle callback when none came for a while, all
// on one thread of its own: what only these two touch needs no lock. The thread starts in the
// constructor, so an Actor is the last member of its owner, after everything that they touch.
//
//   Actor<Message> actor("writer", /*capacity=*/1000, /*reserved=*/16,
//                        [&](std::vector<Message>& batch) { engine.Handle(batch); });
//   if (!actor.Push(std::move(message))) Refuse(message);
template <typename T>
class Actor {
 public:
  // Gets messages in the order in which they were pushed, at least one. The batch is the handler's
  // to move from; the vector's memory is used again.
  using Handler = absl::AnyInvocable<void(std::vector<T>& batch)>;
  using Idle = absl::AnyInvocable<void()>;

  // `idle` is called each time that no message came for `idle_after` since the last call of either
  // callback. See Mailbox for capacity and reserved.
  Actor(std::string thread_name, size_t capacity, size_t reserved, Handler handler,
        absl::Duration idle_after = absl::InfiniteDuration(), Idle idle = nullptr)
      : mailbox_(capacity, reserved),
        handler_(std::move(handler)),
        idle_(std::move(idle)),
        idle_after_(idle_after),
        thread_([this, name = std::move(thread_name)] { Run(name); }) {}

  // As Stop().
  ~Actor() { Stop(); }

  Actor(const Actor&) = delete;
  Actor& operator=(const Actor&) = delete;

  // Any thread, the actor's own too. As Mailbox::TryPush: refused when full or stopped, and then
  // `message` is as it was.
  [[nodiscard]] bool Push(T&& message, Place place = Place::kOrdinary) {
    return mailbox_.TryPush(std::move(message), place);
  }

  // The callbacks only: how long to wait for a message from now on, before the idle callback. Zero
  // calls it as soon as no message is there.
  void SetIdleAfter(absl::Duration idle_after) {
    LOCKSTEP_CHECK(OnActorThread(), "SetIdleAfter is for the actor's own callbacks");
    idle_after_ = idle_after;
  }

  // Refuses further messages, lets the handler have all that were accepted, and joins the thread.
  // May be repeated, but only from the thread that owns the actor.
  void Stop() {
    if (!thread_.joinable()) return;
    LOCKSTEP_CHECK(!OnActorThread(), "an actor cannot wait for its own end");
    mailbox_.Close();
    thread_.join();
  }

  // Any thread: how many messages wait, without the batch at work.
  size_t size() const { return mailbox_.size(); }
  // Any thread: whether Stop() has begun.
  bool stopped() const { return mailbox_.closed(); }
  // Any thread.
  bool OnActorThread() const { return std::this_thread::get_id() == thread_id_.load(); }

 private:
  void Run(const std::string& name) {
    thread_id_.store(std::this_thread::get_id());
    SetThreadName(name);
    std::vector<T> batch;
    while (mailbox_.PopAll(&batch, idle_ ? idle_after_ : absl::InfiniteDuration())) {
      if (!batch.empty()) {
        handler_(batch);
      } else if (idle_) {
        idle_();
      }
    }
  }

  Mailbox<T> mailbox_;
  Handler handler_;
  Idle idle_;
  absl::Duration idle_after_;  // the actor's thread only
  // Not thread_.get_id(): the thread may run before the constructor has stored that.
  std::atomic<std::thread::id> thread_id_{};
  std::thread thread_;  // last: everything it touches is made before it and outlives it
};

}  // namespace lockstep

#endif  // LOCKSTEP_COMMON_ACTOR_H_
