#include "participant/errors.h"

#include <optional>

#include "absl/strings/str_cat.h"
#include "common/check.h"
#include "common/sqlite/error.h"
#include "participant/execution/failure.h"

namespace lockstep::participant {
namespace {

Error Make(Reason reason, std::string message, const NodeIdentity& name) {
  Error error;
  error.reason = reason;
  error.message = std::move(message);
  error.outcome = FailureOutcome::kNotStarted;
  error.node_id = name.node_id;
  error.database = name.database;
  return error;
}

Error NotReady(std::string message, const NodeIdentity& name) {
  return Make(Reason::kNotReady, std::move(message), name);
}

std::string Named(RoundId round) {
  return absl::StrCat(round.value(), " (term ", round.term(), ", number ", round.number(), ")");
}

std::string Hex(uint64_t boot_id) { return absl::StrCat(absl::Hex(boot_id, absl::kZeroPad16)); }

std::string Finished(const State& state) {
  return absl::StrCat("applied up to ", Named(state.applied), ", rolled back up to ",
                      Named(state.tombstone));
}

Error Invalid(const std::string& field, std::string message, const NodeIdentity& name) {
  Error error = Make(Reason::kRequestInvalid, std::move(message), name);
  error.field = field;
  return error;
}

}  // namespace

Error RefusedBy(Refusal refusal, const State& state, Term term, RoundId round,
                const NodeIdentity& name) {
  const std::string node = absl::StrCat("node ", name.node_id);
  switch (refusal) {
    case Refusal::kNone:
      break;
    case Refusal::kRoundInvalid:
      return Invalid(
          term == 0 ? "target.term" : "round",
          absl::StrCat("round ", Named(round), " cannot come from a coordinator of term ", term,
                       "; a round has the term of its Prepare's sender"),
          name);
    case Refusal::kTermOutdated:
      return Make(Reason::kTermOutdated,
                  absl::StrCat(node, " obeys a coordinator of term ", state.term, ", not of term ",
                               term, " any more"),
                  name);
    case Refusal::kNotFenced:
      return NotReady(absl::StrCat(node, " obeys a coordinator of term ", state.term,
                                   " and has had no Fence of term ", term, "; send that first"),
                      name);
    case Refusal::kTermTaken:
    case Refusal::kStrayed:
      break;
    case Refusal::kRecovering:
      return NotReady(node + " is still reading its files; ask again", name);
    case Refusal::kNotIdentified:
      return NotReady(node +
                          " has not met its coordinator yet (Fence); ask again, or start it with "
                          "--standalone for local transactions",
                      name);
    case Refusal::kInDoubt:
      return NotReady(absl::StrCat(node, " holds round ", Named(state.round),
                                   " in doubt until its coordinator tells how it ended; ask again"),
                      name);
    case Refusal::kReexecuting:
      return NotReady(absl::StrCat(node, " is finishing round ", Named(state.round), "; ask again"),
                      name);
    case Refusal::kHoldsAnotherRound:
      return NotReady(absl::StrCat(node, " holds round ", Named(state.round),
                                   " prepared, and one round at a time; end that one first"),
                      name);
    case Refusal::kRoundFinished:
      return Make(Reason::kRoundUnknown,
                  absl::StrCat("round ", Named(round), " came too late: ", node,
                               " has finished with it (", Finished(state), ")"),
                  name);
    case Refusal::kRoundApplied:
      return Make(Reason::kRoundUnknown,
                  absl::StrCat("round ", Named(round), " cannot be rolled back: ", node,
                               " has been told to keep it or a later one (", Finished(state), ")"),
                  name);
    case Refusal::kRoundUnknown:
      return Make(Reason::kRoundUnknown,
                  absl::StrCat(node, " holds nothing of round ", Named(round),
                               " and cannot commit it (", Finished(state), ")"),
                  name);
    case Refusal::kCutKeepsNothing:
      return Invalid("cut",
                     absl::StrCat("no branch below the cut of round ", Named(round),
                                  " voted YES; send a Rollback instead"),
                     name);
    case Refusal::kReplicated:
      return Make(Reason::kNodeIsReplicated,
                  absl::StrCat("database ", name.database,
                               " has several replicas, which a local "
                               "transaction on ",
                               node, " would make differ; use the coordinator"),
                  name);
  }
  return Make(Reason::kInvariantBroken, "refused without a reason", name);
}

Error FenceRefusedBy(Refusal refusal, const State& state, const FenceCall& call,
                     const NodeIdentity& name) {
  const std::string ours = absl::StrCat("node ", name.node_id, " obeys the coordinator's run ",
                                        Hex(state.coordinator), " of term ", state.term);
  switch (refusal) {
    case Refusal::kTermTaken:
      return Make(Reason::kTermOutdated,
                  absl::StrCat(ours, ", not run ", Hex(call.boot_id),
                               " of the same term: one of them is on a copy of the decision log"),
                  name);
    case Refusal::kStrayed:
      return Invalid(
          "earlier_boot_ids",
          absl::StrCat(ours, ", of which the decision log of run ", Hex(call.boot_id), " of term ",
                       call.target.term, " does not know: one of them is on an older copy of it"),
          name);
    default:
      return RefusedBy(refusal, state, call.target.term, RoundId(), name);
  }
}

Error NotMeantForThisNode(const std::string& field, const std::string& theirs,
                          const std::string& ours, const NodeIdentity& name) {
  return Invalid(field,
                 absl::StrCat("the call is for ", field, " \"", theirs, "\", but node ",
                              name.node_id, " of cluster ", name.cluster_id, " has \"", ours,
                              "\"; check both configurations"),
                 name);
}

Error HasDataOfItsOwn(uint32_t replicas, const NodeIdentity& name) {
  return Invalid(
      "replicas",
      absl::StrCat("node ", name.node_id, " has data of local transactions, and cannot be ",
                   "one of the ", replicas, " replicas of database ", name.database,
                   ", which start out equal; keep it as the only one, or start it on an "
                   "empty data directory and load the data through the coordinator"),
      name);
}

Error NothingToPrepare(const NodeIdentity& name) {
  return Invalid("branches", "a Prepare has one branch or more", name);
}

Error ClockInvalid(int branch, const NodeIdentity& name) {
  const std::string field = absl::StrCat("branches[", branch, "].clock");
  return Invalid(field, field + " is not a valid Timestamp: in the years 1 to 9999", name);
}

Error FromStorage(const absl::Status& status, const std::string& what, const NodeIdentity& name) {
  const std::optional<sqlite::SqliteError> sqlite = sqlite::SqliteError::FromStatus(status);
  if (sqlite) StopIfDamaged(*sqlite);
  LOCKSTEP_CHECK(
      sqlite || !absl::IsDataLoss(status),
      absl::StrCat("could not ", what, ": ", std::string(status.message()), sqlite::kKeepACopy));
  const bool full = absl::IsResourceExhausted(status) || (sqlite && sqlite->code == sqlite::kFull);
  Error error =
      Make(full ? Reason::kDiskFull : Reason::kParticipantUnavailable,
           absl::StrCat("node ", name.node_id, " could not ", what, ": ",
                        std::string(status.message()), full ? "; make room on its disk" : ""),
           name);
  error.outcome.reset();
  if (sqlite) {
    error.sqlite_code = sqlite->code;
    error.sqlite_extended_code = sqlite->extended_code;
    if (sqlite->code == sqlite::kNoMemory) error.reason = Reason::kLimitExceeded;
  }
  return error;
}

Error WaitedTooLong(const std::string& for_what, const NodeIdentity& name) {
  return Make(Reason::kTimeout,
              absl::StrCat("the time was over while it waited at node ", name.node_id, " for ",
                           for_what, "; nothing was started"),
              name);
}

Error QueueFull(const std::string& which, size_t limit, const NodeIdentity& name) {
  return Make(Reason::kQueueFull,
              absl::StrCat("the ", which, " of node ", name.node_id, " is full (", limit,
                           " places); send less at once, or retry later"),
              name);
}

Error ShuttingDown(const NodeIdentity& name) {
  return Make(Reason::kShuttingDown,
              absl::StrCat("node ", name.node_id, " is stopping; nothing was started"), name);
}

}  // namespace lockstep::participant
