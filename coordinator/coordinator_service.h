// lockstep.v1.CoordinatorService.
#ifndef LOCKSTEP_COORDINATOR_COORDINATOR_SERVICE_H_
#define LOCKSTEP_COORDINATOR_COORDINATOR_SERVICE_H_

#include "common/rpc/server.h"
#include "common/rpc/validate.h"
#include "coordinator/coordinator.h"

namespace lockstep::coordinator {

// Adds the service to `server`, before its Start. `coordinator` must outlive the server's calls.
void AddCoordinatorService(rpc::Server* server, Coordinator* coordinator,
                           const rpc::RequestLimits& limits);

}  // namespace lockstep::coordinator

#endif  // LOCKSTEP_COORDINATOR_COORDINATOR_SERVICE_H_
