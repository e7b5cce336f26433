#include "common/actor.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <pthread.h>

#include <future>
#include <memory>
#include <numeric>
#include <string>
#include <thread>
#include <vector>

#include "absl/time/time.h"
#include "common/clock.h"

namespace lockstep {
namespace {

using ::testing::ElementsAre;

TEST(ActorTest, HandlesMessagesInOrderOnOneThreadOfItsOwn) {
  std::vector<int> handled;  // no lock: the actor's thread alone, then this one after Stop()
  std::vector<std::thread::id> threads;
  Actor<int> actor("order", 100, 0, [&](std::vector<int>& batch) {
    handled.insert(handled.end(), batch.begin(), batch.end());
    threads.push_back(std::this_thread::get_id());
  });
  for (int i = 0; i < 100; ++i) ASSERT_TRUE(actor.Push(int{i}));
  actor.Stop();
  std::vector<int> expected(100);
  std::iota(expected.begin(), expected.end(), 0);
  EXPECT_EQ(handled, expected);
  for (std::thread::id id : threads) EXPECT_EQ(id, threads.front());
  EXPECT_NE(threads.front(), std::this_thread::get_id());
}

TEST(ActorTest, MessagesThatComeWhileTheHandlerIsBusyMakeOneBatch) {
  std::vector<size_t> batches;
  std::promise<void> started;
  std::promise<void> go_on;
  Actor<int> actor("batch", 10, 0, [&](std::vector<int>& batch) {
    batches.push_back(batch.size());
    if (batches.size() == 1) {
      started.set_value();
      go_on.get_future().wait();
    }
  });
  ASSERT_TRUE(actor.Push(0));
  started.get_future().wait();
  for (int i = 1; i <= 7; ++i) ASSERT_TRUE(actor.Push(int{i}));
  EXPECT_EQ(actor.size(), 7u);
  go_on.set_value();
  actor.Stop();
  EXPECT_THAT(batches, ElementsAre(1, 7));
}

TEST(ActorTest, ReservedMessagesFindAPlaceWhenClientsFilledTheMailbox) {
  std::promise<void> started;
  std::promise<void> go_on;
  std::vector<int> handled;
  Actor<int> actor("places", 2, 1, [&](std::vector<int>& batch) {
    if (handled.empty()) {
      started.set_value();
      go_on.get_future().wait();
    }
    handled.insert(handled.end(), batch.begin(), batch.end());
  });
  ASSERT_TRUE(actor.Push(0));
  started.get_future().wait();
  EXPECT_TRUE(actor.Push(1));
  EXPECT_TRUE(actor.Push(2));
  EXPECT_FALSE(actor.Push(3));
  EXPECT_TRUE(actor.Push(4, Place::kReserved));
  EXPECT_FALSE(actor.stopped());
  go_on.set_value();
  actor.Stop();
  EXPECT_THAT(handled, ElementsAre(0, 1, 2, 4));
}

TEST(ActorTest, StopHandlesWhatWasAcceptedAndRefusesTheRest) {
  for (int turn = 0; turn < 100; ++turn) {
    int handled = 0;
    Actor<int> actor("stop", 1'000, 0,
                     [&](std::vector<int>& batch) { handled += static_cast<int>(batch.size()); });
    for (int i = 0; i < 20; ++i) ASSERT_TRUE(actor.Push(int{i}));
    actor.Stop();
    EXPECT_EQ(handled, 20);
    EXPECT_TRUE(actor.stopped());
    EXPECT_FALSE(actor.Push(7));
    EXPECT_FALSE(actor.Push(7, Place::kReserved));
    actor.Stop();
    EXPECT_EQ(handled, 20);
  }
}

TEST(ActorTest, DestructionStopsToo) {
  int handled = 0;
  {
    Actor<int> actor("destroy", 10, 0,
                     [&](std::vector<int>& batch) { handled += static_cast<int>(batch.size()); });
    ASSERT_TRUE(actor.Push(1));
    ASSERT_TRUE(actor.Push(2));
  }
  EXPECT_EQ(handled, 2);
}

TEST(ActorTest, AnActorWithoutMessagesStops) {
  for (int turn = 0; turn < 200; ++turn) {
    Actor<int> actor("empty", 1, 0, [](std::vector<int>&) { ADD_FAILURE(); });
  }
}

TEST(ActorTest, TheHandlerMayPushToItsOwnActor) {
  std::promise<void> done;
  struct Owner {
    std::promise<void>& done;
    int left = 50;
    Actor<int> actor{"self", 1, 0, [this](std::vector<int>&) {
                       if (--left == 0) return done.set_value();
                       EXPECT_TRUE(actor.Push(0));
                     }};
  } owner{done};
  ASSERT_TRUE(owner.actor.Push(0));
  done.get_future().wait();
}

TEST(ActorTest, MessagesNeedOnlyBeMovable) {
  int sum = 0;
  Actor<std::unique_ptr<int>> actor("move", 4, 0, [&](std::vector<std::unique_ptr<int>>& batch) {
    for (std::unique_ptr<int>& message : batch) sum += *std::exchange(message, nullptr);
  });
  ASSERT_TRUE(actor.Push(std::make_unique<int>(2)));
  ASSERT_TRUE(actor.Push(std::make_unique<int>(3)));
  actor.Stop();
  EXPECT_EQ(sum, 5);
}

TEST(ActorTest, TheThreadHasTheFirstFifteenBytesOfTheName) {
  std::string name;
  Actor<int> actor("a-very-long-thread-name", 1, 0, [&](std::vector<int>&) {
    char buffer[16];
    ASSERT_EQ(pthread_getname_np(pthread_self(), buffer, sizeof(buffer)), 0);
    name = buffer;
  });
  ASSERT_TRUE(actor.Push(0));
  actor.Stop();
  EXPECT_EQ(name, "a-very-long-thr");
}

TEST(ActorTest, IdleIsCalledAgainAndAgainOnTheActorsThreadWhileNothingComes) {
  std::promise<void> thrice;
  struct Owner {
    std::promise<void>& thrice;
    int calls = 0;
    Actor<int> actor{"idle",
                     1,
                     0,
                     [](std::vector<int>&) {},
                     absl::Milliseconds(1),
                     [this] {
                       EXPECT_TRUE(actor.OnActorThread());
                       if (++calls == 3) thrice.set_value();
                     }};
  } owner{thrice};
  thrice.get_future().wait();
  EXPECT_FALSE(owner.actor.OnActorThread());
}

TEST(ActorTest, IdleWaitsForTheGivenTime) {
  SystemClock clock;
  const absl::Duration start = clock.MonotonicNow();
  std::promise<absl::Duration> first;
  struct Owner {
    SystemClock& clock;
    std::promise<absl::Duration>& first;
    bool called = false;
    Actor<int> actor{"idle",
                     1,
                     0,
                     [](std::vector<int>&) {},
                     absl::Milliseconds(20),
                     [this] {
                       if (!std::exchange(called, true)) first.set_value(clock.MonotonicNow());
                     }};
  } owner{clock, first};
  EXPECT_GE(first.get_future().get() - start, absl::Milliseconds(20));
}

TEST(ActorTest, TheHandlerCanSayWhenItWantsToBeCalledWithoutAMessage) {
  std::promise<void> idle;
  struct Owner {
    std::promise<void>& idle;
    Actor<int> actor{"timer",
                     1,
                     0,
                     [this](std::vector<int>&) { actor.SetIdleAfter(absl::Milliseconds(1)); },
                     absl::InfiniteDuration(),
                     [this] {
                       actor.SetIdleAfter(absl::InfiniteDuration());
                       idle.set_value();  // a second call would throw
                     }};
  } owner{idle};
  ASSERT_TRUE(owner.actor.Push(0));
  idle.get_future().wait();
}

TEST(ActorTest, AZeroIdleTimeStillLetsMessagesThrough) {
  std::promise<void> handled;
  {
    Actor<int> actor(
        "busy", 1, 0, [&](std::vector<int>&) { handled.set_value(); }, absl::ZeroDuration(), [] {});
    ASSERT_TRUE(actor.Push(0));
    handled.get_future().wait();
  }
}

TEST(ActorTest, ManyThreadsMayPush) {
  constexpr int kThreads = 4;
  constexpr int kMessages = 5'000;
  int64_t sum = 0;
  Actor<int> actor("many", 64, 0, [&](std::vector<int>& batch) {
    for (int message : batch) sum += message;
  });
  std::vector<std::thread> threads;
  for (int t = 0; t < kThreads; ++t) {
    threads.emplace_back([&] {
      for (int i = 1; i <= kMessages; ++i) {
        while (!actor.Push(int{i})) std::this_thread::yield();
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  actor.Stop();
  EXPECT_EQ(sum, int64_t{kThreads} * kMessages * (kMessages + 1) / 2);
}

TEST(ActorDeathTest, AnActorThatStopsItselfIsABug) {
  GTEST_FLAG_SET(death_test_style, "threadsafe");
  const auto stop_itself = [] {
    struct Owner {
      std::promise<void> never;
      Actor<int> actor{"own-end", 1, 0, [this](std::vector<int>&) { actor.Stop(); }};
    } owner;
    ASSERT_TRUE(owner.actor.Push(0));
    owner.never.get_future().wait();
  };
  EXPECT_DEATH(stop_itself(), "cannot wait for its own end");
}

}  // namespace
}  // namespace lockstep
