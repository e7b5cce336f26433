#include "coordinator/participant_client.h"

#include <gtest/gtest.h>

#include <future>
#include <memory>
#include <string>
#include <utility>

#include "common/rpc/node_metadata.h"
#include "common/rpc/server.h"

namespace lockstep::coordinator {
namespace {

using Service = v1::TwoPhaseCommitService;

template <typename Request, typename Response>
using On = std::function<void(rpc::Call<Request, Response>)>;

// What a test does not set is dropped, which answers INTERNAL.
struct Behaviour {
  On<v1::PrepareRequest, v1::PrepareResponse> prepare;
  On<v1::CommitRequest, v1::CommitResponse> commit;
  On<v1::RollbackRequest, v1::RollbackResponse> rollback;
  On<v1::FenceRequest, v1::FenceResponse> fence;
  On<v1::StatusRequest, v1::StatusResponse> status;
  On<v1::ReadRequest, v1::ReadResponse> read;
};

class FakeParticipant {
 public:
  explicit FakeParticipant(Behaviour behaviour, const std::string& address = "127.0.0.1:0")
      : server_({.address = address, .max_receive_bytes = rpc::kMaxInternalBytes}) {
    using Async = Service::AsyncService;
    auto* service = server_.Add<Service>();
    Serve(service, &Async::RequestPrepare, std::move(behaviour.prepare));
    Serve(service, &Async::RequestCommit, std::move(behaviour.commit));
    Serve(service, &Async::RequestRollback, std::move(behaviour.rollback));
    Serve(service, &Async::RequestFence, std::move(behaviour.fence));
    Serve(service, &Async::RequestStatus, std::move(behaviour.status));
    Serve(service, &Async::RequestRead, std::move(behaviour.read));
    const absl::Status started = server_.Start();
    LOCKSTEP_CHECK(started.ok(), started.ToString());
  }

  std::string address() const { return "127.0.0.1:" + std::to_string(server_.port()); }
  // Breaks the connections, with what is under way on them.
  void Cut() { server_.StopServing(absl::ZeroDuration()); }

 private:
  template <typename Method, typename Request, typename Response>
  void Serve(Service::AsyncService* service, Method method, On<Request, Response> on) {
    server_.Handle(service, method, "method", {},
                   [on = std::move(on)](rpc::Call<Request, Response> call) {
                     if (on) on(std::move(call));
                   });
  }

  rpc::Server server_;
};

class ParticipantClientTest : public testing::Test {
 protected:
  ParticipantClient& Connect(const std::string& address) {
    client_.emplace("bank-1", address, &queues_);
    return *client_;
  }

  // Calls `start` with a callback and waits for what that is called with.
  template <typename Response, typename StartCall>
  static Answered<Response> Ask(StartCall start) {
    std::promise<Answered<Response>> promise;
    auto future = promise.get_future();
    start([&promise](Answered<Response> answered) { promise.set_value(std::move(answered)); });
    return future.get();
  }

  Answered<v1::CommitResponse> Commit(absl::Duration timeout = absl::Seconds(20)) {
    return Ask<v1::CommitResponse>(
        [&](auto done) { client_->Commit({}, timeout, std::move(done)); });
  }

  Answered<v1::PrepareResponse> Prepare(const grpc::ByteBuffer& request) {
    return Ask<v1::PrepareResponse>(
        [&](auto done) { client_->Prepare(request, absl::Seconds(20), std::move(done)); });
  }

  static std::string DeadAddress() { return FakeParticipant({}).address(); }

  rpc::QueuePool queues_{1, "test"};
  std::optional<ParticipantClient> client_;
};

v1::PrepareRequest PrepareFor(const std::string& node) {
  v1::PrepareRequest request;
  request.mutable_target()->set_node_id(node);
  return request;
}

TEST_F(ParticipantClientTest, APrepareOfSharedBytesArrivesAsTheMessage) {
  Behaviour behaviour;
  behaviour.prepare = [](rpc::Call<v1::PrepareRequest, v1::PrepareResponse> call) {
    v1::PrepareResponse response;
    response.mutable_report()->set_boot_id(call.request().branches(0).seed());
    response.mutable_report()->set_applied_round(call.request().round());
    for (int i = 0; i < call.request().branches_size(); ++i) {
      response.add_votes()->set_vote(v1::VOTE_YES);
    }
    call.Finish(response);
  };
  FakeParticipant participant(behaviour);
  Connect(participant.address());
  BranchesEncoder encoder;
  encoder.Add("a", absl::UnixEpoch(), 11, absl::Seconds(1), "");
  encoder.Add("b", absl::UnixEpoch(), 12, absl::Seconds(1), "");
  const grpc::Slice branches = std::move(encoder).Encode();
  const auto request = EncodePrepare({.cluster_id = "c", .node_id = "bank-1", .term = 1},
                                     RoundId::Make(1, 2), true, branches);
  const auto answered = Prepare(request);
  ASSERT_FALSE(answered.failed.has_value());
  EXPECT_EQ(answered.response.report().boot_id(), 11u);
  EXPECT_EQ(answered.response.report().applied_round(), RoundId::Make(1, 2).value());
  EXPECT_EQ(answered.response.votes_size(), 2);
  EXPECT_GT(answered.round_trip, absl::ZeroDuration());
}

TEST_F(ParticipantClientTest, EveryMethodReachesItsOwn) {
  Behaviour behaviour;
  behaviour.commit = [](auto call) { call.Finish({}); };
  behaviour.rollback = [](auto call) { call.Finish({}); };
  behaviour.fence = [](auto call) { call.Finish({}); };
  behaviour.status = [](auto call) { call.Finish({}); };
  behaviour.read = [](auto call) { call.Finish({}); };
  FakeParticipant participant(behaviour);
  ParticipantClient& client = Connect(participant.address());
  const absl::Duration timeout = absl::Seconds(20);
  EXPECT_FALSE(Commit().failed.has_value());
  EXPECT_FALSE(Ask<v1::RollbackResponse>([&](auto done) {
                 client.Rollback({}, timeout, std::move(done));
               }).failed.has_value());
  EXPECT_FALSE(Ask<v1::FenceResponse>([&](auto done) {
                 client.Fence({}, timeout, std::move(done));
               }).failed.has_value());
  EXPECT_FALSE(Ask<v1::StatusResponse>([&](auto done) {
                 client.Status({}, timeout, /*waits=*/false, std::move(done));
               }).failed.has_value());
  EXPECT_FALSE(Ask<v1::ReadResponse>([&](auto done) {
                 client.Read({}, timeout, std::move(done));
               }).failed.has_value());
}

TEST_F(ParticipantClientTest, ARefusalTellsReasonBootIdAndDurableRound) {
  Behaviour behaviour;
  behaviour.commit = [](rpc::Call<v1::CommitRequest, v1::CommitResponse> call) {
    rpc::AddNodeMetadata(&call, {.boot_id = 99, .durable = RoundId::Make(2, 3)});
    Error error;
    error.reason = Reason::kRoundUnknown;
    error.message = "round 2.4 is not prepared here";
    call.Fail(error);
  };
  FakeParticipant participant(behaviour);
  Connect(participant.address());
  const auto answered = Commit();
  ASSERT_TRUE(answered.failed.has_value());
  EXPECT_EQ(answered.failed->failure, CallFailure::kRefused);
  EXPECT_EQ(answered.failed->error.reason, Reason::kRoundUnknown);
  EXPECT_EQ(answered.failed->boot_id, 99u);
  EXPECT_EQ(answered.failed->durable, RoundId::Make(2, 3));
}

TEST_F(ParticipantClientTest, AHigherTermIsAFailureOfItsOwn) {
  Behaviour behaviour;
  behaviour.commit = [](rpc::Call<v1::CommitRequest, v1::CommitResponse> call) {
    Error error;
    error.reason = Reason::kTermOutdated;
    call.Fail(error);
  };
  FakeParticipant participant(behaviour);
  Connect(participant.address());
  EXPECT_EQ(Commit().failed->failure, CallFailure::kTermOutdated);
}

// A refusal can have any code: UNAVAILABLE with a reason was answered, without one it was not.
TEST_F(ParticipantClientTest, NotReadyIsARefusalNotALostConnection) {
  Behaviour behaviour;
  behaviour.commit = [](rpc::Call<v1::CommitRequest, v1::CommitResponse> call) {
    Error error;
    error.reason = Reason::kNotReady;
    call.Fail(error);
  };
  FakeParticipant participant(behaviour);
  Connect(participant.address());
  const auto answered = Commit();
  EXPECT_EQ(answered.failed->failure, CallFailure::kRefused);
  EXPECT_EQ(answered.failed->error.reason, Reason::kNotReady);
}

TEST_F(ParticipantClientTest, AnAnswerWithoutAReasonIsARefusalToo) {
  FakeParticipant participant({});
  Connect(participant.address());
  const auto answered = Commit();
  EXPECT_EQ(answered.failed->failure, CallFailure::kRefused);
  EXPECT_EQ(answered.failed->error.reason, Reason::kInvariantBroken);
  EXPECT_EQ(answered.failed->boot_id, 0u);
}

TEST_F(ParticipantClientTest, APrepareWithoutAConnectionFailsAtOnce) {
  Connect(DeadAddress());
  const auto answered = Prepare(EncodePrepare({}, RoundId(), false, grpc::Slice()));
  ASSERT_TRUE(answered.failed.has_value());
  EXPECT_EQ(answered.failed->failure, CallFailure::kUnavailable);
  EXPECT_EQ(answered.failed->error.reason, Reason::kParticipantUnavailable);
  EXPECT_EQ(answered.failed->error.node_id, "bank-1");
  EXPECT_LT(answered.round_trip, absl::Seconds(15));
}

TEST_F(ParticipantClientTest, ADeliveryWaitsForAConnectionUntilItsTimeIsOver) {
  Connect(DeadAddress());
  const auto answered = Commit(absl::Milliseconds(200));
  ASSERT_TRUE(answered.failed.has_value());
  EXPECT_EQ(answered.failed->failure, CallFailure::kTimeout);
  EXPECT_GE(answered.round_trip, absl::Milliseconds(150));
}

TEST_F(ParticipantClientTest, ADeliveryGetsThroughWhenTheParticipantComesBack) {
  const std::string address = DeadAddress();
  Connect(address);
  EXPECT_TRUE(Commit(absl::Milliseconds(10)).failed.has_value());
  std::promise<Answered<v1::CommitResponse>> promise;
  client_->Commit({}, absl::Seconds(20),
                  [&promise](auto answered) { promise.set_value(std::move(answered)); });
  Behaviour behaviour;
  behaviour.commit = [](auto call) { call.Finish({}); };
  FakeParticipant participant(behaviour, address);
  EXPECT_FALSE(promise.get_future().get().failed.has_value());
}

// TiDB 2.1.7 tried again by itself, and ran committed writes twice: here nothing below the protocol
// does, also when a new connection is there at once.
TEST_F(ParticipantClientTest, APrepareWhoseConnectionBreaksIsNotSentAgain) {
  int prepares = 0;
  std::promise<void> arrived;
  std::optional<rpc::Call<v1::PrepareRequest, v1::PrepareResponse>> held;
  Behaviour behaviour;
  behaviour.prepare = [&](rpc::Call<v1::PrepareRequest, v1::PrepareResponse> call) {
    ++prepares;
    held.emplace(std::move(call));
    arrived.set_value();
  };
  behaviour.status = [](auto call) { call.Finish({}); };
  auto participant = std::make_unique<FakeParticipant>(behaviour);
  const std::string address = participant->address();
  Connect(address);
  std::promise<Answered<v1::PrepareResponse>> answer;
  client_->Prepare(EncodePrepare({}, RoundId(), false, grpc::Slice()), absl::Seconds(60),
                   [&answer](auto answered) { answer.set_value(std::move(answered)); });
  arrived.get_future().wait();
  participant->Cut();
  held.reset();
  participant.reset();
  participant = std::make_unique<FakeParticipant>(behaviour, address);
  EXPECT_EQ(answer.get_future().get().failed->failure, CallFailure::kUnavailable);
  EXPECT_FALSE(Ask<v1::StatusResponse>([&](auto done) {
                 client_->Status({}, absl::Seconds(20), /*waits=*/true, std::move(done));
               }).failed.has_value());
  EXPECT_EQ(prepares, 1);
}

TEST_F(ParticipantClientTest, AStatusFailsAtOnceOrIsAnsweredWhenTheParticipantComesBack) {
  const std::string address = DeadAddress();
  Connect(address);
  EXPECT_EQ(Ask<v1::StatusResponse>([&](auto done) {
              client_->Status({}, absl::Seconds(20), /*waits=*/false, std::move(done));
            }).failed->failure,
            CallFailure::kUnavailable);
  std::promise<Answered<v1::StatusResponse>> promise;
  client_->Status({}, absl::Seconds(20), /*waits=*/true,
                  [&promise](auto answered) { promise.set_value(std::move(answered)); });
  Behaviour behaviour;
  behaviour.status = [](auto call) { call.Finish({}); };
  FakeParticipant participant(behaviour, address);
  EXPECT_FALSE(promise.get_future().get().failed.has_value());
}

TEST_F(ParticipantClientTest, CancelAllEndsWhatIsUnderWay) {
  std::promise<void> arrived;
  std::optional<rpc::Call<v1::CommitRequest, v1::CommitResponse>> held;
  Behaviour behaviour;
  behaviour.commit = [&](rpc::Call<v1::CommitRequest, v1::CommitResponse> call) {
    held.emplace(std::move(call));
    arrived.set_value();
  };
  FakeParticipant participant(behaviour);
  Connect(participant.address());
  std::promise<Answered<v1::CommitResponse>> promise;
  client_->Commit({}, absl::Seconds(60),
                  [&promise](auto answered) { promise.set_value(std::move(answered)); });
  arrived.get_future().wait();
  client_->CancelAll();
  EXPECT_EQ(promise.get_future().get().failed->failure, CallFailure::kUnavailable);
  EXPECT_EQ(Commit().failed->failure, CallFailure::kUnavailable);
  held.reset();
}

TEST_F(ParticipantClientTest, AVoteOfManyMegabytesGetsThrough) {
  Behaviour behaviour;
  behaviour.prepare = [](rpc::Call<v1::PrepareRequest, v1::PrepareResponse> call) {
    v1::PrepareResponse response;
    for (int i = 0; i < 10; ++i) {
      response.add_votes()
          ->add_results()
          ->add_statements()
          ->add_rows()
          ->add_values()
          ->set_blob_value(std::string(3 << 20, 'x'));
    }
    call.Finish(response);
  };
  FakeParticipant participant(behaviour);
  Connect(participant.address());
  const std::string large(40 << 20, 'x');
  v1::PrepareRequest request = PrepareFor("bank-1");
  request.add_branches()->set_transaction_id(large);
  const grpc::Slice slice(request.SerializeAsString());
  EXPECT_EQ(Prepare(grpc::ByteBuffer(&slice, 1)).response.votes_size(), 10);
}

}  // namespace
}  // namespace lockstep::coordinator
