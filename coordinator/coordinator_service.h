// lockstep.v1.CoordinatorService.
#ifndef LOCKSTEP_COORDINATOR_COORDINATOR_SERVICE_H_
#define LOCKSTEP_COORDINATOR_COORDINATOR_SERVICE_H_

#include "common/rpc/server.h"
#include "common/rpc/validate.h"
#include "coordinator/coordinator.h"

namespace lockstep::coordinator {

// Adds the service to `server`, before its Start. `coordinator` must outlive the server's calls.
// With `most_transactions` under way, another one is refused with QUEUE_FULL.
void AddCoordinatorService(rpc::Server* server, Coordinator* coordinator,
                           const rpc::RequestLimits& limits, int most_transactions);

}  // namespace lockstep::coordinator

#endif  // LOCKSTEP_COORDINATOR_COORDINATOR_SERVICE_H_
