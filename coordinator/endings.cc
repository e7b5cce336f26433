#include "coordinator/endings.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "common/check.h"
#include "common/rpc/error_details.h"

namespace lockstep::coordinator {
namespace {

// Until old answers or attempts are forgotten, some of them are.
constexpr absl::Duration kWhenSomeAreForgotten = absl::Seconds(1);

Error NotStarted(Reason reason, std::string message,
                 std::optional<absl::Duration> retry_delay = std::nullopt) {
  Error error;
  error.reason = reason;
  error.message = std::move(message);
  error.outcome = FailureOutcome::kNotStarted;
  error.retry_delay = retry_delay;
  return error;
}

Error VotedNo(const Complete& complete, Transaction* transaction) {
  for (NoVote& no : transaction->no_votes) {
    if (no.participant == complete.participant) return std::move(no.error);
  }
  Error error;
  error.message = "The participant voted NO, and its reason did not arrive.";
  return error;
}

Error ReplicasDisagree(const Complete& complete, const Cluster& cluster) {
  Error error;
  error.reason = Reason::kReplicasDisagree;
  LOCKSTEP_CHECK(!complete.digests.empty(), "replicas disagree, and none is named");
  error.database = cluster.node(complete.digests.front().participant).database;
  error.message = absl::StrCat("The replicas of database ", error.database,
                               " computed different changes, so none of them was made; the digests "
                               "are:");
  for (const ReplicaDigest& replica : complete.digests) {
    absl::StrAppend(&error.message, " ", cluster.node(replica.participant).node_id, " ",
                    absl::Hex(replica.digest, absl::kZeroPad16));
  }
  absl::StrAppend(&error.message, ". Compare their tables.");
  return error;
}

Error ResultsTooLarge(const Transaction& transaction, uint64_t limit) {
  Error error;
  error.reason = Reason::kLimitExceeded;
  error.message = absl::StrCat(
      "The transaction was aborted because its results take ", transaction.result_bytes,
      " bytes together, more than the limit of ", limit,
      " bytes for one answer (max_result_bytes of the coordinator); return fewer rows, or use "
      "several transactions.");
  return error;
}

Error StatementsTooLarge(const Transaction& transaction, uint64_t limit) {
  Error error;
  error.reason = Reason::kLimitExceeded;
  error.message =
      absl::StrCat("The statements of the transaction take ", transaction.bytes,
                   " bytes at all replicas together, more than the limit of ", limit,
                   " bytes for all that wait (queue_bytes of the coordinator); send it in parts.");
  return error;
}

Error NoPlaceInQueue(const Transaction& transaction, const NamedLimits& limits) {
  return NotStarted(
      Reason::kQueueFull,
      absl::StrCat("The coordinator's queue is full: it takes ", limits.queue_transactions,
                   " transactions (queue_transactions of the coordinator) and ", limits.queue_bytes,
                   " bytes of statements (queue_bytes), and this one has ", transaction.bytes,
                   "; try again later."));
}

Error TimedOut(const Transaction& transaction) {
  Error error;
  error.reason = Reason::kTimeout;
  error.message = absl::StrCat(
      "The transaction was aborted because its time of ",
      absl::FormatDuration(transaction.deadline - transaction.arrived),
      " ended before it was decided; its participants may be busy or in recovery: try again, or "
      "with a longer timeout.");
  return error;
}

Error Unavailable(const Complete& complete, const Cluster& cluster,
                  const std::string& participant_reason) {
  const ClusterNode& node = cluster.node(complete.participant);
  Error error;
  error.reason = Reason::kParticipantUnavailable;
  error.message = absl::StrCat("The transaction was aborted because the participant ", node.node_id,
                               " of database ", node.database,
                               complete.round.is_none() ? " takes no part now" : " did not vote",
                               participant_reason.empty() ? "" : ": ", participant_reason,
                               "; try again when GetClusterStatus shows it READY.");
  return error;
}

Error WithoutMetadata(const Complete& complete, Transaction* transaction, const Cluster& cluster,
                      const NamedLimits& limits, const std::string& participant_reason) {
  switch (complete.reason) {
    case EndingReason::kVoteNo:
      return VotedNo(complete, transaction);
    case EndingReason::kVetoed:
      return ResultsTooLarge(*transaction, limits.result_bytes);
    case EndingReason::kReplicasDisagree:
      return ReplicasDisagree(complete, cluster);
    case EndingReason::kTimeout:
      return TimedOut(*transaction);
    case EndingReason::kParticipantUnavailable:
      return Unavailable(complete, cluster, participant_reason);
    case EndingReason::kQueueFull:
      return NoPlaceInQueue(*transaction, limits);
    case EndingReason::kTooLarge:
      return StatementsTooLarge(*transaction, limits.queue_bytes);
    case EndingReason::kShuttingDown:
      return ShuttingDown();
    case EndingReason::kNone:
      break;
  }
  LOCKSTEP_CHECK(false, "a transaction that did not commit, and no reason why");
}

Error Unknown(TransactionId id, std::string message) {
  Error error;
  error.reason = Reason::kOutcomeUnknown;
  error.message = std::move(message);
  error.outcome = FailureOutcome::kUnknown;
  if (!id.is_none()) error.transaction_id = ToString(id);
  return error;
}

constexpr char kAskByRequestId[] = "send the same request_id again, or ask GetTransaction for it.";

}  // namespace

Error ErrorOf(const Complete& complete, Transaction* transaction, const Cluster& cluster,
              const NamedLimits& limits, const std::string& participant_reason) {
  Error error = WithoutMetadata(complete, transaction, cluster, limits, participant_reason);
  error.outcome = complete.ending == Ending::kNotStarted ? FailureOutcome::kNotStarted
                                                         : FailureOutcome::kAborted;
  error.transaction_id = ToString(transaction->id);
  if (complete.reason == EndingReason::kVoteNo ||
      complete.reason == EndingReason::kParticipantUnavailable) {
    const ClusterNode& node = cluster.node(complete.participant);
    error.node_id = node.node_id;
    error.database = node.database;
  }
  return error;
}

Error QueueFull(uint64_t waiting) {
  return NotStarted(Reason::kQueueFull,
                    absl::StrCat("The coordinator has ", waiting,
                                 " calls waiting, which is its limit (queue_transactions of the "
                                 "coordinator); try again later."));
}

Error DiskFull(const NamedLimits& limits) {
  return NotStarted(
      Reason::kDiskFull,
      absl::StrCat("The disk of the coordinator's decision log has less than ",
                   limits.least_free_bytes,
                   " bytes free (least_free_bytes of the coordinator), so it takes no new "
                   "transactions; make room there."));
}

Error ShuttingDown() {
  return NotStarted(Reason::kShuttingDown,
                    "The coordinator is stopping; try again when it is back.");
}

Error RequestIdReused(const std::string& request_id) {
  return NotStarted(Reason::kRequestIdReused,
                    absl::StrCat("The request_id ", request_id,
                                 " belongs to a request with other operations: send exactly the "
                                 "same ones again, or take another request_id."));
}

Error AttemptOutdated(const RequestTry& request, uint32_t seen_attempt) {
  return NotStarted(Reason::kAttemptOutdated,
                    absl::StrCat("Attempt ", request.attempt, " of the request_id ", request.id,
                                 " came after attempt ", seen_attempt,
                                 ", so it is not taken: only the latest attempt counts."));
}

Error RequestExpired(const std::string& request_id) {
  return NotStarted(Reason::kRequestExpired,
                    absl::StrCat("The request_id ", request_id,
                                 " came after its expire_time, so it is not taken: whether an "
                                 "earlier try was committed can only be read from the data."));
}

Error ExpiryForgotten(const std::string& request_id) {
  return NotStarted(
      Reason::kRequestExpired,
      absl::StrCat("Nothing is known any more of requests with an expire_time as early "
                   "as that of the request_id ",
                   request_id,
                   ", because a clock was ahead when one was accepted, so it is not "
                   "taken: whether an earlier try was committed can only be read from "
                   "the data. A new request_id with a later expire_time, or without "
                   "one, is taken."));
}

Error TooManyAttempts(uint64_t remembered) {
  return NotStarted(
      Reason::kLimitExceeded,
      absl::StrCat("The coordinator remembers the attempts of ", remembered,
                   " request_ids that were not committed, and that is its limit "
                   "(max_remembered_attempts of the coordinator): try again later, or without "
                   "attempt."),
      kWhenSomeAreForgotten);
}

Error AnswersFull(const NamedLimits& limits) {
  return NotStarted(
      Reason::kLimitExceeded,
      absl::StrCat("The answers of request_ids take more than the ", limits.kept_answer_bytes,
                   " bytes that they may (max_kept_answer_bytes of the coordinator): try again "
                   "when the oldest are no longer kept, or without request_id."),
      kWhenSomeAreForgotten);
}

Error OutcomeUnknown(TransactionId id) {
  if (id.is_none()) {
    return Unknown(id, absl::StrCat("The coordinator ended before it knew whether this request_id "
                                    "had been committed: ",
                                    kAskByRequestId));
  }
  return Unknown(id, absl::StrCat("The coordinator ended before transaction ", ToString(id),
                                  " was answered; ask GetTransaction how it ended."));
}

Error StillUnknown(TransactionId id) {
  const std::string other = id.is_none() ? "is, or was, looked up, and gave this one no answer: "
                                         : absl::StrCat("runs as transaction ", ToString(id),
                                                        ", and its answer did not come in time: ");
  return Unknown(id, absl::StrCat("Another try of this request_id ", other, kAskByRequestId));
}

Error ErrorInVote(const v1::BranchVote& vote) {
  std::optional<Error> error = rpc::ErrorFromProto(vote.error());
  if (error) return *std::move(error);
  Error unusable;
  unusable.reason = Reason::kInvariantBroken;
  unusable.message = absl::StrCat("The participant voted NO without a reason that can be read: ",
                                  vote.error().message());
  return unusable;
}

}  // namespace lockstep::coordinator
