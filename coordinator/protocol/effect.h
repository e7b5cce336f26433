// What the coordinator is to do: everything that Protocol::Step answers with. Effects are carried
// out in their order; calls may overtake each other on the network.
#ifndef LOCKSTEP_COORDINATOR_PROTOCOL_EFFECT_H_
#define LOCKSTEP_COORDINATOR_PROTOCOL_EFFECT_H_

#include <string>
#include <variant>
#include <vector>

#include "absl/time/time.h"
#include "coordinator/protocol/types.h"

namespace lockstep::coordinator {

// A transaction's branch in a Prepare, with what every node sees of time and chance (rule R23).
struct PreparedBranch {
  TransactionHandle transaction = 0;
  absl::Time clock;
  uint64_t seed = 0;
};

struct SendPrepare {
  ParticipantIndex participant = 0;
  RoundId round;
  std::vector<PreparedBranch> branches;  // in the round's order
  absl::Duration vote_deadline;          // on the monotonic clock: give up waiting then
};

// Make this durable, then say DecisionDurable. May share one sync with other decisions.
struct LogDecision {
  RoundId round;
  std::vector<KeptBranches> kept;            // 1 or more
  std::vector<TransactionHandle> committed;  // in the round's order, 1 or more
  absl::Time decide_time;
  absl::Time latest_clock;  // StartState::clock_floor of the next start is the highest of these
};

struct SendCommit {
  ParticipantIndex participant = 0;
  RoundId round;
  Cut cut = kKeepAll;
};
struct SendRollback {
  ParticipantIndex participant = 0;
  RoundId round;
};
// At most one is under way per participant. It needs a deadline of the shell's own.
struct SendFence {
  ParticipantIndex participant = 0;
};
// At most one is under way per participant. Its deadline is kStatusTimeout.
struct SendStatus {
  ParticipantIndex participant = 0;
  // Until there is a connection, which is tried for meanwhile: the answer of one that was
  // UNREACHABLE comes as soon as it can be reached. Else it fails at once without one.
  bool waits = false;
};

enum class Ending { kCommitted, kAborted, kNotStarted };

enum class EndingReason {
  kNone,                    // kCommitted
  kVoteNo,                  // of `participant`, in `round`: its vote has the error
  kVetoed,                  // by the shell, with the vote of `participant`
  kReplicasDisagree,        // `digests`
  kTimeout,                 // waited too long for its participants
  kParticipantUnavailable,  // `participant`: no vote in `round`, or not to be reached
  kQueueFull,               // kNotStarted
  kTooLarge,                // kNotStarted: it would not fit into an empty queue either
  kShuttingDown,            // kNotStarted, or kAborted when deferred before
};

struct ReplicaDigest {
  ParticipantIndex participant = 0;
  uint64_t digest = 0;
};

// Answer the client; the handle is not used again. Comes after the decision is durable. Every
// database of a committed transaction has reached the version `round`.
struct Complete {
  TransactionHandle transaction = 0;
  Ending ending = Ending::kAborted;
  EndingReason reason = EndingReason::kNone;
  // The round that decided it; none if it was not in a round, or was deferred by its last one.
  RoundId round;
  ParticipantIndex participant = 0;
  std::vector<ReplicaDigest> digests;
};

// The record is not needed any more (rule R17); no hurry.
struct ForgetDecision {
  RoundId round;
};

// Keep `durable` for StartState (rule R22); in the same write as the ForgetDecisions that follow.
struct RecordDurable {
  ParticipantIndex participant = 0;
  RoundId durable;
};

struct ParticipantStateChanged {
  ParticipantIndex participant = 0;
  ParticipantState state = ParticipantState::kRecovering;
  std::string reason;  // empty when READY
};

// Data is lost at a participant, or it broke the protocol: page someone. It is REFUSED from now on.
struct Alarm {
  ParticipantIndex participant = 0;
  std::string reason;
};

// End the process now, without another message or answer. Nothing follows it.
struct Fatal {
  std::string reason;
  // Participants have followed another run than this decision log knows of: it is an older copy, or
  // was copied. Mark it before the end, so that no start of it draws another term (rule R22).
  bool superseded = false;
};

// After Shutdown: no round is under way, every delivery to a reachable participant is done.
struct Idle {};

using Effect = std::variant<SendPrepare, LogDecision, SendCommit, SendRollback, SendFence,
                            SendStatus, Complete, ForgetDecision, RecordDurable,
                            ParticipantStateChanged, Alarm, Fatal, Idle>;

}  // namespace lockstep::coordinator

#endif  // LOCKSTEP_COORDINATOR_PROTOCOL_EFFECT_H_
