// The outcome function: from the votes of a round to what becomes of its transactions.
#ifndef LOCKSTEP_COORDINATOR_PROTOCOL_OUTCOME_H_
#define LOCKSTEP_COORDINATOR_PROTOCOL_OUTCOME_H_

#include <cstdint>
#include <vector>

#include "coordinator/protocol/types.h"

namespace lockstep::coordinator {

// A participant of a round is named by its place in Ballot::participants here.
using Place = uint32_t;

// The votes of a round, in the round's order.
struct Ballot {
  struct Participant {
    DatabaseIndex database = 0;
    bool missing = false;     // no vote that counts: `votes` means nothing
    std::vector<Vote> votes;  // one per branch, in the round's order
  };
  // The participants of transaction t are members[member_end[t - 1] .. member_end[t]), each once.
  std::vector<uint32_t> member_end;
  std::vector<Place> members;
  std::vector<Participant> participants;

  void Clear();
};

struct TransactionOutcome {
  enum class Kind : uint8_t { kCommit, kAbort, kDefer };
  enum class Cause : uint8_t { kNone, kVoteNo, kVoteMissing, kVetoed, kReplicasDisagree };
  Kind kind = Kind::kDefer;
  Cause cause = Cause::kNone;  // of an abort
  Place culprit = 0;           // whose vote is NO, missing or vetoed; the first that disagrees
};

struct RoundOutcome {
  std::vector<TransactionOutcome> transactions;
  std::vector<Cut> cuts;       // per participant; kKeepAll: no cut
  std::vector<uint32_t> kept;  // per participant: how many branches it keeps; 0: Rollback

  bool keeps_anything() const;
};

// Every participant keeps the YES branches before its cut, and all of those are committed: so no
// transaction depends on an undone one, and every NO was judged on committed state (rule R12).
// A participant whose vote is missing keeps nothing.
void DecideOutcome(const Ballot& ballot, RoundOutcome* outcome);

}  // namespace lockstep::coordinator

#endif  // LOCKSTEP_COORDINATOR_PROTOCOL_OUTCOME_H_
