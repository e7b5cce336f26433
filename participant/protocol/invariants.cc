#include "participant/protocol/invariants.h"

namespace lockstep::participant {
namespace {

std::optional<std::string> BrokenInOneState(const State& state) {
  const bool holds = state.phase != RoundPhase::kRecovering && state.phase != RoundPhase::kIdle;
  if (holds == state.round.is_none()) return "a round is held in exactly the phases that hold one";
  if (holds && state.round <= state.applied)
    return "a held round is above the applied one (R3, R4)";
  if (holds && state.round.term() > state.term) return "a held round's term is durable (R1)";
  if (state.durable > state.applied) return "what is durable is applied (R9)";
  if (state.applied.term() > state.term) return "an applied round's term is durable (R1)";
  if (state.tombstone.term() > state.term) return "a tombstone's term is durable (R1)";
  if (state.has_record && !holds) return "a record belongs to a held round";
  return std::nullopt;
}

std::optional<std::string> BrokenFromStepToStep(const State& before, const State& after) {
  if (before.phase == RoundPhase::kRecovering && before == State()) return std::nullopt;
  if (after.term < before.term) return "a term never falls (R1)";
  if (after.term == before.term && after.coordinator != before.coordinator) {
    return "a term belongs to one run (R22)";
  }
  if (after.tombstone < before.tombstone) return "a tombstone never falls (R3)";
  if (after.applied < before.applied) return "the applied round never falls (R3)";
  if (after.durable < before.durable) return "the durable round never falls (R9)";
  if (before.identified && !after.identified) return "an identity stays (R22)";
  const bool moved = after.applied != before.applied && before.phase != RoundPhase::kRecovering;
  if (moved && after.applied != before.round) return "only a held round is applied (R8)";
  const bool prepared = after.phase == RoundPhase::kPrepared &&
                        (before.phase != RoundPhase::kPrepared || after.round != before.round);
  if (prepared && before.phase != RoundPhase::kIdle) return "one round at a time";
  if (prepared && after.round <= before.tombstone)
    return "a round that was rolled back stays so (R3)";
  return std::nullopt;
}

}  // namespace

std::optional<std::string> BrokenInvariant(const State& before, const State& after) {
  if (auto broken = BrokenInOneState(after)) return broken;
  return BrokenFromStepToStep(before, after);
}

}  // namespace lockstep::participant
