// The cluster's state as GetClusterStatus answers it.
#ifndef LOCKSTEP_COORDINATOR_CLUSTER_STATUS_H_
#define LOCKSTEP_COORDINATOR_CLUSTER_STATUS_H_

#include "absl/time/time.h"
#include "coordinator/engine.h"
#include "lockstep/v1/coordinator.pb.h"

namespace lockstep::coordinator {

// On the engine's thread.
v1::GetClusterStatusResponse ClusterStatusOf(const Engine& engine, absl::Time start_time);

}  // namespace lockstep::coordinator

#endif  // LOCKSTEP_COORDINATOR_CLUSTER_STATUS_H_
