#include "coordinator/protocol/core.h"

#include <algorithm>

#include "absl/container/flat_hash_set.h"
#include "common/check.h"

namespace lockstep::coordinator {

Core::Core(Config config, StartState start)
    : config_(std::move(config)),
      term_(start.term),
      next_number_(start.next_number),
      last_clock_(start.clock_floor),
      random_state_(start.random_seed),
      participants_(config_.participants.size()),
      queue_(config_.participants.size(), config_.queue_caps) {
  LOCKSTEP_CHECK(!participants_.empty(), "no participants");
  LOCKSTEP_CHECK(term_ > 0 && next_number_ > 0, "terms and rounds count from 1");
  LOCKSTEP_CHECK(start.participants.empty() || start.participants.size() == participants_.size(),
                 "the start state names other participants");
  for (size_t i = 0; i < participants_.size(); ++i) {
    ParticipantRecord& participant = participants_[i];
    participant.config = config_.participants[i];
    participant.reason = "not shaken hands with yet";
    if (start.participants.empty()) continue;
    participant.durable = start.participants[i].durable;
    participant.recorded_durable = start.participants[i].durable;
    participant.least_round = start.participants[i].last_kept;
  }
  for (const KeptDecision& decision : start.kept) {
    LOCKSTEP_CHECK(decision.round.term() <= term_, "a decision of a later term");
    Keep(decision);
  }
  capacities_.resize(participants_.size());
  component_.resize(participants_.size());
  round_of_component_.resize(participants_.size(), kNoRound);
}

void Core::Start(Now now, std::vector<Effect>* effects) {
  now_ = now;
  last_step_ = now.monotonic;
  effects_ = effects;
  for (ParticipantRecord& participant : participants_) {
    participant.last_heard = now.monotonic;
    participant.next_fence = now.monotonic;
    participant.next_status = now.monotonic + kStatusInterval;
  }
  // What the log held that was durable everywhere already.
  for (auto decision = decisions_.begin(); decision != decisions_.end();) {
    const auto current = decision++;
    if (current->second > 0) continue;
    Emit(ForgetDecision{current->first});
    decisions_.erase(current);
  }
  Pump();
  effects_ = nullptr;
}

void Core::StepAll(absl::Span<const Event> events, Now now, std::vector<Effect>* effects) {
  now_ = now;
  effects_ = effects;
  ForgivePause();
  for (const Event& event : events) {
    if (dead_) break;
    std::visit([this](const auto& it) { On(it); }, event);
  }
  if (!dead_) Pump();
  effects_ = nullptr;
}

// Time in which this process itself stood still is nobody's silence.
void Core::ForgivePause() {
  const absl::Duration pause = now_.monotonic - last_step_;
  last_step_ = now_.monotonic;
  if (pause < kStatusInterval) return;
  for (ParticipantRecord& participant : participants_) participant.last_heard += pause;
}

void Core::Pump() {
  EndExpired();
  for (ParticipantIndex p = 0; p < participants_.size(); ++p) KeepConnected(p);
  StartRounds();
  MaybeIdle();
}

void Core::On(const Submit& event) {
  LOCKSTEP_CHECK(!event.participants.empty(), "a transaction without participants");
  Complete refusal{event.transaction, Ending::kNotStarted, EndingReason::kNone, RoundId(), 0, {}};
  if (shutting_down_) {
    refusal.reason = EndingReason::kShuttingDown;
  } else if (event.bytes > config_.queue_caps.bytes) {
    refusal.reason = EndingReason::kTooLarge;
  } else if (!queue_.HasRoomFor(event.bytes)) {
    refusal.reason = EndingReason::kQueueFull;
  } else {
    const Slot slot = queue_.Add(event);
    EndIfUnavailable(slot);
    return;
  }
  Emit(std::move(refusal));
}

void Core::On(const Tick&) { MissOverdueVotes(); }

void Core::On(const Shutdown&) {
  if (shutting_down_) return;
  shutting_down_ = true;
  std::vector<Slot> waiting;
  queue_.CollectWaiting(&waiting);
  for (const Slot slot : waiting) {
    const Ending ending = queue_.at(slot).was_sent ? Ending::kAborted : Ending::kNotStarted;
    EndWaiting(slot, ending, EndingReason::kShuttingDown, 0);
  }
}

void Core::EndWaiting(Slot slot, Ending ending, EndingReason reason, ParticipantIndex participant) {
  queue_.StopWaiting(slot);
  Emit(Complete{queue_.at(slot).handle, ending, reason, RoundId(), participant, {}});
  queue_.Release(slot);
}

void Core::EndExpired() {
  slots_.clear();
  queue_.CollectExpired(now_.monotonic, &slots_);
  for (const Slot slot : slots_) EndWaiting(slot, Ending::kAborted, EndingReason::kTimeout, 0);
}

bool Core::EndIfUnavailable(Slot slot) {
  for (const ParticipantIndex p : queue_.at(slot).participants) {
    LOCKSTEP_CHECK(p < participants_.size(), "no such participant");
    const ParticipantState state = participants_[p].state;
    if (state != ParticipantState::kUnreachable && state != ParticipantState::kRefused) continue;
    EndWaiting(slot, Ending::kAborted, EndingReason::kParticipantUnavailable, p);
    return true;
  }
  return false;
}

void Core::MaybeIdle() {
  if (!shutting_down_ || idle_said_ || queue_.used() > 0) return;
  for (const ParticipantRecord& participant : participants_) {
    const bool can_be_reached = participant.state == ParticipantState::kReady ||
                                participant.state == ParticipantState::kRecovering;
    if (can_be_reached && !participant.has_nothing_to_do()) return;
  }
  idle_said_ = true;
  Emit(Idle{});
}

void Core::Die(std::string reason, bool superseded) {
  effects_->emplace_back(Fatal{std::move(reason), superseded});
  dead_ = true;
}

void Core::DieSuperseded(ParticipantIndex participant, const std::string& why) {
  Die(participants_[participant].config.name + " " + why, /*superseded=*/true);
}

uint64_t Core::DrawSeed() {
  // SplitMix64: any 64 bits make a good state.
  random_state_ += 0x9e3779b97f4a7c15;
  uint64_t z = random_state_;
  z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9;
  z = (z ^ (z >> 27)) * 0x94d049bb133111eb;
  return z ^ (z >> 31);
}

std::optional<ReadRoute> Core::RouteRead(DatabaseIndex database) const {
  std::optional<ReadRoute> route;
  for (ParticipantIndex p = 0; p < participants_.size(); ++p) {
    if (participants_[p].config.database != database) continue;
    const std::optional<ReadRoute> candidate = RouteReadTo(p);
    if (!candidate) continue;
    if (participants_[p].config.is_master) return candidate;
    if (!route) route = candidate;
  }
  return route;
}

std::optional<ReadRoute> Core::RouteReadTo(ParticipantIndex participant) const {
  const ParticipantRecord& record = participants_[participant];
  if (dead_ || record.state != ParticipantState::kReady) return std::nullopt;
  return ReadRoute{participant, config_.broken.read_any_round ? RoundId() : record.least_round};
}

RoundId Core::DatabaseVersion(DatabaseIndex database) const {
  RoundId version;
  for (const ParticipantRecord& participant : participants_) {
    if (participant.config.database == database) {
      version = std::max(version, participant.least_round);
    }
  }
  return version;
}

uint64_t Core::queue_length() const { return queue_.waiting(); }

View Core::GetView() const {
  View view;
  view.term = term_;
  view.queue_length = queue_.waiting();
  view.undelivered_decisions = decisions_.size();
  absl::flat_hash_set<RoundId> ending;
  for (const ParticipantRecord& participant : participants_) {
    ParticipantView& shown = view.participants.emplace_back();
    shown.state = participant.state;
    shown.reason = participant.reason;
    shown.applied = participant.applied;
    shown.durable = participant.durable;
    shown.in_doubt = participant.in_doubt;
    shown.in_doubt_since = participant.in_doubt_since;
    shown.round_trip = participant.round_trip;
    shown.free = participant.is_free();
    for (const Delivery& delivery : participant.outbox) ending.insert(delivery.round);
  }
  view.rounds_in_flight = rounds_.size() - unused_rounds_.size() + ending.size();
  return view;
}

}  // namespace lockstep::coordinator
