// A second, slow and plain description of a participant, against which the protocol is walked.
#ifndef LOCKSTEP_TESTS_PARTICIPANT_PROTOCOL_REFERENCE_PARTICIPANT_H_
#define LOCKSTEP_TESTS_PARTICIPANT_PROTOCOL_REFERENCE_PARTICIPANT_H_

#include <map>
#include <set>
#include <string>
#include <vector>

#include "common/round_id.h"

namespace lockstep::participant {

// Remembers every round by name and what became of it, where the protocol keeps two numbers.
class ReferenceParticipant {
 public:
  enum class Fate { kPrepared, kInDoubt, kBareInDoubt, kRedo, kApplied, kRolledBack, kVotedNo };

  // The answer in one word: "ok", "votes", "run", "commit", "cut", "redo", "forget", "stop" or
  // "no".
  // `log`: the runs of the sender's decision log by term, its own the last.
  std::string Fence(const std::vector<uint64_t>& log);
  std::string Prepare(Term term, RoundId round);
  std::string Commit(Term term, RoundId round, bool cut);
  std::string Rollback(Term term, RoundId round);

  void Set(RoundId round, Fate fate) { fates_[round] = fate; }
  void Ran(RoundId round, bool holds);
  void RolledBack(Term term, RoundId round);
  // The process ends: what it alone knew is gone.
  void Crash(bool record_lost);

  Term term() const { return static_cast<Term>(log_.size()); }
  RoundId Held() const;

 private:
  RoundId Highest(Fate fate) const;

  std::vector<uint64_t> log_;  // that of the last Fence
  std::map<RoundId, Fate> fates_;
  std::set<RoundId> durable_rollbacks_;
  std::set<RoundId> voted_by_this_process_;
};

}  // namespace lockstep::participant

#endif  // LOCKSTEP_TESTS_PARTICIPANT_PROTOCOL_REFERENCE_PARTICIPANT_H_
