// Wake-ups that wait until a thread has handed out all the work that it has at hand.
#ifndef LOCKSTEP_COMMON_WAKE_BATCH_H_
#define LOCKSTEP_COMMON_WAKE_BATCH_H_

#include <condition_variable>
#include <memory>
#include <vector>

namespace lockstep {

// While one exists, the wake-ups that its thread gives through Wake wait; its end gives them. So a
// thread that hands over many messages in a row wakes the one that takes them once, and that one
// finds them all: a sleeping thread costs both sides more than a small message does. What is handed
// over waits for as long as the batch lasts, so a batch ends before its thread waits for anything.
//
//   WakeBatch batch;
//   while (there is something) mailbox.TryPush(...);
//
// One thread uses it. A batch inside another does nothing of its own.
class WakeBatch {
 public:
  WakeBatch();
  ~WakeBatch();
  WakeBatch(const WakeBatch&) = delete;
  WakeBatch& operator=(const WakeBatch&) = delete;

  // Wakes the one thread that waits on `sleeper`: at once, or with this thread's batch.
  static void Wake(const std::shared_ptr<std::condition_variable>& sleeper);

 private:
  static thread_local WakeBatch* current_;

  const bool is_outer_;
  std::vector<std::shared_ptr<std::condition_variable>> sleepers_;
};

}  // namespace lockstep

#endif  // LOCKSTEP_COMMON_WAKE_BATCH_H_
