// The gRPC edge of what clients ask one node.
#ifndef LOCKSTEP_PARTICIPANT_PARTICIPANT_SERVICE_H_
#define LOCKSTEP_PARTICIPANT_PARTICIPANT_SERVICE_H_

#include "common/rpc/server.h"
#include "common/rpc/validate.h"
#include "participant/handle.h"

namespace lockstep::participant {

// Adds lockstep.v1.ParticipantService to `server`, in front of `handle`. Before Server::Start.
void AddParticipantService(const ParticipantHandle& handle, const rpc::RequestLimits& limits,
                           rpc::Server* server);

}  // namespace lockstep::participant

#endif  // LOCKSTEP_PARTICIPANT_PARTICIPANT_SERVICE_H_
