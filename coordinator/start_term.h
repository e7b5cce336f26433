// How a coordinator begins a term on its decision log.
#ifndef LOCKSTEP_COORDINATOR_START_TERM_H_
#define LOCKSTEP_COORDINATOR_START_TERM_H_

#include <cstdint>
#include <vector>

#include "absl/status/statusor.h"
#include "coordinator/decision_log.h"
#include "coordinator/protocol/config.h"

namespace lockstep::coordinator {

struct TermStart {
  StartState state;
  // Of the runs that had the terms 1, 2 and so on; this run's is the last (R22).
  std::vector<uint64_t> boot_ids;
  CommittedRequests requests;
  absl::Time log_time;  // LogClock goes on from here
};

// Draws a new term, and reads the log to its end. The log has its members set.
absl::StatusOr<TermStart> StartTerm(DecisionLog* log, uint64_t random_seed);

}  // namespace lockstep::coordinator

#endif  // LOCKSTEP_COORDINATOR_START_TERM_H_
