// The head of the decision log: what it is, the terms it gave, and whether it may be used at all.
#ifndef LOCKSTEP_COORDINATOR_LOG_HEAD_H_
#define LOCKSTEP_COORDINATOR_LOG_HEAD_H_

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "common/round_id.h"
#include "common/sqlite/connection.h"
#include "coordinator/transaction_id.h"

namespace lockstep::coordinator {

// The newest format that this code reads and writes.
inline constexpr int kLogFormat = 4;

struct LogHead {
  std::string log_id;
  absl::Time clock_floor;
  absl::Time log_time;
  absl::Time forgotten_expiry;
  RoundId lowest_open;
  TransactionId horizon;
};

// Makes the tables if there are none. FAILED_PRECONDITION with a sentence for the operator, which
// goes on from "the decision log ... ", when the log is of another cluster, of another format or
// superseded. Within a transaction of the caller.
absl::StatusOr<LogHead> ReadOrMakeHead(sqlite::Connection* connection,
                                       const std::string& cluster_id);

// The next term, for a run with a boot id that is drawn here (R22). Within a transaction of the
// caller.
absl::StatusOr<Term> DrawTerm(sqlite::Connection* connection);

// The boot ids of the runs that had the terms 1, 2 and so on, up to the last.
absl::StatusOr<std::vector<uint64_t>> ReadBootIds(sqlite::Connection* connection);

// From now on ReadOrMakeHead refuses. Within a transaction of the caller.
absl::Status StoreSuperseded(sqlite::Connection* connection, const std::string& reason,
                             absl::Time now);

}  // namespace lockstep::coordinator

#endif  // LOCKSTEP_COORDINATOR_LOG_HEAD_H_
