// From the queue to the decision.
#include <algorithm>

#include "common/check.h"
#include "coordinator/protocol/core.h"

namespace lockstep::coordinator {
namespace {

// How much of the average the latest round is.
constexpr int kBranchTimeWeight = 8;

EndingReason ReasonOf(TransactionOutcome::Cause cause) {
  switch (cause) {
    case TransactionOutcome::Cause::kVoteNo:
      return EndingReason::kVoteNo;
    case TransactionOutcome::Cause::kVoteMissing:
      return EndingReason::kParticipantUnavailable;
    case TransactionOutcome::Cause::kVetoed:
      return EndingReason::kVetoed;
    case TransactionOutcome::Cause::kReplicasDisagree:
      return EndingReason::kReplicasDisagree;
    case TransactionOutcome::Cause::kNone:
      break;
  }
  return EndingReason::kNone;
}

}  // namespace

void Core::StartRounds() {
  if (queue_.waiting() == 0) return;
  bool any_free = false;
  for (ParticipantIndex p = 0; p < participants_.size(); ++p) {
    capacities_[p] = CapacityOf(participants_[p]);
    any_free = any_free || capacities_[p].free;
  }
  if (!any_free) return;
  if (next_number_ + participants_.size() > RoundId::kMaxNumber) {
    return Die("this term is out of round numbers; the next start has a new one");
  }
  joining_.clear();
  queue_.TakeJoining(capacities_, &joining_);
  if (!joining_.empty()) FormRounds(joining_);
}

Capacity Core::CapacityOf(const ParticipantRecord& participant) const {
  Capacity capacity;
  capacity.free = participant.is_free();
  if (!capacity.free) return capacity;
  capacity.transactions = config_.round_caps.transactions;
  capacity.bytes = config_.round_caps.bytes;
  if (participant.branch_time > absl::ZeroDuration()) {
    const double branches =
        absl::FDivDuration(config_.round_caps.execution_time, participant.branch_time);
    if (branches < capacity.transactions) {
      capacity.transactions = std::max(1u, static_cast<uint32_t>(branches));
    }
  }
  return capacity;
}

ParticipantIndex Core::ComponentOf(ParticipantIndex participant) {
  while (component_[participant] != participant) {
    component_[participant] = component_[component_[participant]];
    participant = component_[participant];
  }
  return participant;
}

void Core::FormRounds(const std::vector<Slot>& joining) {
  for (ParticipantIndex p = 0; p < component_.size(); ++p) component_[p] = p;
  for (const Slot slot : joining) {
    const auto& participants = queue_.at(slot).participants;
    for (size_t i = 1; i < participants.size(); ++i) {
      component_[ComponentOf(participants[i])] = ComponentOf(participants[0]);
    }
  }
  std::fill(round_of_component_.begin(), round_of_component_.end(), kNoRound);
  std::vector<RoundSlot> started;
  for (const Slot slot : joining) {
    RoundSlot& round = round_of_component_[ComponentOf(queue_.at(slot).participants[0])];
    if (round == kNoRound) {
      round = NewRound();
      started.push_back(round);
    }
    AddToRound(round, slot);
  }
  for (const RoundSlot round : started) SendPrepares(round);
}

RoundSlot Core::NewRound() {
  RoundSlot slot = 0;
  if (unused_rounds_.empty()) {
    slot = static_cast<RoundSlot>(rounds_.size());
    rounds_.emplace_back();
  } else {
    slot = unused_rounds_.back();
    unused_rounds_.pop_back();
  }
  Round& round = rounds_[slot];
  round.phase = Round::Phase::kVoting;
  round.id = RoundId::Make(term_, next_number_++);
  round.transactions.clear();
  round.participants.clear();
  round.answered.clear();
  round.holds.clear();
  round.ballot.Clear();
  round.vote_deadline = absl::ZeroDuration();
  return slot;
}

void Core::AddToRound(RoundSlot round_slot, Slot slot) {
  Round& round = rounds_[round_slot];
  const Transaction& transaction = queue_.at(slot);
  round.transactions.push_back(slot);
  round.vote_deadline = std::max(round.vote_deadline, transaction.deadline);
  for (const ParticipantIndex p : transaction.participants) {
    ParticipantRecord& participant = participants_[p];
    if (participant.round != round_slot) {
      LOCKSTEP_CHECK(participant.is_free(), "in two rounds");
      participant.round = round_slot;
      participant.place = static_cast<Place>(round.participants.size());
      round.participants.push_back(p);
      round.ballot.participants.emplace_back().database = participant.config.database;
    }
    round.ballot.members.push_back(participant.place);
    round.ballot.participants[participant.place].votes.emplace_back();
  }
  round.ballot.member_end.push_back(static_cast<uint32_t>(round.ballot.members.size()));
}

void Core::SendPrepares(RoundSlot round_slot) {
  Round& round = rounds_[round_slot];
  const size_t places = round.participants.size();
  round.awaited = static_cast<uint32_t>(places);
  round.answered.assign(places, false);
  round.holds.assign(places, true);
  round.vote_deadline =
      std::min(round.vote_deadline + kVoteGrace, now_.monotonic + kLongestVoteTime);
  const size_t first = effects_->size();
  for (size_t place = 0; place < places; ++place) {
    ParticipantRecord& participant = participants_[round.participants[place]];
    LOCKSTEP_CHECK(participant.last_round_sent < round.id || config_.broken.number_comes_again,
                   "a round number came again (R2)");
    participant.last_round_sent = round.id;
    ++participant.rounds_sent;
    SendPrepare prepare{round.participants[place], round.id, {}, round.vote_deadline};
    prepare.branches.reserve(round.ballot.participants[place].votes.size());
    Emit(std::move(prepare));
  }
  last_clock_ = config_.broken.clock_may_fall ? now_.wall : std::max(last_clock_, now_.wall);
  uint32_t member = 0;
  for (size_t t = 0; t < round.transactions.size(); ++t) {
    const TransactionHandle handle = queue_.at(round.transactions[t]).handle;
    const PreparedBranch branch{handle, last_clock_,
                                config_.broken.seed_comes_again ? handle : DrawSeed()};
    for (; member < round.ballot.member_end[t]; ++member) {
      std::get<SendPrepare>((*effects_)[first + round.ballot.members[member]])
          .branches.push_back(branch);
    }
  }
}

Round* Core::AwaitingVote(ParticipantIndex participant, RoundId round_id) {
  const ParticipantRecord& record = participants_[participant];
  if (record.round == kNoRound) return nullptr;
  Round& round = rounds_[record.round];
  if (round.id != round_id || round.phase != Round::Phase::kVoting) return nullptr;
  return round.answered[record.place] ? nullptr : &round;
}

void Core::On(const PrepareAnswered& event) {
  LearnFrom(event.participant, event.report);
  Round* round = dead_ ? nullptr : AwaitingVote(event.participant, event.round);
  if (round == nullptr) return;
  ParticipantRecord& participant = participants_[event.participant];
  std::vector<Vote>& votes = round->ballot.participants[participant.place].votes;
  if (event.votes.size() != votes.size()) return MissVote(event.participant);
  votes = event.votes;
  NoteBranchTime(&participant, event);
  round->answered[participant.place] = true;
  --round->awaited;
  const RoundSlot round_slot = participant.round;
  const bool holds = std::any_of(votes.begin(), votes.end(),
                                 [](const Vote& vote) { return vote.kind == Vote::Kind::kYes; });
  if (!holds) {
    // It prepared nothing: it hears nothing, and is free at once (rules R12 and R14).
    round->holds[participant.place] = false;
    participant.round = kNoRound;
  }
  if (round->awaited == 0) Decide(round_slot);
}

void Core::NoteBranchTime(ParticipantRecord* participant, const PrepareAnswered& event) {
  const absl::Duration latest = event.execution_time / static_cast<int64_t>(event.votes.size());
  if (participant->branch_time == absl::ZeroDuration()) {
    participant->branch_time = latest;
  } else {
    participant->branch_time += (latest - participant->branch_time) / kBranchTimeWeight;
  }
}

void Core::On(const PrepareFailed& event) {
  if (event.failure == CallFailure::kTermOutdated) {
    return DieSuperseded(event.participant, kHigherTerm);
  }
  if (AwaitingVote(event.participant, event.round) != nullptr) MissVote(event.participant);
}

// A missing vote counts as NO, and nobody knows what the participant holds: it keeps nothing, is
// rolled back, and takes part in nothing before both are known (rules R12, R14, R15).
void Core::MissVote(ParticipantIndex participant) {
  ParticipantRecord& record = participants_[participant];
  const RoundSlot round_slot = record.round;
  Round& round = rounds_[round_slot];
  round.ballot.participants[record.place].missing = true;
  round.answered[record.place] = true;
  --round.awaited;
  LoseHandshake(participant, "its vote is missing");
  if (round.awaited == 0) Decide(round_slot);
}

void Core::MissOverdueVotes() {
  for (const Round& round : rounds_) {
    if (round.phase != Round::Phase::kVoting || round.vote_deadline > now_.monotonic) continue;
    const RoundId id = round.id;
    for (Place place = 0; place < round.participants.size(); ++place) {
      const ParticipantIndex p = round.participants[place];
      if (AwaitingVote(p, id) != nullptr) MissVote(p);
    }
  }
}

void Core::Decide(RoundSlot round_slot) {
  Round& round = rounds_[round_slot];
  LOCKSTEP_CHECK(round.phase == Round::Phase::kVoting, "decided twice");
  DecideOutcome(round.ballot, &round.outcome);
  if (!round.outcome.keeps_anything()) return FinishRound(round_slot);
  if (config_.broken.missing_vote_keeps) {
    for (Place place = 0; place < round.participants.size(); ++place) {
      if (round.ballot.participants[place].missing) round.outcome.kept[place] = 1;
    }
  }
  round.phase = Round::Phase::kLogging;
  logging_[round.id] = round_slot;
  LogRound(round);
  if (config_.broken.answer_before_durable) CompleteTransactions(round);
}

void Core::LogRound(const Round& round) {
  LogDecision record{round.id, {}, {}, now_.wall, last_clock_};
  for (Place place = 0; place < round.participants.size(); ++place) {
    if (round.outcome.kept[place] == 0) continue;
    record.kept.push_back({round.participants[place], round.outcome.cuts[place]});
  }
  for (size_t t = 0; t < round.transactions.size(); ++t) {
    if (round.outcome.transactions[t].kind != TransactionOutcome::Kind::kCommit) continue;
    record.committed.push_back(queue_.at(round.transactions[t]).handle);
  }
  Emit(std::move(record));
}

void Core::On(const DecisionDurable& event) {
  const auto logging = logging_.find(event.round);
  LOCKSTEP_CHECK(logging != logging_.end(), "durable, but never logged");
  const RoundSlot round_slot = logging->second;
  logging_.erase(logging);
  const Round& round = rounds_[round_slot];
  KeptDecision decision{round.id, {}};
  for (Place place = 0; place < round.participants.size(); ++place) {
    if (round.outcome.kept[place] == 0) continue;
    decision.kept.push_back({round.participants[place], round.outcome.cuts[place]});
  }
  Keep(decision);
  FinishRound(round_slot);
}

void Core::On(const DecisionFailed& event) {
  Die("the decision of a round could not be written: " + event.reason);
}

// The round is decided, and its decision durable if it keeps anything.
void Core::FinishRound(RoundSlot round_slot) {
  Round& round = rounds_[round_slot];
  for (Place place = 0; place < round.participants.size(); ++place) EndRoundFor(&round, place);
  if (!config_.broken.answer_before_durable || !round.outcome.keeps_anything()) {
    CompleteTransactions(round);
  }
  const bool is_latest = round.id.number() + 1 == next_number_;
  if (config_.broken.number_comes_again && is_latest && !round.outcome.keeps_anything()) {
    --next_number_;
  }
  round.phase = Round::Phase::kUnused;
  unused_rounds_.push_back(round_slot);
}

void Core::EndRoundFor(Round* round, Place place) {
  if (!round->holds[place]) return;
  const ParticipantIndex p = round->participants[place];
  participants_[p].round = kNoRound;
  const bool keeps = round->outcome.kept[place] > 0;
  Deliver(p, {round->id, keeps, round->outcome.cuts[place], now_.monotonic});
}

void Core::CompleteTransactions(const Round& round) {
  std::vector<Slot> deferred;
  size_t member = 0;
  for (size_t t = 0; t < round.transactions.size(); ++t) {
    const Slot slot = round.transactions[t];
    if (round.outcome.transactions[t].kind == TransactionOutcome::Kind::kDefer) {
      deferred.push_back(slot);
    } else {
      Emit(EndingOf(round, t, member));
      queue_.Release(slot);
    }
    member = round.ballot.member_end[t];
  }
  if (deferred.empty()) return;
  queue_.Return(deferred);
  for (const Slot slot : deferred) {
    if (shutting_down_) {
      EndWaiting(slot, Ending::kAborted, EndingReason::kShuttingDown, 0);
    } else {
      EndIfUnavailable(slot);
    }
  }
}

Complete Core::EndingOf(const Round& round, size_t transaction, size_t first_member) const {
  const TransactionOutcome& outcome = round.outcome.transactions[transaction];
  const TransactionHandle handle = queue_.at(round.transactions[transaction]).handle;
  if (outcome.kind == TransactionOutcome::Kind::kCommit) {
    return {handle, Ending::kCommitted, EndingReason::kNone, round.id, 0, {}};
  }
  Complete complete{handle,
                    Ending::kAborted,
                    ReasonOf(outcome.cause),
                    round.id,
                    round.participants[outcome.culprit],
                    {}};
  if (outcome.cause != TransactionOutcome::Cause::kReplicasDisagree) return complete;
  // Which branch of each participant it is: those of earlier transactions come before.
  const DatabaseIndex database = round.ballot.participants[outcome.culprit].database;
  const auto members = round.ballot.members.begin();
  for (size_t i = first_member; i < round.ballot.member_end[transaction]; ++i) {
    const Place place = round.ballot.members[i];
    const Ballot::Participant& replica = round.ballot.participants[place];
    if (replica.database != database) continue;
    const auto branch = std::count(members, members + static_cast<ptrdiff_t>(first_member), place);
    complete.digests.push_back(
        {round.participants[place], replica.votes[static_cast<size_t>(branch)].digest});
  }
  return complete;
}

}  // namespace lockstep::coordinator
