// A bounded queue from many threads to one.
#ifndef LOCKSTEP_COMMON_MAILBOX_H_
#define LOCKSTEP_COMMON_MAILBOX_H_

#include <condition_variable>
#include <cstddef>
#include <memory>
#include <mutex>
#include <utility>
#include <vector>

#include "absl/time/time.h"
#include "common/wake_batch.h"

namespace lockstep {

// Which places of a mailbox a message may take.
enum class Place {
  kOrdinary,  // those of clients
  kReserved,  // all: for calls that must not find the mailbox full because of clients
};

// Many producers, one consumer. Messages come out in the order in which they went in, whatever
// their place. The consumer takes all of them at once, so that one lock and one wake-up serve a
// whole batch, and a producer wakes the consumer only when that really sleeps (and at the end of
// its WakeBatch, if it has one).
//
//   Mailbox<Message> mailbox(/*capacity=*/1000, /*reserved=*/16);
//   if (!mailbox.TryPush(std::move(message), Place::kOrdinary)) Refuse(message);  // any thread
//   std::vector<Message> batch;
//   while (mailbox.PopAll(&batch, absl::InfiniteDuration())) Handle(batch);  // one thread
template <typename T>
class Mailbox {
 public:
  // Ordinary messages are refused when `capacity` messages wait, reserved ones when
  // `capacity + reserved` wait.
  Mailbox(size_t capacity, size_t reserved) : capacity_(capacity), reserved_(reserved) {}

  Mailbox(const Mailbox&) = delete;
  Mailbox& operator=(const Mailbox&) = delete;

  // Any thread; does not wait. False when there is no place left, or after Close(); then `message`
  // is as it was, so that its sender can be answered.
  [[nodiscard]] bool TryPush(T&& message, Place place) {
    bool wake = false;
    {
      std::lock_guard lock(mutex_);
      const size_t limit = place == Place::kReserved ? capacity_ + reserved_ : capacity_;
      if (closed_ || messages_.size() >= limit) return false;
      messages_.push_back(std::move(message));
      // Cleared here and not by the consumer: later messages need not wake it again.
      wake = std::exchange(consumer_sleeps_, false);
    }
    if (wake) WakeBatch::Wake(not_empty_);
    return true;
  }

  // The consumer's thread only. Empties *out, then waits until there is a message, `timeout` is
  // over, or the mailbox is closed, and moves all messages into *out, whose memory is reused when
  // the same vector is given again. True with *out empty after the timeout. False when the mailbox
  // is closed and nothing is left in it.
  bool PopAll(std::vector<T>* out, absl::Duration timeout) {
    out->clear();
    std::unique_lock lock(mutex_);
    if (messages_.empty() && !closed_ && timeout > absl::ZeroDuration()) {
      consumer_sleeps_ = true;
      WaitUntilWoken(lock, timeout);
      consumer_sleeps_ = false;
    }
    out->swap(messages_);
    return !(out->empty() && closed_);
  }

  // Any thread; may be repeated. Refuses what comes later; what was accepted stays to be popped.
  void Close() {
    {
      std::lock_guard lock(mutex_);
      closed_ = true;
      consumer_sleeps_ = false;
    }
    not_empty_->notify_one();
  }

  // Any thread. Tells why TryPush was refused: closed, or else full.
  bool closed() const {
    std::lock_guard lock(mutex_);
    return closed_;
  }

  // Any thread: how many messages wait, without those that were popped already.
  size_t size() const {
    std::lock_guard lock(mutex_);
    return messages_.size();
  }

  size_t capacity() const { return capacity_; }

  // Any thread: whether the consumer waits, and was not woken yet. For tests.
  bool consumer_sleeps() const {
    std::lock_guard lock(mutex_);
    return consumer_sleeps_;
  }

 private:
  void WaitUntilWoken(std::unique_lock<std::mutex>& lock, absl::Duration timeout) {
    const auto woken = [this] { return !consumer_sleeps_; };
    // Longer than this is for ever to everyone, and would overflow the library's arithmetic.
    if (timeout > absl::Hours(24 * 365)) {
      not_empty_->wait(lock, woken);
    } else {
      not_empty_->wait_for(lock, absl::ToChronoNanoseconds(timeout), woken);
    }
  }

  const size_t capacity_;
  const size_t reserved_;
  // Shared with the WakeBatches of producers, which may outlive the mailbox.
  const std::shared_ptr<std::condition_variable> not_empty_ =
      std::make_shared<std::condition_variable>();

  mutable std::mutex mutex_;  // guards what follows
  std::vector<T> messages_;
  bool consumer_sleeps_ = false;
  bool closed_ = false;
};

}  // namespace lockstep

#endif  // LOCKSTEP_COMMON_MAILBOX_H_
