// What events and effects of the coordinator protocol are made of.
#ifndef LOCKSTEP_COORDINATOR_PROTOCOL_TYPES_H_
#define LOCKSTEP_COORDINATOR_PROTOCOL_TYPES_H_

#include <cstdint>
#include <limits>
#include <string>
#include <vector>

#include "absl/time/time.h"
#include "common/round_id.h"

namespace lockstep::coordinator {

// A participant's place in Config::participants, and a database's number there.
using ParticipantIndex = uint32_t;
using DatabaseIndex = uint32_t;

// The shell's own name for a transaction; the protocol only hands it back.
using TransactionHandle = uint64_t;

// How many branches of a round a participant keeps: those before the cut, in the order of its
// Prepare, that voted YES.
using Cut = uint32_t;
inline constexpr Cut kKeepAll = std::numeric_limits<Cut>::max();

// One instant on both clocks: `monotonic` for deadlines, `wall` for what SQL and people see.
struct Now {
  absl::Duration monotonic;
  absl::Time wall;
};

// What the protocol needs of a vote; error, rows and times stay with the shell.
struct Vote {
  enum class Kind : uint8_t { kYes, kNo, kDefer };
  Kind kind = Kind::kNo;
  uint64_t digest = 0;  // means something only with kYes
  // The shell cannot use what came with a YES: the transaction aborts as by a NO, but the
  // participant holds the branch.
  bool vetoed = false;
};

// What a participant says of itself in every answer (lockstep.v1.NodeReport).
struct Report {
  uint64_t boot_id = 0;
  RoundId applied;
  RoundId durable;
  RoundId prepared;  // none: nothing is prepared
  bool in_doubt = false;
  absl::Time prepared_since = absl::InfinitePast();
  Term term = 0;  // the highest that it has seen
};

// Why a call brought no answer that counts.
enum class CallFailure {
  kUnavailable,   // no connection, or it broke: whether the call arrived is unknown
  kTimeout,       // no answer within the call's deadline
  kRefused,       // answered, with an error
  kTermOutdated,  // answered: the participant has seen a higher term
};

// What a participant of a decided round keeps. Participants that keep nothing are not listed.
struct KeptBranches {
  ParticipantIndex participant = 0;
  Cut cut = kKeepAll;
  friend bool operator==(const KeptBranches&, const KeptBranches&) = default;
};

struct KeptDecision {
  RoundId round;
  std::vector<KeptBranches> kept;
};

enum class ParticipantState {
  kReady,
  kRecovering,   // not shaken hands with yet, or in doubt: transactions wait for it
  kUnreachable,  // transactions that need it fail at once
  kRefused,      // not the node that we mean, or it lost data: as kUnreachable, until repaired
};

}  // namespace lockstep::coordinator

#endif  // LOCKSTEP_COORDINATOR_PROTOCOL_TYPES_H_
