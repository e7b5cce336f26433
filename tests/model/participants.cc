#include "tests/model/participants.h"

#include <algorithm>

namespace lockstep::model {

using simulation::ModelParticipant;

std::vector<simulation::DatabaseIndex> DatabasesOf(const Setup& setup) {
  std::vector<simulation::DatabaseIndex> databases;
  for (simulation::DatabaseIndex database = 0; database < setup.replicas.size(); ++database) {
    databases.insert(databases.end(), setup.replicas[database], database);
  }
  return databases;
}

Participants::Participants(const Setup& setup, Messages* messages, Truths* truths)
    : databases_(DatabasesOf(setup)), messages_(messages), truths_(truths) {
  options_.broken_participant = setup.broken_participant;
  options_.term_is_not_durable = setup.term_is_not_durable;
  options_.tombstone_is_not_durable = setup.tombstone_is_not_durable;
  options_.power_loss = 0.5;
  options_.vote_defer = 0;
}

Id Participants::Intern(const ModelParticipant& participant) {
  Words words;
  participant.AppendState(&words);
  words.push_back(participant.index());
  return participants_.Intern(words, participant);
}

Id Participants::First(simulation::ParticipantIndex index) {
  ModelParticipant::Observer observer;
  observer.on_execute = [this](simulation::ParticipantIndex p, RoundId round, RoundId applied) {
    deeds_.emplace_back(Executed{p, round, applied});
  };
  observer.on_rolled_back = [this](simulation::ParticipantIndex p, RoundId round) {
    deeds_.emplace_back(RolledBack{p, round});
  };
  observer.on_violation = [this](const std::string& what) { deeds_.emplace_back(Violation{what}); };
  ModelParticipant participant(index, databases_[index], &options_, &choices_, observer);
  choices_.SetNext(1);
  participant.Start();
  return Intern(participant);
}

const std::vector<Participants::Outcome>& Participants::Handle(Id participant, Id request,
                                                               Freedom freedom) {
  auto& known = handled_[(freedom.crash ? 1 : 0) + (freedom.defer ? 2 : 0)];
  const auto [place, is_new] = known.try_emplace(uint64_t{participant} << 32 | request);
  if (!is_new) return place->second;
  options_.crash_inside = freedom.crash ? 0.5 : 0;
  options_.vote_defer = freedom.defer ? 0.5 : 0;
  const Message message = messages_->at(request);
  std::vector<Outcome>& outcomes = place->second;
  do {
    const Outcome outcome = HandleOnce(participant, message);
    if (std::find(outcomes.begin(), outcomes.end(), outcome) == outcomes.end()) {
      outcomes.push_back(outcome);
    }
  } while (choices_.Advance());
  return outcomes;
}

Participants::Outcome Participants::HandleOnce(Id participant, const Message& request) {
  ModelParticipant next = at(participant);
  deeds_.clear();
  Message answer;
  answer.live = request.live;
  answer.request = request.request;
  answer.request.branches.clear();
  answer.must_show = request.must_show;
  answer.kind = Message::Kind::kAnswer;
  const ModelParticipant::Handled handled = next.Handle(request.request, &answer.answer);
  Outcome outcome;
  outcome.crashed = handled == ModelParticipant::Handled::kDied;
  outcome.deferred = std::any_of(
      answer.answer.votes.begin(), answer.answer.votes.end(),
      [](const simulation::Vote& vote) { return vote.kind == simulation::Vote::Kind::kDefer; });
  if (outcome.crashed) {
    answer.kind = Message::Kind::kBroken;
    answer.answer = {};
  }
  if (handled != ModelParticipant::Handled::kWait) outcome.answer = messages_->Intern(answer);
  outcome.participant = Intern(next);
  outcome.deeds = truths_->InternDeeds(deeds_);
  return outcome;
}

const std::vector<Id>& Participants::Crash(Id participant) {
  const auto [place, is_new] = crashed_.try_emplace(participant);
  if (!is_new) return place->second;
  do {
    ModelParticipant next = at(participant);
    next.Crash(/*power=*/choices_.Chance(0.5));
    const Id id = Intern(next);
    if (std::find(place->second.begin(), place->second.end(), id) == place->second.end()) {
      place->second.push_back(id);
    }
  } while (choices_.Advance());
  return place->second;
}

Id Participants::Start(Id participant) {
  const auto [place, is_new] = started_.try_emplace(participant);
  if (!is_new) return place->second;
  ModelParticipant next = at(participant);
  choices_.SetNext(next.boot_id() + 1);
  next.Start();
  return place->second = Intern(next);
}

Participants::Outcome Participants::Idle(Id participant) {
  const auto [place, is_new] = idle_.try_emplace(participant);
  if (!is_new) return place->second;
  ModelParticipant next = at(participant);
  deeds_.clear();
  next.Idle();
  place->second.participant = Intern(next);
  place->second.deeds = truths_->InternDeeds(deeds_);
  return place->second;
}

}  // namespace lockstep::model
