// Connections, handshakes and what they bring to light.
#include <algorithm>

#include "absl/strings/str_cat.h"
#include "common/check.h"
#include "coordinator/protocol/core.h"

namespace lockstep::coordinator {
namespace {

std::string Describe(RoundId round) {
  return absl::StrCat("round ", round.term(), ".", round.number());
}

// Whether the answer to a Fence waited in the network while a faster one told more: that what it
// shows as prepared is durable, after a late Commit; or that another run answers there.
bool IsOvertaken(const ParticipantRecord& record, const Report& report) {
  if (record.heard_since_fence != 0 && record.heard_since_fence != report.boot_id) return true;
  return report.prepared > record.durable_at_fence && report.prepared <= record.durable;
}

}  // namespace

// What every answer tells. A term above ours means that the log was replaced by an older copy, or
// that a later coordinator runs: either way this one ends (rule R22).
void Core::LearnFrom(ParticipantIndex participant, const Report& report) {
  if (report.term > term_) {
    return DieSuperseded(participant,
                         absl::StrCat("has seen term ", report.term, ", above our ", term_));
  }
  Reached(participant);
  LearnBoot(participant, report.boot_id);
  LearnDurable(participant, report.durable);
}

// Whatever it answered, and whoever it is: the handshake tells the rest.
void Core::Reached(ParticipantIndex participant) {
  ParticipantRecord& record = participants_[participant];
  record.last_heard = now_.monotonic;
  if (record.reachable) return;
  record.reachable = true;
  record.next_fence = now_.monotonic;
  UpdateState(participant, "shaking hands");
}

void Core::On(const Heard& event) {
  Reached(event.participant);
  LearnBoot(event.participant, event.boot_id);
  LearnDurable(event.participant, event.durable);
}

void Core::LearnBoot(ParticipantIndex participant, uint64_t boot_id) {
  ParticipantRecord& record = participants_[participant];
  if (record.fence_under_way) record.heard_since_fence = boot_id;
  if (!record.shaken || record.boot_id == boot_id) return;
  if (config_.broken.no_fence_on_new_boot_id) {
    record.boot_id = boot_id;
    return;
  }
  // The run that was to vote is gone, and its vote with it (rule R11).
  if (record.round != kNoRound && AwaitingVote(participant, rounds_[record.round].id) != nullptr) {
    MissVote(participant);
  } else {
    LoseHandshake(participant, "it has restarted; shaking hands");
  }
}

void Core::LoseHandshake(ParticipantIndex participant, std::string why) {
  ParticipantRecord& record = participants_[participant];
  if (config_.broken.free_by_timeout) return;
  record.shaken = false;
  ++record.handshakes_lost;
  if (!record.refused) record.next_fence = now_.monotonic;
  UpdateState(participant, std::move(why));
}

void Core::Refuse(ParticipantIndex participant, std::string reason, bool alarm) {
  ParticipantRecord& record = participants_[participant];
  LOCKSTEP_CHECK(!record.shaken, "only the answer to a Fence can be a reason to refuse");
  if (alarm && (!record.refused || record.reason != reason)) Emit(Alarm{participant, reason});
  record.refused = true;
  ++record.handshakes_lost;
  record.next_fence = now_.monotonic + kRefusedRetry;
  UpdateState(participant, std::move(reason));
}

void Core::Unreachable(ParticipantIndex participant, std::string reason) {
  ParticipantRecord& record = participants_[participant];
  if (record.round != kNoRound && AwaitingVote(participant, rounds_[record.round].id) != nullptr) {
    MissVote(participant);
  }
  // At once, but only once: an answer that fails at once must not be asked for again and again.
  if (record.reachable) record.next_status = now_.monotonic;
  record.reachable = false;
  record.shaken = false;
  ++record.handshakes_lost;
  UpdateState(participant, std::move(reason));
}

void Core::UpdateState(ParticipantIndex participant, std::string reason) {
  ParticipantRecord& record = participants_[participant];
  ParticipantState state = ParticipantState::kReady;
  if (record.refused) {
    state = ParticipantState::kRefused;
  } else if (!record.reachable) {
    state = ParticipantState::kUnreachable;
  } else if (!record.shaken || !record.in_doubt.is_none()) {
    state = ParticipantState::kRecovering;
  }
  record.reason = state == ParticipantState::kReady ? "" : reason;
  if (state == record.state) return;
  record.state = state;
  queue_.SetReady(participant, state == ParticipantState::kReady);
  Emit(ParticipantStateChanged{participant, state, record.reason});
  if (state != ParticipantState::kUnreachable && state != ParticipantState::kRefused) return;
  std::vector<Slot> waiting;
  queue_.CollectWaitingFor(participant, &waiting);
  for (const Slot slot : waiting) {
    EndWaiting(slot, Ending::kAborted, EndingReason::kParticipantUnavailable, participant);
  }
}

void Core::On(const FenceAnswered& event) {
  const ParticipantIndex p = event.participant;
  ParticipantRecord& record = participants_[p];
  record.fence_under_way = false;
  record.next_fence = now_.monotonic;
  LearnFrom(p, event.report);
  if (dead_) return;
  const bool counts = record.lost_at_fence == record.handshakes_lost &&
                      record.rounds_sent_at_fence == record.rounds_sent &&
                      !IsOvertaken(record, event.report);
  if (!counts) return UpdateState(p, "shaking hands again");
  if (event.report.applied > record.least_round) return DieOfOldLog(p, event.report);
  if (LostData(p, event.report)) return;
  record.refused = false;
  record.shaken = true;
  record.boot_id = event.report.boot_id;
  record.applied = event.report.applied;
  record.in_doubt = event.report.in_doubt ? event.report.prepared : RoundId();
  record.in_doubt_since = event.report.prepared_since;
  record.fence_pause = kFirstRetry;
  record.next_delivery = now_.monotonic;
  Recover(p, event.report);
  UpdateState(p, record.in_doubt.is_none() ? "" : Describe(record.in_doubt) + " is in doubt");
}

// Every round that a participant applied was decided in the log first, and is still there or at or
// below the durable round recorded for it: a log that does not know one is an older copy, and would
// roll back what was answered (rule R22).
void Core::DieOfOldLog(ParticipantIndex participant, const Report& report) {
  const ParticipantRecord& record = participants_[participant];
  DieSuperseded(participant,
                absl::StrCat("has applied ", Describe(report.applied),
                             ", of which the decision log knows nothing (its last there is ",
                             Describe(record.least_round), ")"));
}

// What it said durable, or promised by a YES that a decision rests on, must still be there.
bool Core::LostData(ParticipantIndex participant, const Report& report) {
  const ParticipantRecord& record = participants_[participant];
  if (report.durable < record.durable_at_fence || report.applied < record.durable_at_fence) {
    Refuse(participant,
           absl::StrCat("lost data: ", Describe(record.durable_at_fence),
                        " was durable, now durable up to ", Describe(report.durable),
                        " and applied up to ", Describe(report.applied)),
           /*alarm=*/true);
    return true;
  }
  if (config_.broken.rollback_unknown_decisions) return false;
  RoundId expected = report.prepared;
  for (const KeptHere& kept : record.kept) {
    if (kept.round <= report.applied || kept.round > record.least_round_at_fence) continue;
    // At most one can be open: a later round's sync covers the one before.
    if (kept.round == expected) {
      expected = RoundId();
      continue;
    }
    Refuse(participant,
           absl::StrCat("lost data: keeps branches of ", Describe(kept.round),
                        ", which is neither applied nor in doubt; applied up to ",
                        Describe(report.applied)),
           /*alarm=*/true);
    return true;
  }
  return false;
}

// Decided rounds that it has not applied are committed, a round nobody decided to keep is rolled
// back: there is no record of it in a log read to its end after our term was durable (rule R16).
void Core::Recover(ParticipantIndex participant, const Report& report) {
  ParticipantRecord& record = participants_[participant];
  const auto owed = [&record](RoundId round) {
    return std::any_of(record.outbox.begin(), record.outbox.end(),
                       [round](const Delivery& delivery) { return delivery.round == round; });
  };
  bool keeps = false;
  if (!config_.broken.rollback_unknown_decisions) {
    for (const KeptHere& kept : record.kept) {
      if (kept.round == report.prepared) keeps = true;
      if (kept.round <= report.applied || owed(kept.round)) continue;
      Deliver(participant, {kept.round, /*commit=*/true, kept.cut, now_.monotonic});
    }
  }
  if (report.prepared.is_none() || keeps || owed(report.prepared)) return;
  LOCKSTEP_CHECK(report.prepared > record.durable, "in doubt about what is durable");
  const bool undecided = record.round != kNoRound && rounds_[record.round].id == report.prepared;
  if (undecided) return;
  // A torn commit frame unmasks to a random number. The Rollback may leave it as a tombstone, which
  // must not stand above the rounds to come.
  if (report.prepared.term() == term_ && report.prepared.number() >= next_number_) {
    next_number_ = report.prepared.number() + 1;
  }
  Deliver(participant, {report.prepared, /*commit=*/false, kKeepAll, now_.monotonic});
}

void Core::On(const FenceFailed& event) {
  ParticipantRecord& record = participants_[event.participant];
  record.fence_under_way = false;
  if (event.failure == CallFailure::kTermOutdated) {
    return DieSuperseded(event.participant, "refused our Fence: " + event.reason);
  }
  record.next_fence = std::max(record.next_fence, now_.monotonic + record.fence_pause);
  record.fence_pause = std::min(record.fence_pause * 2, kLongestRetry);
  if (event.failure == CallFailure::kUnavailable) {
    Unreachable(event.participant, "cannot be reached");
  } else {
    UpdateState(event.participant, event.reason);
  }
}

void Core::On(const FenceRefused& event) {
  participants_[event.participant].fence_under_way = false;
  participants_[event.participant].last_heard = now_.monotonic;
  participants_[event.participant].reachable = true;
  Refuse(event.participant, event.reason, /*alarm=*/false);
}

void Core::On(const StatusAnswered& event) {
  const ParticipantIndex p = event.participant;
  ParticipantRecord& record = participants_[p];
  record.status_under_way = false;
  record.round_trip = now_.monotonic - record.status_sent;
  LearnFrom(p, event.report);
  if (dead_) return;
  // A Prepare that the network repeated may have been run after its round had ended.
  const bool was_idle = record.shaken && record.idle_at_status && record.has_nothing_to_do() &&
                        record.rounds_sent_at_status == record.rounds_sent;
  if (config_.broken.no_fence_on_new_boot_id) return;
  if (was_idle && !event.report.prepared.is_none()) {
    LoseHandshake(p, "holds " + Describe(event.report.prepared) + ", which has ended");
  }
}

void Core::On(const StatusFailed& event) {
  ParticipantRecord& record = participants_[event.participant];
  record.status_under_way = false;
  if (event.failure == CallFailure::kTermOutdated) {
    return DieSuperseded(event.participant, kHigherTerm);
  }
  if (event.failure == CallFailure::kRefused) {
    // An error of the participant itself names its boot id, and came as Heard just before.
    const bool is_stranger = record.last_heard <= record.status_sent;
    if (record.shaken && is_stranger) LoseHandshake(event.participant, "its Status is refused");
    return Reached(event.participant);
  }
  if (event.failure != CallFailure::kUnavailable || record.last_heard > record.status_sent) return;
  Unreachable(event.participant, "cannot be reached");
}

// Everything towards one participant that time or the events before have made due.
void Core::KeepConnected(ParticipantIndex participant) {
  ParticipantRecord& record = participants_[participant];
  RetryDelivery(participant);
  if (!record.status_under_way && record.next_status <= now_.monotonic) SendStatusTo(participant);
  if (record.reachable && now_.monotonic - record.last_heard >= kSilenceLimit) {
    Unreachable(participant, "has been silent for too long");
  }
  const bool wants_fence = !record.shaken && !record.fence_under_way && record.reachable;
  if (wants_fence && record.next_fence <= now_.monotonic) SendFenceTo(participant);
}

void Core::SendFenceTo(ParticipantIndex participant) {
  ParticipantRecord& record = participants_[participant];
  record.fence_under_way = true;
  record.lost_at_fence = record.handshakes_lost;
  record.rounds_sent_at_fence = record.rounds_sent;
  record.durable_at_fence = record.durable;
  record.least_round_at_fence = record.least_round;
  record.heard_since_fence = 0;
  Emit(SendFence{participant});
}

void Core::SendStatusTo(ParticipantIndex participant) {
  ParticipantRecord& record = participants_[participant];
  record.status_under_way = true;
  record.status_sent = now_.monotonic;
  record.next_status = now_.monotonic + kStatusInterval;
  record.rounds_sent_at_status = record.rounds_sent;
  record.idle_at_status = record.shaken && record.has_nothing_to_do();
  Emit(SendStatus{participant, /*waits=*/!record.reachable});
}

}  // namespace lockstep::coordinator
