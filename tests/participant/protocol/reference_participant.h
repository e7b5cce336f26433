// A second, slow and plain description of a participant, against which the protocol is walked.
#ifndef LOCKSTEP_TESTS_PARTICIPANT_PROTOCOL_REFERENCE_PARTICIPANT_H_
#define LOCKSTEP_TESTS_PARTICIPANT_PROTOCOL_REFERENCE_PARTICIPANT_H_

#include <map>
#include <set>
#include <string>

#include "common/round_id.h"

namespace lockstep::participant {

// Remembers every round by name and what became of it, where the protocol keeps two numbers.
class ReferenceParticipant {
 public:
  enum class Fate { kPrepared, kInDoubt, kBareInDoubt, kRedo, kApplied, kRolledBack, kVotedNo };

  // The answer in one word: "ok", "votes", "run", "commit", "cut", "redo", "forget", "stop" or
  // "no". The term counts as seen afterwards.
  std::string Prepare(Term term, RoundId round);
  std::string Commit(Term term, RoundId round, bool cut);
  std::string Rollback(Term term, RoundId round);

  void Set(RoundId round, Fate fate) { fates_[round] = fate; }
  void Ran(RoundId round, bool holds);
  void RolledBack(Term term, RoundId round);
  // The process ends: what it alone knew is gone.
  void Crash(bool record_lost);

  Term term() const { return term_; }
  RoundId Held() const;

 private:
  bool Accept(Term term);
  RoundId Highest(Fate fate) const;

  Term term_ = 1;
  std::map<RoundId, Fate> fates_;
  std::set<RoundId> durable_rollbacks_;
  std::set<RoundId> voted_by_this_process_;
};

}  // namespace lockstep::participant

#endif  // LOCKSTEP_TESTS_PARTICIPANT_PROTOCOL_REFERENCE_PARTICIPANT_H_
