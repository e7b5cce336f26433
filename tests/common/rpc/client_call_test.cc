#include "common/rpc/client_call.h"

#include <grpc/grpc.h>
#include <gtest/gtest.h>

#include <atomic>
#include <future>
#include <map>
#include <thread>
#include <vector>

#include "tests/common/rpc/test_server.h"

namespace lockstep::rpc {
namespace {

// A port that nobody listens on any more.
std::string DeadAddress() {
  TestServer server([](ExecuteCall call) { call.Finish({}); });
  return server.address();
}

TEST(ClientCallTest, WithoutAConnectionACallFailsAtOnceOrWaitsAsItIsTold) {
  TestClient client(DeadAddress());
  EXPECT_EQ(Await(client.Execute({}, {.timeout = absl::Seconds(15)})).status.error_code(),
            grpc::UNAVAILABLE);
  const CallOptions waiting{.timeout = absl::Milliseconds(200), .wait_for_ready = true};
  EXPECT_EQ(Await(client.Execute({}, waiting)).status.error_code(), grpc::DEADLINE_EXCEEDED);
}

TEST(ClientCallTest, ACallThatWaitsGetsThroughWhenTheServerComesBack) {
  const std::string address = DeadAddress();
  TestClient client(address);
  EXPECT_FALSE(Await(client.Execute()).status.ok());
  auto result = client.Execute({}, {.timeout = absl::Seconds(15), .wait_for_ready = true});
  TestServer server([](ExecuteCall call) { call.Finish({}); }, {}, {.address = address});
  EXPECT_TRUE(Await(std::move(result)).status.ok());
}

TEST(ClientCallTest, AGroupEndsItsCallsAndThoseThatComeLater) {
  CallShelf shelf;
  TestServer server([&shelf](ExecuteCall call) { shelf.Put(std::move(call)); });
  TestClient client(server.address());
  auto group = std::make_shared<CallGroup>();
  auto inside = client.Execute({}, {.group = group});
  ExecuteCall inside_call = shelf.Take();
  auto outside = client.Execute();
  ExecuteCall outside_call = shelf.Take();
  group->CancelAll();
  EXPECT_EQ(Await(std::move(inside)).status.error_code(), grpc::CANCELLED);
  EXPECT_EQ(Await(client.Execute({}, {.group = group})).status.error_code(), grpc::CANCELLED);
  outside_call.Finish({});
  EXPECT_TRUE(Await(std::move(outside)).status.ok());
}

TEST(ClientCallTest, NothingStartsOnAQueueThatWasShutDown) {
  TestServer server([](ExecuteCall call) { call.Finish({}); });
  TestClient client(server.address());
  client.queues().Shutdown();
  EXPECT_EQ(Await(client.Execute()).status.error_code(), grpc::CANCELLED);
  client.queues().Join();
  EXPECT_EQ(Await(client.Execute()).status.error_code(), grpc::CANCELLED);
}

TEST(QueuePoolTest, StartsAndShutdownsOfManyThreadsDoNotCollide) {
  TestServer server([](ExecuteCall call) { call.Finish({}); });
  for (int round = 0; round < 50; ++round) {
    TestClient client(server.address());
    std::vector<std::thread> threads;
    for (int i = 0; i < 4; ++i) {
      threads.emplace_back([&client] {
        for (int call = 0; call < 20; ++call) {
          const auto code = Await(client.Execute()).status.error_code();
          EXPECT_TRUE(code == grpc::OK || code == grpc::CANCELLED);
        }
      });
    }
    Await(client.Execute());
    std::thread other([&client] { client.queues().Shutdown(); });
    client.queues().Shutdown();
    other.join();
    for (std::thread& thread : threads) thread.join();
  }
}

TEST(QueuePoolTest, PostedTasksRunInOrderOnTheQueuesThread) {
  QueuePool pool(1, "test");
  std::vector<int> order;
  std::thread::id thread;
  std::promise<void> done;
  for (int i = 0; i < 100; ++i) {
    pool.at(0)->Post([&, i] {
      order.push_back(i);
      thread = std::this_thread::get_id();
      if (i == 99) done.set_value();
    });
  }
  done.get_future().wait();
  EXPECT_NE(thread, std::this_thread::get_id());
  ASSERT_EQ(order.size(), 100u);
  for (int i = 0; i < 100; ++i) EXPECT_EQ(order[static_cast<size_t>(i)], i);
}

TEST(QueuePoolTest, EveryPostedTaskRunsAlsoAroundAShutdown) {
  for (int round = 0; round < 200; ++round) {
    std::atomic<int> ran{0};
    {
      QueuePool pool(1, "test");
      std::thread poster([&] {
        for (int i = 0; i < 50; ++i) pool.at(0)->Post([&ran] { ++ran; });
      });
      pool.Shutdown();
      poster.join();
    }
    EXPECT_EQ(ran, 50);
  }
}

TEST(QueuePoolTest, QueuesAreUsedInTurn) {
  QueuePool pool(3, "test");
  std::map<Queue*, int> used;
  for (int i = 0; i < 30; ++i) ++used[pool.Next()];
  ASSERT_EQ(used.size(), 3u);
  for (const auto& [queue, times] : used) EXPECT_EQ(times, 10);
}

int IntArgument(const grpc::ChannelArguments& arguments, const std::string& key) {
  const grpc_channel_args c_arguments = arguments.c_channel_args();
  for (size_t i = 0; i < c_arguments.num_args; ++i) {
    if (key == c_arguments.args[i].key) return c_arguments.args[i].value.integer;
  }
  ADD_FAILURE() << key << " is not set";
  return -1;
}

// Each of these was missed once, and cost somebody an outage.
TEST(ChannelTest, EverySettingOfAnInternalChannelIsThere) {
  const grpc::ChannelArguments arguments = InternalChannelArguments();
  const std::map<std::string, int> expected = {
      {GRPC_ARG_KEEPALIVE_TIME_MS, 5000},
      {GRPC_ARG_KEEPALIVE_TIMEOUT_MS, 3000},
      {GRPC_ARG_KEEPALIVE_PERMIT_WITHOUT_CALLS, 1},
      {GRPC_ARG_HTTP2_MAX_PINGS_WITHOUT_DATA, 0},
      {GRPC_ARG_INITIAL_RECONNECT_BACKOFF_MS, 100},
      {GRPC_ARG_MIN_RECONNECT_BACKOFF_MS, 2000},
      {GRPC_ARG_MAX_RECONNECT_BACKOFF_MS, 100},
      {GRPC_ARG_DNS_MIN_TIME_BETWEEN_RESOLUTIONS_MS, 1000},
      {GRPC_ARG_USE_LOCAL_SUBCHANNEL_POOL, 1},
      {GRPC_ARG_ENABLE_HTTP_PROXY, 0},
      {GRPC_ARG_ENABLE_RETRIES, 0},
  };
  for (const auto& [key, value] : expected) EXPECT_EQ(IntArgument(arguments, key), value) << key;
}

}  // namespace
}  // namespace lockstep::rpc
