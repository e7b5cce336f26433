#include "coordinator/protocol/invariants.h"

#include <algorithm>
#include <variant>

#include "common/check.h"

namespace lockstep::coordinator {

Invariants::Invariants(const Config& config, const StartState& start)
    : participants_(config.participants.size()), last_clock_(start.clock_floor) {
  for (size_t p = 0; p < start.participants.size(); ++p) {
    participants_[p].durable = start.participants[p].durable;
  }
  for (const KeptDecision& decision : start.kept) {
    decisions_[decision.round] = {decision.kept, {}, /*durable=*/true};
  }
}

void Invariants::ObserveStart(absl::Span<const Effect> effects) { SeeEffects(effects); }

void Invariants::Observe(const Event& event, absl::Span<const Effect> effects) {
  ObserveAll(absl::MakeConstSpan(&event, 1), effects);
}

void Invariants::ObserveAll(absl::Span<const Event> events, absl::Span<const Effect> effects) {
  LOCKSTEP_CHECK(!dead_ || effects.empty(), "it goes on after Fatal");
  for (const Event& event : events) {
    std::visit([this](const auto& it) { See(it); }, event);
  }
  SeeEffects(effects);
}

void Invariants::SeeEffects(absl::Span<const Effect> effects) {
  for (const Effect& effect : effects) {
    LOCKSTEP_CHECK(!dead_, "something follows Fatal");
    std::visit([this](const auto& it) { See(it); }, effect);
  }
}

void Invariants::See(const Submit& event) {
  LOCKSTEP_CHECK(open_.insert(event.transaction).second, "the test reuses a handle");
}

void Invariants::See(const PrepareAnswered& event) {
  Participant& participant = participants_[event.participant];
  SeeDurable(event.participant, event.report.durable);
  const bool holds = std::any_of(event.votes.begin(), event.votes.end(),
                                 [](const Vote& vote) { return vote.kind == Vote::Kind::kYes; });
  if (!holds && participant.open == event.round) participant.open = RoundId();
}

void Invariants::See(const PrepareFailed& event) {
  Participant& participant = participants_[event.participant];
  if (participant.open != event.round) return;
  participant.needs_fence = true;
}

void Invariants::See(const DecisionDurable& event) { decisions_[event.round].durable = true; }

void Invariants::SeeDelivered(ParticipantIndex participant, RoundId round) {
  participants_[participant].delivery_under_way = false;
  if (participants_[participant].open == round) participants_[participant].open = RoundId();
}

void Invariants::See(const CommitAnswered& event) {
  SeeDelivered(event.participant, event.round);
  SeeDurable(event.participant, event.report.durable);
}

void Invariants::See(const CommitFailed& event) {
  participants_[event.participant].delivery_under_way = false;
}

void Invariants::See(const RollbackAnswered& event) {
  SeeDelivered(event.participant, event.round);
  SeeDurable(event.participant, event.report.durable);
}

void Invariants::See(const RollbackFailed& event) {
  participants_[event.participant].delivery_under_way = false;
}

void Invariants::See(const FenceAnswered& event) {
  Participant& participant = participants_[event.participant];
  participant.fence_under_way = false;
  participant.was_fenced = true;
  SeeDurable(event.participant, event.report.durable);
}

void Invariants::See(const FenceFailed& event) {
  participants_[event.participant].fence_under_way = false;
}

void Invariants::See(const FenceRefused& event) {
  participants_[event.participant].fence_under_way = false;
}

void Invariants::See(const StatusAnswered& event) {
  participants_[event.participant].status_under_way = false;
  SeeDurable(event.participant, event.report.durable);
}

void Invariants::See(const StatusFailed& event) {
  participants_[event.participant].status_under_way = false;
}

void Invariants::See(const Heard& event) { SeeDurable(event.participant, event.durable); }

void Invariants::SeeDurable(ParticipantIndex participant, RoundId durable) {
  participants_[participant].durable = std::max(participants_[participant].durable, durable);
}

void Invariants::See(const SendPrepare& effect) {
  Participant& participant = participants_[effect.participant];
  LOCKSTEP_CHECK(participant.last_sent < effect.round, "round numbers grow (R2)");
  LOCKSTEP_CHECK(participant.open.is_none() && !participant.delivery_under_way,
                 "a participant that is not free (R14)");
  LOCKSTEP_CHECK(!participant.needs_fence || participant.was_fenced,
                 "a round without a handshake (R15)");
  LOCKSTEP_CHECK(!participant.fence_under_way, "a round while a Fence is under way (R15)");
  LOCKSTEP_CHECK(!effect.branches.empty(), "a Prepare of nothing");
  participant.last_sent = effect.round;
  participant.needs_fence = false;
  participant.was_fenced = false;
  participant.open = effect.round;
  for (const PreparedBranch& branch : effect.branches) {
    LOCKSTEP_CHECK(open_.contains(branch.transaction), "sent after its end");
    LOCKSTEP_CHECK(last_clock_ <= branch.clock, "instants never decrease (R23)");
    last_clock_ = branch.clock;
  }
}

void Invariants::See(const LogDecision& effect) {
  LOCKSTEP_CHECK(!effect.kept.empty() && !effect.committed.empty(), "a record of nothing (R12)");
  LOCKSTEP_CHECK(!decisions_.contains(effect.round), "decided twice");
  Decision& decision = decisions_[effect.round];
  decision.kept = effect.kept;
  decision.committed.insert(effect.committed.begin(), effect.committed.end());
}

bool Invariants::Keeps(RoundId round, ParticipantIndex participant) const {
  const auto decision = decisions_.find(round);
  if (decision == decisions_.end()) return false;
  const auto& kept = decision->second.kept;
  return std::any_of(kept.begin(), kept.end(), [participant](const KeptBranches& branches) {
    return branches.participant == participant;
  });
}

void Invariants::See(const SendCommit& effect) {
  Participant& participant = participants_[effect.participant];
  LOCKSTEP_CHECK(!participant.delivery_under_way, "two deliveries at once");
  participant.delivery_under_way = true;
  const auto decision = decisions_.find(effect.round);
  LOCKSTEP_CHECK(decision != decisions_.end() && decision->second.durable,
                 "a Commit before the decision is durable (R13)");
  const auto& kept = decision->second.kept;
  LOCKSTEP_CHECK(std::find(kept.begin(), kept.end(),
                           KeptBranches{effect.participant, effect.cut}) != kept.end(),
                 "a Commit that the record does not say (R12)");
}

void Invariants::See(const SendRollback& effect) {
  Participant& participant = participants_[effect.participant];
  LOCKSTEP_CHECK(!participant.delivery_under_way, "two deliveries at once");
  participant.delivery_under_way = true;
  LOCKSTEP_CHECK(!Keeps(effect.round, effect.participant),
                 "a Rollback of what the record keeps (R12, R16)");
}

void Invariants::See(const SendFence& effect) {
  Participant& participant = participants_[effect.participant];
  LOCKSTEP_CHECK(!participant.fence_under_way, "two Fences at once");
  participant.fence_under_way = true;
}

void Invariants::See(const SendStatus& effect) {
  Participant& participant = participants_[effect.participant];
  LOCKSTEP_CHECK(!participant.status_under_way, "two Status calls at once");
  participant.status_under_way = true;
}

void Invariants::See(const Complete& effect) {
  LOCKSTEP_CHECK(open_.erase(effect.transaction) == 1, "answered twice");
  const auto decision = decisions_.find(effect.round);
  const bool decided =
      decision != decisions_.end() && decision->second.committed.contains(effect.transaction);
  LOCKSTEP_CHECK((effect.ending == Ending::kCommitted) == decided,
                 "the answer is not what was decided (R13)");
  LOCKSTEP_CHECK(!decided || decision->second.durable,
                 "an answer before the decision is durable (R13)");
}

void Invariants::See(const ForgetDecision& effect) {
  const auto decision = decisions_.find(effect.round);
  LOCKSTEP_CHECK(decision != decisions_.end() && decision->second.durable, "forgets the unknown");
  for (const KeptBranches& kept : decision->second.kept) {
    LOCKSTEP_CHECK(effect.round <= participants_[kept.participant].durable,
                   "forgotten before it is durable everywhere (R17)");
  }
}

void Invariants::See(const RecordDurable& effect) {
  LOCKSTEP_CHECK(effect.durable <= participants_[effect.participant].durable,
                 "records what nobody reported (R22)");
}

void Invariants::AppendState(std::vector<uint64_t>* words) const {
  const auto append = [words](RoundId round) {
    words->push_back(static_cast<uint64_t>(round.value()));
  };
  words->push_back(uint64_t{dead_});
  for (const Participant& it : participants_) {
    words->push_back(uint64_t{it.fence_under_way} << 4 | uint64_t{it.was_fenced} << 3 |
                     uint64_t{it.needs_fence} << 2 | uint64_t{it.status_under_way} << 1 |
                     uint64_t{it.delivery_under_way});
    for (const RoundId round : {it.last_sent, it.open, it.durable}) append(round);
  }
  words->push_back(open_.size());
  words->insert(words->end(), open_.begin(), open_.end());
  words->push_back(decisions_.size());
  for (const auto& [round, decision] : decisions_) {
    append(round);
    words->push_back(uint64_t{decision.durable});
    words->push_back(decision.kept.size());
    for (const KeptBranches& kept : decision.kept) {
      words->push_back(uint64_t{kept.participant} << 32 | kept.cut);
    }
    words->push_back(decision.committed.size());
    words->insert(words->end(), decision.committed.begin(), decision.committed.end());
  }
}

}  // namespace lockstep::coordinator
