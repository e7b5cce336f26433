// The coordinator's connection to one participant.
#ifndef LOCKSTEP_COORDINATOR_PARTICIPANT_CLIENT_H_
#define LOCKSTEP_COORDINATOR_PARTICIPANT_CLIENT_H_

#include <grpcpp/generic/generic_stub.h>
#include <grpcpp/grpcpp.h>

#include <cstdint>
#include <memory>
#include <optional>
#include <string>

#include "absl/functional/any_invocable.h"
#include "absl/time/time.h"
#include "common/error.h"
#include "common/round_id.h"
#include "common/rpc/client_call.h"
#include "common/rpc/queue_pool.h"
#include "coordinator/prepare_encoder.h"
#include "coordinator/protocol/types.h"
#include "lockstep/v1/two_phase_commit.grpc.pb.h"

namespace lockstep::coordinator {

// A call that brought no answer that counts.
struct FailedCall {
  CallFailure failure = CallFailure::kUnavailable;
  // kRefused, kTermOutdated: what the participant said (INVARIANT_BROKEN with its message if it
  // said something without details). kUnavailable: PARTICIPANT_UNAVAILABLE; kTimeout: TIMEOUT, both
  // with the node's name and without an outcome: what became of the transaction is not for this
  // class to know.
  Error error;
  // From the trailing metadata of an answer that is an error; boot id 0: there was none.
  uint64_t boot_id = 0;
  RoundId durable;
};

template <typename Response>
struct Answered {
  // nullopt: the call succeeded, and `response` means something.
  std::optional<FailedCall> failed;
  Response response;
  absl::Duration round_trip;
};

// Called once, on a thread of the queues, or inside the call when the queues were shut down. Must
// not block.
template <typename Response>
using OnAnswer = absl::AnyInvocable<void(Answered<Response>)>;

// Starts calls; every one ends within its timeout. Thread-safe. Calls that are under way may
// outlive it; the queues must not be destroyed before the last has ended.
class ParticipantClient {
 public:
  // `node_id` is for messages only. Connects with the first call.
  ParticipantClient(std::string node_id, const std::string& address, rpc::QueuePool* queues);
  // Over a channel that exists already.
  ParticipantClient(std::string node_id, std::shared_ptr<grpc::Channel> channel,
                    rpc::QueuePool* queues);
  // CancelAll.
  ~ParticipantClient();
  ParticipantClient(const ParticipantClient&) = delete;
  ParticipantClient& operator=(const ParticipantClient&) = delete;

  // Fails at once while there is no connection. `request` comes from EncodePrepare.
  void Prepare(const grpc::ByteBuffer& request, absl::Duration timeout,
               OnAnswer<v1::PrepareResponse> done);

  // Deliveries wait for a connection until `timeout` is over.
  void Commit(const v1::CommitRequest& request, absl::Duration timeout,
              OnAnswer<v1::CommitResponse> done);
  void Rollback(const v1::RollbackRequest& request, absl::Duration timeout,
                OnAnswer<v1::RollbackResponse> done);

  // Fails at once while there is no connection, so that one that is down is known to be.
  void Fence(const v1::FenceRequest& request, absl::Duration timeout,
             OnAnswer<v1::FenceResponse> done);
  // The same, or waits for a connection until `timeout` is over; then the name is looked up anew,
  // and the connection is tried, whatever back-off had been reached.
  void Status(const v1::StatusRequest& request, absl::Duration timeout, bool waits,
              OnAnswer<v1::StatusResponse> done);

  // Fails at once while there is no connection, so that another replica can be asked.
  void Read(const v1::ReadRequest& request, absl::Duration timeout,
            OnAnswer<v1::ReadResponse> done);

  // Ends all calls that are under way, and those started later, as unavailable.
  void CancelAll();

 private:
  template <typename Request, typename Response>
  using PrepareMethod = std::unique_ptr<grpc::ClientAsyncResponseReader<Response>> (
      v1::TwoPhaseCommitService::Stub::*)(grpc::ClientContext*, const Request&,
                                          grpc::CompletionQueue*);
  template <typename Request, typename Response>
  void Start(PrepareMethod<Request, Response> method, const Request& request,
             absl::Duration timeout, bool wait_for_ready, OnAnswer<Response> done);
  template <typename Response>
  rpc::OnDone<Response> Translate(absl::Duration timeout, OnAnswer<Response> done) const;

  const std::string node_id_;
  rpc::QueuePool* const queues_;
  const std::shared_ptr<grpc::Channel> channel_;
  v1::TwoPhaseCommitService::Stub stub_;
  grpc::TemplatedGenericStub<grpc::ByteBuffer, v1::PrepareResponse> raw_stub_;
  const std::shared_ptr<rpc::CallGroup> calls_;
};

}  // namespace lockstep::coordinator

#endif  // LOCKSTEP_COORDINATOR_PARTICIPANT_CLIENT_H_
