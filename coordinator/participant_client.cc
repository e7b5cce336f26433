#include "coordinator/participant_client.h"

#include <chrono>
#include <utility>

#include "common/rpc/channel.h"
#include "common/rpc/error_details.h"
#include "common/rpc/node_metadata.h"
#include "common/utf8.h"

namespace lockstep::coordinator {
namespace {

using Service = v1::TwoPhaseCommitService;

constexpr char kPrepareMethod[] = "/lockstep.v1.TwoPhaseCommitService/Prepare";

// A status that did not come from the participant's own code.
FailedCall NoAnswer(const grpc::Status& status, const std::string& node_id,
                    absl::Duration timeout) {
  FailedCall failed;
  failed.error.node_id = node_id;
  if (status.error_code() == grpc::StatusCode::DEADLINE_EXCEEDED) {
    failed.failure = CallFailure::kTimeout;
    failed.error.reason = Reason::kTimeout;
    failed.error.message =
        "participant " + node_id + " did not answer within " + absl::FormatDuration(timeout);
  } else if (status.error_code() == grpc::StatusCode::UNAVAILABLE ||
             status.error_code() == grpc::StatusCode::CANCELLED) {
    failed.failure = CallFailure::kUnavailable;
    failed.error.reason = Reason::kParticipantUnavailable;
    failed.error.message =
        "no connection to participant " + node_id + ": " + MakeValidUtf8(status.error_message());
  } else {
    failed.failure = CallFailure::kRefused;
    failed.error.reason = Reason::kInvariantBroken;
    failed.error.message = "participant " + node_id + " answered with code " +
                           std::to_string(status.error_code()) +
                           " and no reason: " + MakeValidUtf8(status.error_message());
  }
  return failed;
}

template <typename Response>
FailedCall Classify(const rpc::CallResult<Response>& result, const std::string& node_id,
                    absl::Duration timeout) {
  std::optional<Error> error = rpc::ErrorFromStatus(result.status);
  if (!error) return NoAnswer(result.status, node_id, timeout);
  FailedCall failed;
  failed.failure =
      error->reason == Reason::kTermOutdated ? CallFailure::kTermOutdated : CallFailure::kRefused;
  failed.error = *std::move(error);
  const rpc::NodeMetadata metadata = rpc::NodeMetadataOf(*result.context);
  failed.boot_id = metadata.boot_id;
  failed.durable = metadata.durable;
  return failed;
}

}  // namespace

ParticipantClient::ParticipantClient(std::string node_id, const std::string& address,
                                     rpc::QueuePool* queues)
    : ParticipantClient(std::move(node_id), rpc::InternalChannel(address), queues) {}

ParticipantClient::ParticipantClient(std::string node_id, std::shared_ptr<grpc::Channel> channel,
                                     rpc::QueuePool* queues)
    : node_id_(std::move(node_id)),
      queues_(queues),
      channel_(std::move(channel)),
      stub_(channel_),
      raw_stub_(channel_),
      calls_(std::make_shared<rpc::CallGroup>()) {}

ParticipantClient::~ParticipantClient() { CancelAll(); }

template <typename Response>
rpc::OnDone<Response> ParticipantClient::Translate(absl::Duration timeout,
                                                   OnAnswer<Response> done) const {
  return [node_id = node_id_, timeout, start = std::chrono::steady_clock::now(),
          done = std::move(done)](rpc::CallResult<Response> result) mutable {
    Answered<Response> answered;
    answered.round_trip = absl::FromChrono(std::chrono::steady_clock::now() - start);
    if (result.status.ok()) {
      answered.response = std::move(result.response);
    } else {
      answered.failed = Classify(result, node_id, timeout);
    }
    done(std::move(answered));
  };
}

template <typename Request, typename Response>
void ParticipantClient::Start(PrepareMethod<Request, Response> method, const Request& request,
                              absl::Duration timeout, bool wait_for_ready,
                              OnAnswer<Response> done) {
  const rpc::CallOptions options{
      .timeout = timeout, .wait_for_ready = wait_for_ready, .group = calls_};
  rpc::StartCall(queues_->Next(), &stub_, method, request, options,
                 Translate<Response>(timeout, std::move(done)));
}

void ParticipantClient::Prepare(const grpc::ByteBuffer& request, absl::Duration timeout,
                                OnAnswer<v1::PrepareResponse> done) {
  const rpc::CallOptions options{.timeout = timeout, .wait_for_ready = false, .group = calls_};
  rpc::StartRawCall(queues_->Next(), &raw_stub_, kPrepareMethod, request, options,
                    Translate<v1::PrepareResponse>(timeout, std::move(done)));
}

void ParticipantClient::Commit(const v1::CommitRequest& request, absl::Duration timeout,
                               OnAnswer<v1::CommitResponse> done) {
  Start(&Service::Stub::PrepareAsyncCommit, request, timeout, true, std::move(done));
}

void ParticipantClient::Rollback(const v1::RollbackRequest& request, absl::Duration timeout,
                                 OnAnswer<v1::RollbackResponse> done) {
  Start(&Service::Stub::PrepareAsyncRollback, request, timeout, true, std::move(done));
}

void ParticipantClient::Fence(const v1::FenceRequest& request, absl::Duration timeout,
                              OnAnswer<v1::FenceResponse> done) {
  Start(&Service::Stub::PrepareAsyncFence, request, timeout, false, std::move(done));
}

void ParticipantClient::Status(const v1::StatusRequest& request, absl::Duration timeout, bool waits,
                               OnAnswer<v1::StatusResponse> done) {
  // gRPC's back-off for a name that did not resolve grows to two minutes, and has no setting.
  if (waits) grpc::experimental::ChannelResetConnectionBackoff(channel_.get());
  Start(&Service::Stub::PrepareAsyncStatus, request, timeout, waits, std::move(done));
}

void ParticipantClient::Read(const v1::ReadRequest& request, absl::Duration timeout,
                             OnAnswer<v1::ReadResponse> done) {
  Start(&Service::Stub::PrepareAsyncRead, request, timeout, false, std::move(done));
}

void ParticipantClient::CancelAll() { calls_->CancelAll(); }

}  // namespace lockstep::coordinator
