#include "tests/participant/storage/power_loss/oracle.h"

#include <algorithm>
#include <utility>

namespace lockstep::participant {

void Oracle::Decide(RoundId round, Decision decision) {
  for (const TestBranch& branch : decision.kept) {
    for (const Action& action : branch.actions) model_.Apply(action);
  }
  decided_ = round;
  kept_.emplace(round, std::move(decision));
}

const Decision* Oracle::Find(RoundId round) const {
  const auto found = kept_.find(round);
  return found == kept_.end() ? nullptr : &found->second;
}

const Decision* Oracle::FindInDoubt(RoundId round, bool has_record) const {
  static const Decision commit;
  if (!has_record && faults_.recordless_is_aborted) return nullptr;
  if (!has_record && faults_.recordless_is_committed) return &commit;
  return Find(round);
}

void Oracle::Acknowledged(RoundId round) {
  if (faults_.forget_on_acknowledgement) kept_.erase(round);
}

bool Oracle::Durable(RoundId durable) {
  if (durable < durable_) return false;
  durable_ = durable;
  kept_.erase(kept_.begin(), kept_.upper_bound(durable));
  return true;
}

}  // namespace lockstep::participant
