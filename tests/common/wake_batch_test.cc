#include "common/wake_batch.h"

#include <gtest/gtest.h>

#include <atomic>
#include <memory>
#include <optional>
#include <thread>
#include <vector>

#include "absl/time/time.h"
#include "common/mailbox.h"

namespace lockstep {
namespace {

// Takes batches from a mailbox on a thread of its own, and counts its wake-ups.
class Consumer {
 public:
  Consumer()
      : thread_([this] {
          std::vector<int> batch;
          while (mailbox_.PopAll(&batch, absl::InfiniteDuration())) {
            sizes_.push_back(batch.size());
            taken_ += static_cast<int>(batch.size());
          }
        }) {}

  void Push(int number) { ASSERT_TRUE(mailbox_.TryPush(std::move(number), Place::kOrdinary)); }
  void WaitUntilItSleeps() const {
    while (!mailbox_.consumer_sleeps()) std::this_thread::yield();
  }
  void WaitUntilTaken(int count) const {
    while (taken_ < count) std::this_thread::yield();
  }
  // The sizes of the batches, in order.
  std::vector<size_t> Stop() {
    mailbox_.Close();
    thread_.join();
    return sizes_;
  }

 private:
  Mailbox<int> mailbox_{1000, 0};
  std::atomic<int> taken_ = 0;
  std::vector<size_t> sizes_;
  std::thread thread_;
};

// Often, because a consumer that is woken too early may still come too late to show it.
constexpr int kTimes = 200;

TEST(WakeBatchTest, AConsumerThatSleptGetsAllMessagesOfABatchAtOnce) {
  Consumer consumer;
  for (int time = 1; time <= kTimes; ++time) {
    consumer.WaitUntilItSleeps();
    {
      const WakeBatch batch;
      for (int i = 0; i < 10; ++i) consumer.Push(i);
    }
    consumer.WaitUntilTaken(10 * time);
  }
  EXPECT_EQ(consumer.Stop(), std::vector<size_t>(kTimes, 10));
}

TEST(WakeBatchTest, WithoutABatchTheWakeUpComesWithTheMessage) {
  Consumer consumer;
  consumer.WaitUntilItSleeps();
  consumer.Push(1);
  consumer.WaitUntilTaken(1);
  EXPECT_EQ(consumer.Stop(), std::vector<size_t>{1});
}

TEST(WakeBatchTest, ABatchInsideAnotherEndsWithTheOuterOne) {
  Consumer consumer;
  consumer.WaitUntilItSleeps();
  {
    const WakeBatch outer;
    {
      const WakeBatch inner;
      consumer.Push(1);
    }
    consumer.Push(2);
  }
  consumer.WaitUntilTaken(2);
  EXPECT_EQ(consumer.Stop(), std::vector<size_t>{2});
}

TEST(WakeBatchTest, AMailboxMayEndBeforeTheBatchThatOwesItAWakeUp) {
  const WakeBatch batch;
  auto consumer = std::make_unique<Consumer>();
  consumer->WaitUntilItSleeps();
  consumer->Push(1);
  EXPECT_EQ(consumer->Stop(), std::vector<size_t>{1});
  consumer.reset();
}

}  // namespace
}  // namespace lockstep
