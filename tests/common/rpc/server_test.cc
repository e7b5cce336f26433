#include "common/rpc/server.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <thread>
#include <vector>

#include "absl/time/clock.h"
#include "common/rpc/error_details.h"
#include "common/rpc/node_metadata.h"
#include "tests/common/rpc/test_server.h"

namespace lockstep::rpc {
namespace {

using ::testing::HasSubstr;

Reason ReasonOf(const grpc::Status& status) {
  const std::optional<Error> error = ErrorFromStatus(status);
  EXPECT_TRUE(error.has_value()) << status.error_code() << " " << status.error_message();
  return error ? error->reason : Reason::kInvariantBroken;
}

void Echo(ExecuteCall call) {
  v1::ExecuteResponse response;
  response.set_transaction_id(call.request().operations(0).database());
  call.Finish(response);
}

v1::ExecuteRequest RequestFor(const std::string& database) {
  v1::ExecuteRequest request;
  request.add_operations()->set_database(database);
  return request;
}

TEST(ServerTest, CallsAreAnsweredEachWithItsOwnAnswer) {
  for (const int queues : {1, 3}) {
    TestServer server(Echo, {.waiting_per_queue = 2}, {.address = "127.0.0.1:0", .queues = queues});
    TestClient client(server.address());
    std::vector<std::future<ExecuteResult>> results;
    for (int i = 0; i < 300; ++i) results.push_back(client.Execute(RequestFor(std::to_string(i))));
    for (int i = 0; i < 300; ++i) {
      const ExecuteResult result = Await(std::move(results[static_cast<size_t>(i)]));
      ASSERT_TRUE(result.status.ok()) << result.status.error_message();
      EXPECT_EQ(result.response.transaction_id(), std::to_string(i));
    }
  }
}

TEST(ServerTest, ACallIsAnsweredLaterFromAnotherThread) {
  CallShelf shelf;
  TestServer server([&shelf](ExecuteCall call) { shelf.Put(std::move(call)); });
  TestClient client(server.address());
  auto first = client.Execute(RequestFor("a"));
  ExecuteCall call = shelf.Take();
  auto second = client.Execute(RequestFor("b"));
  Echo(shelf.Take());
  EXPECT_EQ(Await(std::move(second)).response.transaction_id(), "b");
  std::thread([&call] { Echo(std::move(call)); }).join();
  EXPECT_EQ(Await(std::move(first)).response.transaction_id(), "a");
}

TEST(ServerTest, AnErrorArrivesWithItsDetailsAndTrailingMetadata) {
  TestServer server([](ExecuteCall call) {
    AddNodeMetadata(&call, {.boot_id = UINT64_MAX, .durable = RoundId::Make(3, 4)});
    Error error;
    error.reason = Reason::kDatabaseUnknown;
    error.message = "no database \"x\"";
    error.database = "x";
    call.Fail(error);
  });
  TestClient client(server.address());
  const ExecuteResult result = Await(client.Execute());
  EXPECT_EQ(result.status.error_code(), grpc::NOT_FOUND);
  EXPECT_EQ(ReasonOf(result.status), Reason::kDatabaseUnknown);
  const NodeMetadata metadata = NodeMetadataOf(*result.context);
  EXPECT_EQ(metadata.boot_id, UINT64_MAX);
  EXPECT_EQ(metadata.durable, RoundId::Make(3, 4));
}

// Metadata has 8 KiB for all of it; the worst error that we make must fit, or the caller sees
// RESOURCE_EXHAUSTED in its place.
TEST(ServerTest, TheLargestErrorReachesTheCaller) {
  TestServer server([](ExecuteCall call) {
    AddNodeMetadata(&call, {.boot_id = UINT64_MAX, .durable = RoundId::Make(3, 4)});
    Error error;
    error.reason = Reason::kConstraintViolation;
    // Outside ASCII: a byte of the message takes three in its header.
    for (int i = 0; i < 5000; ++i) error.message += "\xE2\x82\xAC";
    error.database = error.node_id = error.transaction_id = error.field = error.message;
    error.retry_delay = absl::Seconds(1);
    call.Fail(error);
  });
  TestClient client(server.address());
  const ExecuteResult result = Await(client.Execute());
  EXPECT_EQ(result.status.error_code(), grpc::FAILED_PRECONDITION);
  EXPECT_EQ(ReasonOf(result.status), Reason::kConstraintViolation);
}

TEST(ServerTest, ACallThatIsDroppedIsAnswered) {
  TestServer server([](ExecuteCall) {});
  TestClient client(server.address());
  EXPECT_EQ(Await(client.Execute()).status.error_code(), grpc::INTERNAL);
}

// On the wire a time has three digits, rounded up, so between 10 and 100 seconds it is at most 0.1
// seconds longer; at each end gRPC counts in whole milliseconds.
TEST(ServerTest, TheCallersDeadlineIsSeen) {
  constexpr absl::Duration kTimeout = absl::Seconds(30);
  CallShelf shelf;
  TestServer server([&shelf](ExecuteCall call) { shelf.Put(std::move(call)); });
  TestClient client(server.address());
  const absl::Time start = absl::Now();
  auto result = client.Execute({}, {.timeout = kTimeout});
  ExecuteCall call = shelf.Take();
  const absl::Duration left = call.TimeLeft();
  const absl::Duration passed = absl::Now() - start;
  EXPECT_GE(left + passed, kTimeout - absl::Milliseconds(2));
  EXPECT_LE(left, kTimeout + absl::Milliseconds(100));
  call.Finish({});
  EXPECT_TRUE(Await(std::move(result)).status.ok());
}

TEST(ServerTest, WithoutADeadlineTheTimeIsInfinite) {
  CallShelf shelf;
  TestServer server([&shelf](ExecuteCall call) { shelf.Put(std::move(call)); });
  TestClient client(server.address());
  v1::CoordinatorService::Stub stub(client.channel());
  std::thread caller([&stub] {
    grpc::ClientContext context;
    v1::ExecuteResponse response;
    EXPECT_TRUE(stub.Execute(&context, {}, &response).ok());
  });
  ExecuteCall call = shelf.Take();
  EXPECT_EQ(call.TimeLeft(), absl::InfiniteDuration());
  call.Finish({});
  caller.join();
}

TEST(ServerTest, OneCallMoreThanMayBeInFlightIsRefused) {
  CallShelf shelf;
  TestServer server([&shelf](ExecuteCall call) { shelf.Put(std::move(call)); },
                    {.waiting_per_queue = 1, .max_in_flight = 2});
  TestClient client(server.address());
  auto first = client.Execute();
  ExecuteCall first_call = shelf.Take();
  auto second = client.Execute();
  ExecuteCall second_call = shelf.Take();
  const ExecuteResult third = Await(client.Execute());
  EXPECT_EQ(ReasonOf(third.status), Reason::kQueueFull);
  EXPECT_EQ(ErrorFromStatus(third.status)->outcome, FailureOutcome::kNotStarted);
  EXPECT_TRUE(ErrorFromStatus(third.status)->retry_delay.has_value());
  first_call.Finish({});
  EXPECT_TRUE(Await(std::move(first)).status.ok());
  auto fourth = client.Execute();
  shelf.Take().Finish({});
  EXPECT_TRUE(Await(std::move(fourth)).status.ok());
  second_call.Finish({});
  EXPECT_TRUE(Await(std::move(second)).status.ok());
}

TEST(ServerTest, ACallTooLargeIsRefusedByGrpc) {
  TestServer server(Echo);
  TestClient client(server.address());
  const auto largest = RequestFor(std::string(16 << 20, 'x'));
  EXPECT_EQ(Await(client.Execute(largest)).status.error_code(), grpc::OK);
  const auto too_large = RequestFor(std::string(18 << 20, 'x'));
  EXPECT_EQ(Await(client.Execute(too_large)).status.error_code(), grpc::RESOURCE_EXHAUSTED);
}

TEST(ServerTest, ATakenPortIsSaidAsTheSystemSaysIt) {
  TestServer first(Echo);
  Server second({.address = first.address()});
  const absl::Status status = second.Start();
  ASSERT_FALSE(status.ok());
  EXPECT_THAT(std::string(status.message()), HasSubstr(first.address()));
  EXPECT_THAT(std::string(status.message()), HasSubstr("Address already in use"));
}

TEST(ServerTest, AnAddressThatDoesNotExistIsSaidToo) {
  Server foreign({.address = "192.0.2.1:0"});
  EXPECT_THAT(std::string(foreign.Start().message()), HasSubstr("Cannot assign requested address"));
  Server no_port({.address = "127.0.0.1"});
  EXPECT_FALSE(no_port.Start().ok());
}

TEST(ServerTest, AGracefulStopLetsCallsInFlightEnd) {
  CallShelf shelf;
  TestServer server([&shelf](ExecuteCall call) { shelf.Put(std::move(call)); });
  TestClient client(server.address());
  auto result = client.Execute(RequestFor("a"));
  ExecuteCall call = shelf.Take();
  std::thread stop([&server] { server->StopServing(absl::Seconds(20)); });
  Echo(std::move(call));
  stop.join();
  EXPECT_EQ(Await(std::move(result)).response.transaction_id(), "a");
  server->DrainQueues();
}

TEST(ServerTest, ACallThatOutlastsTheGraceIsCancelledAndItsAnswerIsIgnored) {
  CallShelf shelf;
  TestServer server([&shelf](ExecuteCall call) { shelf.Put(std::move(call)); });
  TestClient client(server.address());
  auto result = client.Execute();
  ExecuteCall answered_between = shelf.Take();
  auto other = client.Execute();
  ExecuteCall answered_after = shelf.Take();
  server->StopServing(absl::ZeroDuration());
  EXPECT_FALSE(Await(std::move(result)).status.ok());
  EXPECT_FALSE(Await(std::move(other)).status.ok());
  answered_between.Finish({});
  server->DrainQueues();
  answered_after.Finish({});
}

TEST(ServerTest, AServerThatStopsTakesNoCall) {
  TestServer server(Echo);
  TestClient client(server.address());
  EXPECT_TRUE(Await(client.Execute(RequestFor("a"))).status.ok());
  server->StopServing(absl::Seconds(5));
  EXPECT_EQ(Await(client.Execute(RequestFor("a"))).status.error_code(), grpc::UNAVAILABLE);
  server->StopServing(absl::Seconds(5));
  server->DrainQueues();
  server->DrainQueues();
}

// The call that arrives between the start of the stop and its refusal by gRPC.
TEST(ServerTest, ACallThatArrivesWhileStoppingHearsSo) {
  std::atomic<bool> stopping{true};
  internal::MethodState state;
  state.name = "Execute";
  state.stopping = &stopping;
  const std::optional<Error> refusal = internal::Admit(&state);
  ASSERT_TRUE(refusal.has_value());
  EXPECT_EQ(refusal->reason, Reason::kShuttingDown);
  EXPECT_EQ(refusal->outcome, FailureOutcome::kNotStarted);
  state.options.refuse_when_stopping = false;
  EXPECT_FALSE(internal::Admit(&state).has_value());
}

TEST(ServerTest, AServerThatNeverStartedGoesAway) {
  Server server({.address = "127.0.0.1:0"});
  server.Add<v1::CoordinatorService>();
}

TEST(ServerTest, ManyCallsDuringAStopAllEnd) {
  for (int round = 0; round < 20; ++round) {
    TestServer server(Echo, {.waiting_per_queue = 4}, {.address = "127.0.0.1:0", .queues = 2});
    TestClient client(server.address());
    std::vector<std::future<ExecuteResult>> results;
    for (int i = 0; i < 200; ++i) results.push_back(client.Execute(RequestFor("a")));
    server->StopServing(absl::Milliseconds(round));
    server->DrainQueues();
    for (auto& result : results) {
      const grpc::StatusCode code = Await(std::move(result)).status.error_code();
      EXPECT_TRUE(code == grpc::OK || code == grpc::UNAVAILABLE || code == grpc::CANCELLED) << code;
    }
  }
}

}  // namespace
}  // namespace lockstep::rpc
