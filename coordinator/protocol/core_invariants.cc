// What has to hold of the coordinator's state between two Steps.
#include "common/check.h"
#include "coordinator/protocol/core.h"

namespace lockstep::coordinator {

void Core::CheckInvariants() const {
  absl::flat_hash_map<RoundId, uint32_t> waiting;
  for (ParticipantIndex p = 0; p < participants_.size(); ++p) {
    const ParticipantRecord& participant = participants_[p];
    if (participant.round != kNoRound) {
      const Round& round = rounds_[participant.round];
      LOCKSTEP_CHECK(round.phase != Round::Phase::kUnused, "in a round that has ended");
      LOCKSTEP_CHECK(round.participants[participant.place] == p, "in somebody else's place");
      for (const Delivery& delivery : participant.outbox) {
        LOCKSTEP_CHECK(delivery.round != round.id, "a delivery of a round that is not decided");
      }
      const bool votes = round.phase == Round::Phase::kVoting && !round.answered[participant.place];
      LOCKSTEP_CHECK(!votes || participant.shaken || config_.broken.free_by_timeout,
                     "a vote is awaited from a run that nobody shook hands with (R15)");
    }
    LOCKSTEP_CHECK(!participant.shaken || !participant.fence_under_way,
                   "a Fence of a participant that hands were shaken with");
    LOCKSTEP_CHECK(!participant.delivery_under_way || !participant.outbox.empty() ||
                       config_.broken.free_by_timeout,
                   "a delivery of nothing");
    LOCKSTEP_CHECK(participant.recorded_durable <= participant.durable, "recorded too much");
    RoundId last = participant.durable;
    for (const KeptHere& kept : participant.kept) {
      LOCKSTEP_CHECK(last < kept.round, "durable or unordered, and still kept");
      last = kept.round;
      ++waiting[kept.round];
    }
    LOCKSTEP_CHECK(participant.kept.empty() || last <= participant.least_round,
                   "a read would miss a decided round (R21)");
  }
  LOCKSTEP_CHECK(waiting.size() == decisions_.size(), "decisions are kept for nobody (R17)");
  for (const auto& [round, count] : waiting) {
    const auto decision = decisions_.find(round);
    LOCKSTEP_CHECK(decision != decisions_.end() && decision->second == count,
                   "a decision that is owed was forgotten (R17)");
  }
  uint64_t in_rounds = 0;
  for (const Round& round : rounds_) {
    if (round.phase == Round::Phase::kUnused) continue;
    LOCKSTEP_CHECK((round.phase == Round::Phase::kVoting) == (round.awaited > 0),
                   "a round without a decision although all votes are there");
    const bool logging = round.phase == Round::Phase::kLogging;
    if (config_.broken.answer_before_durable && logging) continue;
    in_rounds += round.transactions.size();
  }
  LOCKSTEP_CHECK(queue_.used() == queue_.waiting() + in_rounds, "a transaction got lost");
}

}  // namespace lockstep::coordinator
