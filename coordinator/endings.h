// What the client of a transaction that did not commit is told.
#ifndef LOCKSTEP_COORDINATOR_ENDINGS_H_
#define LOCKSTEP_COORDINATOR_ENDINGS_H_

#include <cstdint>
#include <string>

#include "common/error.h"
#include "coordinator/cluster.h"
#include "coordinator/protocol/effect.h"
#include "coordinator/protocol/request_table.h"
#include "coordinator/transaction.h"
#include "lockstep/v1/two_phase_commit.pb.h"

namespace lockstep::coordinator {

// The limits that an answer may have to name.
struct NamedLimits {
  uint64_t result_bytes = 0;        // of one transaction
  uint64_t queue_transactions = 0;  // that wait
  uint64_t queue_bytes = 0;         // of the statements that wait
  uint64_t kept_answer_bytes = 0;   // of all request_ids
  uint64_t least_free_bytes = 0;    // on the decision log's disk
};

// Requires complete.ending != kCommitted. Moves the error out of the vote that it is about.
// `participant_reason`: why complete.participant is not READY, if it is known.
Error ErrorOf(const Complete& complete, Transaction* transaction, const Cluster& cluster,
              const NamedLimits& limits, const std::string& participant_reason);

// Refusals before the protocol has seen the transaction: nothing was started.
Error QueueFull(uint64_t waiting);
Error DiskFull(const NamedLimits& limits);
Error ShuttingDown();

// Refusals of a request_id; nothing was started.
Error RequestIdReused(const std::string& request_id);
Error AttemptOutdated(const RequestTry& request, uint32_t seen_attempt);
Error RequestExpired(const std::string& request_id);
Error ExpiryForgotten(const std::string& request_id);
Error TooManyAttempts(uint64_t remembered);
Error AnswersFull(const NamedLimits& limits);

// For a transaction whose coordinator ends before it could be told how it ended; `id` is none if it
// did not begin.
Error OutcomeUnknown(TransactionId id);
// For a try of a request_id that joined `id`, which is still under way, or committed with an answer
// that cannot be given now; none if it joined one whose answer was looked up.
Error StillUnknown(TransactionId id);

// The error in a vote of NO; a vote without a usable one is the participant's bug, and said so.
Error ErrorInVote(const v1::BranchVote& vote);

}  // namespace lockstep::coordinator

#endif  // LOCKSTEP_COORDINATOR_ENDINGS_H_
