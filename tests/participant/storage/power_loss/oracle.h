// The coordinator of the power-loss test, and all that it may rely on.
#ifndef LOCKSTEP_TESTS_PARTICIPANT_STORAGE_POWER_LOSS_ORACLE_H_
#define LOCKSTEP_TESTS_PARTICIPANT_STORAGE_POWER_LOSS_ORACLE_H_

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "common/round_id.h"
#include "tests/participant/storage/power_loss/model.h"

namespace lockstep::participant {

// Rules of the coordinator that a mutant leaves out.
struct OracleFaults {
  bool forget_on_acknowledgement = false;  // R17
  bool recordless_is_aborted = false;      // P8: ask the coordinator
  bool recordless_is_committed = false;
};

// A durable decision: the round keeps its YES branches below the cut.
struct Decision {
  std::vector<TestBranch> kept;
  bool all = true;  // no finite cut
};

// Never loses anything itself: its decision log is perfect. It keeps a decision until the
// participant said that the round is durable, and remembers what it was promised.
class Oracle {
 public:
  explicit Oracle(OracleFaults faults) : faults_(faults) {}

  Term term() const { return term_; }
  // The coordinator starts again: a higher term; what was not decided never will be.
  void Restart() { ++term_; }
  RoundId NextRound() { return RoundId::Make(term_, ++number_); }
  RoundId latest_round() const { return RoundId::Make(term_, number_); }

  // What every reader must see once all decisions are delivered.
  const Model& model() const { return model_; }
  void set_model(const Model& model) { model_ = model; }
  // The last decided round.
  RoundId decided() const { return decided_; }

  void Decide(RoundId round, Decision decision);
  const Decision* Find(RoundId round) const;
  // What to do with a round in doubt: presumed aborted without a decision.
  const Decision* FindInDoubt(RoundId round, bool has_record) const;
  // Oldest first.
  const std::map<RoundId, Decision>& kept() const { return kept_; }

  // The participant acknowledged a Commit.
  void Acknowledged(RoundId round);
  // From each of its replies. False if it is less than was reported before.
  bool Durable(RoundId durable);

  // What the participant promised by its answers.
  Term promised_term = 0;
  RoundId promised_tombstone;

 private:
  const OracleFaults faults_;
  Term term_ = 1;
  uint64_t number_ = 0;
  Model model_;
  RoundId decided_;
  RoundId durable_;
  std::map<RoundId, Decision> kept_;
};

}  // namespace lockstep::participant

#endif  // LOCKSTEP_TESTS_PARTICIPANT_STORAGE_POWER_LOSS_ORACLE_H_
