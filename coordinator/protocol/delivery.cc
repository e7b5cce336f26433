// From the decision until every participant has it for good.
#include <algorithm>

#include "common/check.h"
#include "coordinator/protocol/core.h"

namespace lockstep::coordinator {

// Remembers a durable decision until every participant that keeps a branch has reported it durable.
void Core::Keep(const KeptDecision& decision) {
  uint32_t waiting = 0;
  for (const KeptBranches& kept : decision.kept) {
    ParticipantRecord& participant = participants_[kept.participant];
    LOCKSTEP_CHECK(participant.kept.empty() || participant.kept.back().round < decision.round,
                   "decisions out of order");
    participant.least_round = std::max(participant.least_round, decision.round);
    if (participant.durable >= decision.round) continue;
    participant.kept.push_back({decision.round, kept.cut});
    ++waiting;
  }
  decisions_[decision.round] = waiting;
}

void Core::Deliver(ParticipantIndex participant, Delivery delivery) {
  ParticipantRecord& record = participants_[participant];
  auto place = record.outbox.begin();
  if (record.delivery_under_way) ++place;
  while (place != record.outbox.end() && place->round < delivery.round) ++place;
  const bool is_head = place == record.outbox.begin();
  record.outbox.insert(place, delivery);
  if (!is_head) return;
  record.delivery_pause = kFirstRetry;
  if (!record.refused) SendHead(participant);
}

void Core::SendHead(ParticipantIndex participant) {
  ParticipantRecord& record = participants_[participant];
  const Delivery& head = record.outbox.front();
  record.delivery_under_way = true;
  if (head.commit) {
    Emit(SendCommit{participant, head.round, head.cut});
  } else {
    Emit(SendRollback{participant, head.round});
  }
}

void Core::On(const CommitAnswered& event) {
  if (config_.broken.forget_on_acknowledgement) ReleaseKept(event.participant, event.round);
  Delivered(event.participant, event.round, /*commit=*/true, event.report);
}

void Core::On(const RollbackAnswered& event) {
  Delivered(event.participant, event.round, /*commit=*/false, event.report);
}

void Core::On(const CommitFailed& event) {
  DeliveryFailed(event.participant, event.round, event.failure);
}

void Core::On(const RollbackFailed& event) {
  DeliveryFailed(event.participant, event.round, event.failure);
}

void Core::Delivered(ParticipantIndex participant, RoundId round, bool commit,
                     const Report& report) {
  ParticipantRecord& record = participants_[participant];
  LearnFrom(participant, report);
  if (dead_ || record.outbox.empty() || !record.delivery_under_way) return;
  if (record.outbox.front().round != round || record.outbox.front().commit != commit) return;
  record.delivery_under_way = false;
  record.delivery_pause = kFirstRetry;
  record.outbox.pop_front();
  // A Fence that is under way may have seen the state before: its answer is no news any more.
  if (record.fence_under_way) ++record.handshakes_lost;
  if (commit) record.applied = std::max(record.applied, round);
  if (record.in_doubt == round) {
    // Behind a round that was in doubt there may be another one: ask again.
    record.in_doubt = RoundId();
    LoseHandshake(participant, "its round in doubt has ended; shaking hands again");
  }
  if (!record.outbox.empty() && !record.refused) SendHead(participant);
}

void Core::DeliveryFailed(ParticipantIndex participant, RoundId round, CallFailure failure) {
  ParticipantRecord& record = participants_[participant];
  if (failure == CallFailure::kTermOutdated) {
    return DieSuperseded(participant, kHigherTerm);
  }
  if (record.outbox.empty() || !record.delivery_under_way) return;
  if (record.outbox.front().round != round) return;
  record.delivery_under_way = false;
  record.next_delivery = now_.monotonic + record.delivery_pause;
  record.delivery_pause = std::min(record.delivery_pause * 2, kLongestRetry);
  if (failure != CallFailure::kTimeout && record.shaken) {
    LoseHandshake(participant, "it did not take a decision; shaking hands again");
  }
}

void Core::RetryDelivery(ParticipantIndex participant) {
  ParticipantRecord& record = participants_[participant];
  if (record.outbox.empty() || record.delivery_under_way || record.refused) return;
  if (config_.broken.free_by_timeout) {
    record.outbox.pop_front();
    return;
  }
  if (record.next_delivery <= now_.monotonic) SendHead(participant);
}

void Core::LearnDurable(ParticipantIndex participant, RoundId durable) {
  ParticipantRecord& record = participants_[participant];
  if (durable <= record.durable) return;
  record.durable = durable;
  ReleaseKept(participant, durable);
}

// The participant needs no decision up to this round any more; nor does the log, once none does.
void Core::ReleaseKept(ParticipantIndex participant, RoundId up_to) {
  ParticipantRecord& record = participants_[participant];
  while (!record.kept.empty() && record.kept.front().round <= up_to) {
    const RoundId round = record.kept.front().round;
    record.kept.pop_front();
    const auto decision = decisions_.find(round);
    LOCKSTEP_CHECK(decision != decisions_.end() && decision->second > 0, "forgotten too early");
    // Before the record is forgotten, every participant's word that it holds it is kept (rule R22).
    if (record.recorded_durable < record.durable) {
      record.recorded_durable = record.durable;
      Emit(RecordDurable{participant, record.durable});
    }
    if (--decision->second > 0) continue;
    decisions_.erase(decision);
    Emit(ForgetDecision{round});
  }
}

}  // namespace lockstep::coordinator
