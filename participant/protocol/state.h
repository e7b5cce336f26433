// What the two-phase commit protocol knows of one participant.
#ifndef LOCKSTEP_PARTICIPANT_PROTOCOL_STATE_H_
#define LOCKSTEP_PARTICIPANT_PROTOCOL_STATE_H_

#include <cstdint>
#include <optional>

#include "common/round_id.h"

namespace lockstep::participant {

enum class RoundPhase {
  kRecovering,   // the scan has not ended: nothing is known yet
  kIdle,         // holds no round
  kPrepared,     // this process voted YES and waits for the decision
  kInDoubt,      // found prepared by a scan; only the coordinator can tell how it ended
  kReexecuting,  // decided and durable with a finite cut, not applied yet; finishes alone
};

// term, coordinator, tombstone and applied are durable, but for an applied round above durable.
struct State {
  Term term = 0;
  uint64_t coordinator = 0;  // the boot id of the run that the term belongs to; 0: it gave none
  RoundId tombstone;
  RoundId applied;
  RoundId durable;
  RoundPhase phase = RoundPhase::kRecovering;
  RoundId round;            // the one that is held; none in kRecovering and kIdle
  bool has_record = false;  // in doubt: its branches and votes were found too
  bool identified = false;  // cluster, node and log are stored
  bool replicated = false;  // the database has other replicas

  friend bool operator==(const State&, const State&) = default;
};

// What a scan found (rule 8 of the storage's start). At most one of redo and in_doubt holds.
struct Scan {
  struct InDoubt {
    RoundId round;
    bool has_record = false;
  };
  Term term = 0;
  uint64_t coordinator = 0;
  RoundId tombstone;
  RoundId applied;  // all of it durable: the scan began with a sync (rule R9)
  bool identified = false;
  bool replicated = false;
  std::optional<RoundId> redo;      // a finite cut that has to be re-executed
  std::optional<InDoubt> in_doubt;  // above applied, whatever the tombstone says (rule R4)
};

}  // namespace lockstep::participant

#endif  // LOCKSTEP_PARTICIPANT_PROTOCOL_STATE_H_
