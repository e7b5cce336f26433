// What a participant's protocol wants done about one message.
#ifndef LOCKSTEP_PARTICIPANT_PROTOCOL_DECISION_H_
#define LOCKSTEP_PARTICIPANT_PROTOCOL_DECISION_H_

#include <optional>

#include "common/round_id.h"

namespace lockstep::participant {

enum class Action {
  kRefuse,             // answer with an error made from `refusal`
  kAnswer,             // nothing is left to do: answer OK
  kExecute,            // Prepare: run the branches, then say Voted
  kRepeatVotes,        // Prepare: answer the votes that this process gave to this round
  kCommitPrepared,     // then say Committed
  kCommitInDoubt,      // unmask, sync, reopen, then say CommittedInDoubt and Scanned
  kCommitCut,          // make the kept branches durable, then say RedoPersisted
  kFinishReexecution,  // try the re-execution of the held round now, then say Reexecuted
  kForget,             // drop the held round, then say Forgotten
  kRunLocal,           // run the local transaction now
  kWait,               // local transaction or read: ask again when the state has changed
  kStop,               // what was asked proves that data is lost: end the process
};

enum class Refusal {
  kNone,
  kRoundInvalid,       // not a round that this coordinator's term can send
  kTermOutdated,       // R1
  kTermTaken,          // R22: another run has fenced with this term
  kStrayed,            // R22: fenced by a run that the sender's decision log does not know
  kNotFenced,          // R1: of a higher term than the last Fence's
  kRecovering,         // R8: before the scan has ended
  kNotIdentified,      // no coordinator has introduced itself yet
  kInDoubt,            // found by a start
  kReexecuting,        // R7
  kHoldsAnotherRound,  // one round at a time
  kRoundFinished,      // R3: at or below the highest applied, rolled back or voted on
  kRoundApplied,       // Rollback of an applied or decided round
  kRoundUnknown,       // R8: Commit of what is not held
  kCutKeepsNothing,    // a cut without a YES branch is sent as Rollback
  kReplicated,         // a local transaction would part the replicas
};

// In this order: make persist_term durable, with the run that it belongs to, and say TermPersisted;
// make persist_tombstone durable and say TombstonePersisted; then act. Only a Fence raises the term
// (rule R1), and only an action other than a refusal writes anything.
struct Decision {
  Action action = Action::kRefuse;
  Refusal refusal = Refusal::kNone;
  std::optional<Term> persist_term;
  std::optional<RoundId> persist_tombstone;
};

// What a Commit keeps of the round's YES branches.
enum class Keep { kAll, kPrefix, kNothing };

}  // namespace lockstep::participant

#endif  // LOCKSTEP_PARTICIPANT_PROTOCOL_DECISION_H_
