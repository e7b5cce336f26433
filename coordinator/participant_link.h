// What the coordinator needs of its connection to one participant.
#ifndef LOCKSTEP_COORDINATOR_PARTICIPANT_LINK_H_
#define LOCKSTEP_COORDINATOR_PARTICIPANT_LINK_H_

#include <memory>
#include <string>
#include <vector>

#include "absl/time/time.h"
#include "coordinator/cluster.h"
#include "coordinator/participant_client.h"

namespace lockstep::coordinator {

// As ParticipantClient; tests have one without a network. Every call ends with one answer.
class ParticipantLink {
 public:
  virtual ~ParticipantLink() = default;
  virtual void Prepare(const grpc::ByteBuffer& request, absl::Duration timeout,
                       OnAnswer<v1::PrepareResponse> done) = 0;
  virtual void Commit(const v1::CommitRequest& request, absl::Duration timeout,
                      OnAnswer<v1::CommitResponse> done) = 0;
  virtual void Rollback(const v1::RollbackRequest& request, absl::Duration timeout,
                        OnAnswer<v1::RollbackResponse> done) = 0;
  virtual void Fence(const v1::FenceRequest& request, absl::Duration timeout,
                     OnAnswer<v1::FenceResponse> done) = 0;
  virtual void Status(const v1::StatusRequest& request, absl::Duration timeout, bool waits,
                      OnAnswer<v1::StatusResponse> done) = 0;
  virtual void Read(const v1::ReadRequest& request, absl::Duration timeout,
                    OnAnswer<v1::ReadResponse> done) = 0;
  virtual void CancelAll() = 0;
};

using ParticipantLinks = std::vector<std::unique_ptr<ParticipantLink>>;

// One gRPC client per node of the cluster, in its order. `queues` outlives them.
ParticipantLinks ConnectTo(const Cluster& cluster, rpc::QueuePool* queues);

}  // namespace lockstep::coordinator

#endif  // LOCKSTEP_COORDINATOR_PARTICIPANT_LINK_H_
