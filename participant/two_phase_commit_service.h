// The gRPC edge of the coordinator's own calls.
#ifndef LOCKSTEP_PARTICIPANT_TWO_PHASE_COMMIT_SERVICE_H_
#define LOCKSTEP_PARTICIPANT_TWO_PHASE_COMMIT_SERVICE_H_

#include <cstddef>

#include "common/rpc/server.h"
#include "common/rpc/validate.h"
#include "participant/handle.h"

namespace lockstep::participant {

// Adds lockstep.v1.TwoPhaseCommitService to `server`, in front of `handle`. Every answer, errors
// too, has the boot id and the durable round. A round's record takes `record_bytes` at most.
// Before Server::Start.
void AddTwoPhaseCommitService(const ParticipantHandle& handle, const rpc::RequestLimits& limits,
                              size_t record_bytes, rpc::Server* server);

}  // namespace lockstep::participant

#endif  // LOCKSTEP_PARTICIPANT_TWO_PHASE_COMMIT_SERVICE_H_
