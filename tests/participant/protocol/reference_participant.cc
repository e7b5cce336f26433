#include "tests/participant/protocol/reference_participant.h"

#include <algorithm>

namespace lockstep::participant {

std::string ReferenceParticipant::Fence(const std::vector<uint64_t>& log) {
  const bool goes_on =
      log.size() >= log_.size() && std::equal(log_.begin(), log_.end(), log.begin());
  if (!goes_on) return "no";
  log_ = log;
  return "ok";
}

RoundId ReferenceParticipant::Highest(Fate fate) const {
  RoundId highest;
  for (const auto& [round, its_fate] : fates_) {
    if (its_fate == fate) highest = std::max(highest, round);
  }
  return highest;
}

RoundId ReferenceParticipant::Held() const {
  return std::max({Highest(Fate::kPrepared), Highest(Fate::kInDoubt), Highest(Fate::kBareInDoubt),
                   Highest(Fate::kRedo)});
}

std::string ReferenceParticipant::Prepare(Term term, RoundId round) {
  if (round.term() != term || term != log_.size()) return "no";
  const auto fate = fates_.find(round);
  if (fate != fates_.end() && fate->second == Fate::kPrepared) return "votes";
  if (!Held().is_none()) return "no";
  for (RoundId rolled_back : durable_rollbacks_) {
    if (round <= rolled_back) return "no";
  }
  if (round <= Highest(Fate::kApplied)) return "no";
  for (RoundId voted : voted_by_this_process_) {
    if (round < voted) return "no";
  }
  if (fate == fates_.end()) return "run";
  return fate->second == Fate::kVotedNo ? "votes" : "no";
}

std::string ReferenceParticipant::Commit(Term term, RoundId round, bool cut) {
  if (round.term() > term || term != log_.size()) return "no";
  const auto fate = fates_.find(round);
  // Of older ones it cannot be told whether they were applied or held nothing.
  if (fate == fates_.end() || fate->second == Fate::kVotedNo) {
    const bool last_rollback = !durable_rollbacks_.empty() && *durable_rollbacks_.rbegin() == round;
    return round < Highest(Fate::kApplied) && !last_rollback ? "ok" : "no";
  }
  switch (fate->second) {
    case Fate::kPrepared:
    case Fate::kInDoubt:
      return cut ? "cut" : "commit";
    case Fate::kBareInDoubt:
      return cut ? "stop" : "commit";
    case Fate::kRedo:
      return "redo";
    case Fate::kApplied:
      return "ok";
    case Fate::kRolledBack:
    case Fate::kVotedNo:
      return "no";
  }
  return "no";
}

std::string ReferenceParticipant::Rollback(Term term, RoundId round) {
  if (round.term() > term || term != log_.size()) return "no";
  if (round <= Highest(Fate::kApplied)) return "no";
  const auto fate = fates_.find(round);
  if (fate != fates_.end() && fate->second == Fate::kRedo) return "no";
  return round == Held() ? "forget" : "ok";
}

void ReferenceParticipant::Ran(RoundId round, bool holds) {
  fates_[round] = holds ? Fate::kPrepared : Fate::kVotedNo;
  voted_by_this_process_.insert(round);
}

void ReferenceParticipant::RolledBack(Term term, RoundId round) {
  const auto fate = fates_.find(round);
  const bool bare = fate != fates_.end() && fate->second == Fate::kBareInDoubt;
  const bool again = fate != fates_.end() && fate->second == Fate::kRolledBack;
  if (!bare && !again && round.term() == term) durable_rollbacks_.insert(round);
  if (round == Held()) fates_[round] = Fate::kRolledBack;
}

void ReferenceParticipant::Crash(bool record_lost) {
  voted_by_this_process_.clear();
  for (auto it = fates_.begin(); it != fates_.end();) {
    if (it->second == Fate::kPrepared || it->second == Fate::kInDoubt) {
      it->second = record_lost ? Fate::kBareInDoubt : Fate::kInDoubt;
    }
    const bool forgotten = it->second == Fate::kVotedNo || it->second == Fate::kRolledBack;
    it = forgotten ? fates_.erase(it) : std::next(it);
  }
}

}  // namespace lockstep::participant
