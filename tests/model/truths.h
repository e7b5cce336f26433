// What really happened, on every path of the model.
#ifndef LOCKSTEP_TESTS_MODEL_TRUTHS_H_
#define LOCKSTEP_TESTS_MODEL_TRUTHS_H_

#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "tests/model/interner.h"
#include "tests/model/setup.h"
#include "tests/simulation/truth.h"

namespace lockstep::model {

struct Submitted {
  simulation::TransactionHandle transaction = 0;
  simulation::ParticipantList participants;
};
struct Executed {
  simulation::ParticipantIndex participant = 0;
  RoundId round;
  RoundId applied;
};
struct RolledBack {
  simulation::ParticipantIndex participant = 0;
  RoundId round;
};
struct Violation {
  std::string what;
};

// One thing that Truth is told.
using Deed =
    std::variant<Submitted, coordinator::SendPrepare, coordinator::PrepareAnswered,
                 coordinator::LogDecision, coordinator::Complete, Executed, RolledBack, Violation>;
using Deeds = std::vector<Deed>;

class Truths {
 public:
  explicit Truths(std::vector<simulation::DatabaseIndex> databases)
      : first_(std::move(databases), /*knows_digests=*/true), none_(InternDeeds({})) {}

  Id First();
  Id no_deeds() const { return none_; }
  Id InternDeeds(const Deeds& deeds);
  const Deeds& deeds(Id id) const { return deeds_.at(id); }
  Id Apply(Id truth, Id deeds);
  const simulation::Truth& at(Id id) const { return truths_.at(id); }
  size_t size() const { return truths_.size(); }

 private:
  Id Intern(const simulation::Truth& truth);

  simulation::Truth first_;
  Interner<simulation::Truth> truths_;
  Interner<Deeds> deeds_;
  Id none_;
  absl::flat_hash_map<uint64_t, Id> applied_;
};

}  // namespace lockstep::model

#endif  // LOCKSTEP_TESTS_MODEL_TRUTHS_H_
