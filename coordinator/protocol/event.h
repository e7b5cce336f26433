// What happens to the coordinator: everything that Protocol::Step is told.
//
// Every call that an effect asks for is answered by exactly one event: its ...Answered (the call
// returned OK) or its ...Failed. What an error's trailing metadata tells goes into Heard.
#ifndef LOCKSTEP_COORDINATOR_PROTOCOL_EVENT_H_
#define LOCKSTEP_COORDINATOR_PROTOCOL_EVENT_H_

#include <string>
#include <variant>
#include <vector>

#include "absl/container/inlined_vector.h"
#include "absl/time/time.h"
#include "coordinator/protocol/types.h"

namespace lockstep::coordinator {

// A client's transaction. Answered by exactly one Complete.
struct Submit {
  TransactionHandle transaction = 0;
  // Every participant that runs a branch of it, each once, 1 or more; all replicas of each of its
  // databases. Their order is the order in which NO votes are looked for.
  absl::InlinedVector<ParticipantIndex, 4> participants;
  uint64_t bytes = 0;       // of its statements, for the caps
  absl::Duration deadline;  // on the monotonic clock
};

struct PrepareAnswered {
  ParticipantIndex participant = 0;
  RoundId round;
  Report report;
  std::vector<Vote> votes;  // one per branch, in the order of SendPrepare
  absl::Duration execution_time;
};
struct PrepareFailed {
  ParticipantIndex participant = 0;
  RoundId round;
  CallFailure failure = CallFailure::kUnavailable;
};

// The record of LogDecision survives a power loss.
struct DecisionDurable {
  RoundId round;
};
// The write of LogDecision failed, or its result is unknown: ends the process (rule R13).
struct DecisionFailed {
  RoundId round;
  std::string reason;
};

struct CommitAnswered {
  ParticipantIndex participant = 0;
  RoundId round;
  Report report;
};
struct CommitFailed {
  ParticipantIndex participant = 0;
  RoundId round;
  CallFailure failure = CallFailure::kUnavailable;
};
struct RollbackAnswered {
  ParticipantIndex participant = 0;
  RoundId round;
  Report report;
};
struct RollbackFailed {
  ParticipantIndex participant = 0;
  RoundId round;
  CallFailure failure = CallFailure::kUnavailable;
};

struct FenceAnswered {
  ParticipantIndex participant = 0;
  Report report;
};
struct FenceFailed {
  ParticipantIndex participant = 0;
  CallFailure failure = CallFailure::kUnavailable;
  std::string reason = {};  // for people
};
// The participant's identity is another one than ours for it (rule R22); `reason` names both.
struct FenceRefused {
  ParticipantIndex participant = 0;
  std::string reason;
};

struct StatusAnswered {
  ParticipantIndex participant = 0;
  Report report;
};
struct StatusFailed {
  ParticipantIndex participant = 0;
  CallFailure failure = CallFailure::kUnavailable;
};

// The boot id and durable round that came with some other answer (of a Read, of an error).
// Optional: it only makes the protocol learn sooner.
struct Heard {
  ParticipantIndex participant = 0;
  uint64_t boot_id = 0;
  RoundId durable;
};

// Time has passed; at least every kTickInterval.
struct Tick {};
// Refuse what is new, finish what is in a round, then say Idle.
struct Shutdown {};

using Event =
    std::variant<Submit, PrepareAnswered, PrepareFailed, DecisionDurable, DecisionFailed,
                 CommitAnswered, CommitFailed, RollbackAnswered, RollbackFailed, FenceAnswered,
                 FenceFailed, FenceRefused, StatusAnswered, StatusFailed, Heard, Tick, Shutdown>;

}  // namespace lockstep::coordinator

#endif  // LOCKSTEP_COORDINATOR_PROTOCOL_EVENT_H_
