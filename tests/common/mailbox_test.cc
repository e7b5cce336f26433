#include "common/mailbox.h"

#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "absl/time/time.h"

namespace lockstep {
namespace {

constexpr absl::Duration kForever = absl::InfiniteDuration();
constexpr absl::Duration kNoWait = absl::ZeroDuration();

TEST(MailboxTest, PopAllTakesEverythingInTheOrderOfThePushes) {
  Mailbox<int> mailbox(8, 8);
  for (int i = 0; i < 8; ++i) {
    ASSERT_TRUE(mailbox.TryPush(int{i}, i % 2 == 0 ? Place::kOrdinary : Place::kReserved));
  }
  EXPECT_EQ(mailbox.size(), 8u);
  std::vector<int> batch = {99};
  EXPECT_TRUE(mailbox.PopAll(&batch, kForever));
  EXPECT_EQ(batch, (std::vector<int>{0, 1, 2, 3, 4, 5, 6, 7}));
  EXPECT_EQ(mailbox.size(), 0u);
}

TEST(MailboxTest, OrdinaryMessagesAreRefusedAtCapacityAndLeaveTheReservedPlaces) {
  Mailbox<int> mailbox(2, 1);
  EXPECT_TRUE(mailbox.TryPush(1, Place::kOrdinary));
  EXPECT_TRUE(mailbox.TryPush(2, Place::kOrdinary));
  EXPECT_FALSE(mailbox.TryPush(3, Place::kOrdinary));
  EXPECT_TRUE(mailbox.TryPush(4, Place::kReserved));
  EXPECT_FALSE(mailbox.TryPush(5, Place::kReserved));
  EXPECT_FALSE(mailbox.TryPush(6, Place::kOrdinary));
  EXPECT_FALSE(mailbox.closed());
  std::vector<int> batch;
  EXPECT_TRUE(mailbox.PopAll(&batch, kNoWait));
  EXPECT_EQ(batch, (std::vector<int>{1, 2, 4}));
}

TEST(MailboxTest, ReservedMessagesMayFillOrdinaryPlacesToo) {
  Mailbox<int> mailbox(1, 1);
  EXPECT_TRUE(mailbox.TryPush(1, Place::kReserved));
  EXPECT_FALSE(mailbox.TryPush(2, Place::kOrdinary));
  EXPECT_TRUE(mailbox.TryPush(3, Place::kReserved));
}

TEST(MailboxTest, PopAllMakesTheMailboxEmptyForProducers) {
  Mailbox<int> mailbox(1, 0);
  std::vector<int> batch;
  for (int i = 0; i < 3; ++i) {
    EXPECT_TRUE(mailbox.TryPush(int{i}, Place::kOrdinary));
    EXPECT_FALSE(mailbox.TryPush(7, Place::kOrdinary));
    ASSERT_TRUE(mailbox.PopAll(&batch, kForever));
    EXPECT_EQ(batch, std::vector<int>{i});
  }
}

TEST(MailboxTest, ARefusedMessageIsNotMovedFrom) {
  Mailbox<std::unique_ptr<std::string>> mailbox(0, 0);
  auto message = std::make_unique<std::string>("still here");
  EXPECT_FALSE(mailbox.TryPush(std::move(message), Place::kReserved));
  ASSERT_NE(message, nullptr);
  EXPECT_EQ(*message, "still here");

  Mailbox<std::unique_ptr<std::string>> closed(1, 0);
  closed.Close();
  EXPECT_FALSE(closed.TryPush(std::move(message), Place::kOrdinary));
  ASSERT_NE(message, nullptr);
}

TEST(MailboxTest, PopAllIsTrueAndEmptyAfterTheTimeout) {
  Mailbox<int> mailbox(1, 0);
  std::vector<int> batch = {1};
  EXPECT_TRUE(mailbox.PopAll(&batch, absl::Milliseconds(1)));
  EXPECT_TRUE(batch.empty());
  EXPECT_TRUE(mailbox.PopAll(&batch, kNoWait));
  EXPECT_TRUE(mailbox.PopAll(&batch, -kForever));
  EXPECT_TRUE(batch.empty());
}

TEST(MailboxTest, AMessageAfterATimeoutIsStillPopped) {
  Mailbox<int> mailbox(1, 0);
  std::vector<int> batch;
  ASSERT_TRUE(mailbox.PopAll(&batch, absl::Milliseconds(1)));
  ASSERT_TRUE(mailbox.TryPush(5, Place::kOrdinary));
  ASSERT_TRUE(mailbox.PopAll(&batch, kForever));
  EXPECT_EQ(batch, std::vector<int>{5});
}

TEST(MailboxTest, CloseRefusesPushesAndLeavesWhatWasAccepted) {
  Mailbox<int> mailbox(4, 4);
  ASSERT_TRUE(mailbox.TryPush(1, Place::kOrdinary));
  mailbox.Close();
  mailbox.Close();
  EXPECT_TRUE(mailbox.closed());
  EXPECT_FALSE(mailbox.TryPush(2, Place::kOrdinary));
  EXPECT_FALSE(mailbox.TryPush(3, Place::kReserved));
  std::vector<int> batch;
  EXPECT_TRUE(mailbox.PopAll(&batch, kForever));
  EXPECT_EQ(batch, std::vector<int>{1});
  EXPECT_FALSE(mailbox.PopAll(&batch, kForever));
  EXPECT_TRUE(batch.empty());
  EXPECT_FALSE(mailbox.PopAll(&batch, kNoWait));
}

TEST(MailboxTest, CloseWakesAWaitingConsumer) {
  for (int i = 0; i < 200; ++i) {
    Mailbox<int> mailbox(1, 0);
    std::thread consumer([&] {
      std::vector<int> batch;
      EXPECT_FALSE(mailbox.PopAll(&batch, kForever));
    });
    mailbox.Close();
    consumer.join();
  }
}

TEST(MailboxTest, ThePoppedVectorsMemoryIsUsedAgain) {
  Mailbox<int> mailbox(64, 0);
  std::vector<int> batch;
  std::vector<const int*> memory;
  for (int turn = 0; turn < 6; ++turn) {
    for (int i = 0; i < 64; ++i) ASSERT_TRUE(mailbox.TryPush(int{i}, Place::kOrdinary));
    ASSERT_TRUE(mailbox.PopAll(&batch, kForever));
    memory.push_back(batch.data());
  }
  for (size_t turn = 2; turn < memory.size(); ++turn) EXPECT_EQ(memory[turn], memory[turn - 2]);
}

TEST(MailboxTest, PopAllDestroysTheOldBatchBeforeItWaits) {
  Mailbox<std::shared_ptr<int>> mailbox(1, 0);
  auto message = std::make_shared<int>(1);
  std::weak_ptr<int> seen = message;
  ASSERT_TRUE(mailbox.TryPush(std::move(message), Place::kOrdinary));
  std::vector<std::shared_ptr<int>> batch;
  ASSERT_TRUE(mailbox.PopAll(&batch, kForever));
  EXPECT_FALSE(seen.expired());
  ASSERT_TRUE(mailbox.PopAll(&batch, absl::Milliseconds(1)));
  EXPECT_TRUE(seen.expired());
}

// A wake-up that is lost leaves this test waiting for ever: each message is pushed only after the
// one before was answered, so that the consumer sleeps, or is about to, at nearly every push.
TEST(MailboxTest, NoWakeUpIsLostWhenTheConsumerSleepsBetweenMessages) {
  constexpr int kTurns = 20'000;
  Mailbox<int> there(1, 0);
  Mailbox<int> back(1, 0);
  std::thread echo([&] {
    std::vector<int> batch;
    while (there.PopAll(&batch, kForever)) {
      for (int message : batch) EXPECT_TRUE(back.TryPush(int{message}, Place::kOrdinary));
    }
  });
  std::vector<int> batch;
  for (int i = 0; i < kTurns; ++i) {
    ASSERT_TRUE(there.TryPush(int{i}, Place::kOrdinary));
    ASSERT_TRUE(back.PopAll(&batch, kForever));
    ASSERT_EQ(batch, std::vector<int>{i});
  }
  there.Close();
  echo.join();
}

// As above, with waits that end by themselves in the middle of pushes.
TEST(MailboxTest, ShortTimeoutsLoseAndRepeatNothing) {
  constexpr int kMessages = 20'000;
  Mailbox<int> mailbox(kMessages, 0);
  std::thread producer([&] {
    for (int i = 0; i < kMessages; ++i) EXPECT_TRUE(mailbox.TryPush(int{i}, Place::kOrdinary));
    mailbox.Close();
  });
  std::vector<int> batch;
  int next = 0;
  while (mailbox.PopAll(&batch, absl::Microseconds(1))) {
    for (int message : batch) ASSERT_EQ(message, next++);
  }
  producer.join();
  EXPECT_EQ(next, kMessages);
}

TEST(MailboxTest, ManyProducersLoseNothingAndKeepTheirOwnOrder) {
  constexpr int kProducers = 4;
  constexpr int kMessages = 20'000;
  Mailbox<std::pair<int, int>> mailbox(64, 8);
  std::vector<std::thread> producers;
  for (int producer = 0; producer < kProducers; ++producer) {
    producers.emplace_back([&mailbox, producer] {
      for (int i = 0; i < kMessages; ++i) {
        const Place place = producer == 0 ? Place::kReserved : Place::kOrdinary;
        while (!mailbox.TryPush({producer, i}, place)) std::this_thread::yield();
      }
    });
  }
  std::vector<int> next(kProducers, 0);
  std::vector<std::pair<int, int>> batch;
  for (int left = kProducers * kMessages; left > 0;) {
    ASSERT_TRUE(mailbox.PopAll(&batch, kForever));
    ASSERT_LE(batch.size(), 72u);
    for (const auto& [producer, i] : batch) ASSERT_EQ(i, next[producer]++);
    left -= static_cast<int>(batch.size());
  }
  for (std::thread& producer : producers) producer.join();
}

// Whatever was accepted before Close() is popped, and only that.
TEST(MailboxTest, CloseInTheMiddleOfPushesKeepsExactlyTheAcceptedOnes) {
  for (int turn = 0; turn < 100; ++turn) {
    Mailbox<int> mailbox(1'000'000, 0);
    int accepted = 0;
    std::thread producer([&] {
      while (mailbox.TryPush(int{accepted}, Place::kOrdinary)) ++accepted;
    });
    std::vector<int> batch;
    int popped = 0;
    ASSERT_TRUE(mailbox.PopAll(&batch, kForever));
    popped += static_cast<int>(batch.size());
    mailbox.Close();
    while (mailbox.PopAll(&batch, kForever)) popped += static_cast<int>(batch.size());
    producer.join();
    EXPECT_EQ(popped, accepted);
  }
}

}  // namespace
}  // namespace lockstep
