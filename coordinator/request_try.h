// What a request says about its request_id.
#ifndef LOCKSTEP_COORDINATOR_REQUEST_TRY_H_
#define LOCKSTEP_COORDINATOR_REQUEST_TRY_H_

#include <optional>
#include <string>

#include "absl/time/time.h"
#include "common/error.h"
#include "coordinator/protocol/request_table.h"
#include "lockstep/v1/coordinator.pb.h"

namespace lockstep::coordinator {

// Nothing without a request_id. Refuses an expire_time that has passed at `now`, by the wall clock
// (REQUEST_EXPIRED), or is more than 24 hours ahead (LIMIT_EXCEEDED). `request` has passed
// ValidateRequest. `log_id`: of the log that has the answers. How long it is kept is left open.
Result<std::optional<RequestTry>> RequestTryOf(const v1::ExecuteRequest& request,
                                               const std::string& log_id, absl::Time now);

// The same for a question, which has no body. Requires a request_id.
RequestTry RequestTryOf(const v1::GetTransactionRequest& request, const std::string& log_id);

}  // namespace lockstep::coordinator

#endif  // LOCKSTEP_COORDINATOR_REQUEST_TRY_H_
