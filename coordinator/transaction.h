// A transaction on its way through the coordinator.
#ifndef LOCKSTEP_COORDINATOR_TRANSACTION_H_
#define LOCKSTEP_COORDINATOR_TRANSACTION_H_

#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/container/inlined_vector.h"
#include "absl/functional/any_invocable.h"
#include "absl/time/time.h"
#include "common/error.h"
#include "coordinator/cluster.h"
#include "coordinator/protocol/request_table.h"
#include "coordinator/protocol/types.h"
#include "coordinator/transaction_id.h"
#include "lockstep/v1/coordinator.pb.h"

namespace lockstep::coordinator {

// Called once, on a thread of the coordinator's choice; must not block. Several transactions may be
// given the same result.
using OnExecuted = absl::AnyInvocable<void(const Result<v1::ExecuteResponse>&)>;

// What one database is to run.
struct DatabaseShare {
  DatabaseIndex database = 0;
  std::string operations;  // from EncodeOperations
};

// Why a participant voted NO.
struct NoVote {
  ParticipantIndex participant = 0;
  Error error;
};

// Made on the thread that took the request, so that what costs time is done before the coordinator
// gets it; after that only the coordinator's thread touches it.
struct Transaction {
  OnExecuted done;
  absl::InlinedVector<DatabaseShare, 2> shares;  // a database each
  absl::InlinedVector<ParticipantIndex, 4> participants;
  uint64_t bytes = 0;
  std::optional<RequestTry> request;  // without one nothing is known of it afterwards
  absl::Duration arrived;             // these are all on the monotonic clock
  absl::Duration deadline;

  TransactionId id;
  // Of the latest round that it was sent in.
  RoundId round;
  absl::Duration sent = absl::ZeroDuration();
  absl::Duration decided = absl::ZeroDuration();  // all votes were there
  std::vector<NoVote> no_votes;
  // Of its answer, once that is with the decision log, or was found there.
  Retention answer_retention = {absl::InfiniteFuture(), absl::InfiniteFuture()};
  uint64_t result_bytes = 0;  // of the results in `response`
  // Filled as the votes come; its results have their places and names from the start.
  v1::ExecuteResponse response;
};

// Checks that the databases exist, and prepares everything that needs the request. `request` has
// passed ValidateRequest. The caller sets done, arrived and deadline.
Result<std::unique_ptr<Transaction>> MakeTransaction(const v1::ExecuteRequest& request,
                                                     const Cluster& cluster);

}  // namespace lockstep::coordinator

#endif  // LOCKSTEP_COORDINATOR_TRANSACTION_H_
