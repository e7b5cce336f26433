#include "tests/model/machine.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "common/check.h"

namespace lockstep::model {

using Kind = Action::Kind;
using simulation::Request;

Machine::Machine(const Setup& setup)
    : setup_(setup),
      participant_count_(DatabasesOf(setup).size()),
      truths_(DatabasesOf(setup)),
      participants_(setup, &messages_, &truths_),
      runs_(setup, &messages_, &truths_) {
  LOCKSTEP_CHECK(participant_count_ <= kMostParticipants, "too many participants");
}

State Machine::First() {
  State state;
  for (size_t p = 0; p < participant_count_; ++p) {
    state.participants[p] = participants_.First(static_cast<simulation::ParticipantIndex>(p));
  }
  state.network = networks_.none();
  state.truth = truths_.First();
  state.log = runs_.FirstLog();
  state.left = setup_.faults;
  StartRun(&state);
  return state;
}

size_t Machine::runs_alive(const State& state) const {
  return state.runs[1] != 0 ? 2 : state.runs[0] != 0 ? 1 : 0;
}

size_t Machine::RunOf(const State& state, const Message& message) const {
  for (size_t run = 0; run < runs_alive(state); ++run) {
    if (runs_.at(state.runs[run]).boot_id == message.request.coordinator) return run;
  }
  LOCKSTEP_CHECK(false, "a live message of a run that has ended");
  return 0;
}

void Machine::ApplyRunStep(State* state, size_t run, const RunStep& step) {
  state->truth = truths_.Apply(state->truth, step.deeds);
  for (const Id message : runs_.sends(step.sends)) {
    state->network = networks_.Add(state->network, message);
  }
  state->of_use = state->calm && (state->of_use || step.voted_on_probe);
  if (step.run != 0) {
    state->runs[run] = step.run;
    return;
  }
  if (step.superseded && !runs_.MaySupersede(state->runs[run], state->log)) {
    const Id deeds =
        truths_.InternDeeds({Violation{"the newest log was taken for an older copy (R22)"}});
    state->truth = truths_.Apply(state->truth, deeds);
  }
  EndRun(state, run);
}

// Its calls have nobody who waits for them any more.
void Machine::EndRun(State* state, size_t run) {
  const uint64_t boot_id = runs_.at(state->runs[run]).boot_id;
  state->network = networks_.Change(state->network, [this, boot_id](Id id) {
    const Message& message = messages_.at(id);
    const bool is_its = message.live && message.request.coordinator == boot_id;
    return is_its ? messages_.Orphan(id) : id;
  });
  if (run == 0) state->runs[0] = state->runs[1];
  state->runs[1] = 0;
}

void Machine::Tell(State* state, size_t run, Trigger trigger, uint32_t argument) {
  ApplyRunStep(state, run, runs_.Step(state->runs[run], trigger, argument));
}

void Machine::StartRun(State* state) {
  const size_t run = runs_alive(*state);
  const RunStep step = runs_.Start(&state->log);
  ApplyRunStep(state, run, step);
}

void Machine::Submit(State* state, size_t run) {
  Tell(state, run, Trigger::kSubmit, state->submitted++);
}

bool Machine::SendRead(State* state, size_t run, simulation::DatabaseIndex database) {
  const Run& its = runs_.at(state->runs[run]);
  const auto route = its.protocol.RouteRead(database);
  if (!route) return false;
  Message message;
  message.request.kind = Request::Kind::kRead;
  message.request.coordinator = its.boot_id;
  message.request.term = its.term;
  message.request.participant = route->participant;
  message.request.round = route->least_round;
  message.must_show = truths_.at(state->truth).MustShow(route->participant);
  state->network = networks_.Add(state->network, messages_.Intern(message));
  return true;
}

bool Machine::WriteDecision(State* state, size_t run) {
  Id deeds = truths_.no_deeds();
  if (!runs_.WriteFirst(state->runs[run], &state->log, &deeds)) return false;
  state->truth = truths_.Apply(state->truth, deeds);
  return true;
}

void Machine::KeepHouse(State* state, size_t run) {
  if (!runs_.WriteHousekeeping(state->runs[run], &state->log)) return EndRun(state, run);
  Tell(state, run, Trigger::kKept, 0);
}

void Machine::Expand(const State& state, const Emit& emit) {
  ExpandNetwork(state, emit);
  ExpandClients(state, emit);
  ExpandRuns(state, emit);
  ExpandParticipants(state, emit);
}

void Machine::ExpandNetwork(const State& state, const Emit& emit) {
  const Networks::Network network = networks_.at(state.network);
  for (size_t i = 0; i < network.size(); ++i) {
    if (i > 0 && network[i] == network[i - 1]) continue;
    Deliver(state, i, emit);
    const Message& message = messages_.at(network[i]);
    const Id orphan = messages_.Orphan(network[i]);
    if (state.left.repeats > 0 && orphan != 0) {
      State next = state;
      --next.left.repeats;
      next.network = networks_.Add(next.network, orphan);
      emit({Kind::kRepeat, network[i], 0, 0}, next);
    }
    if (state.left.losses > 0 && message.live) {
      Fail(state, i, Kind::kTimeout, emit);
      Fail(state, i, Kind::kBreak, emit);
    }
  }
}

void Machine::Fail(const State& state, size_t position, Kind kind, const Emit& emit) {
  const Id id = networks_.at(state.network)[position];
  State next = state;
  if (!next.calm) --next.left.losses;
  next.network = networks_.Remove(next.network, id);
  const Id orphan = messages_.Orphan(id);
  if (orphan != 0) next.network = networks_.Add(next.network, orphan);
  const size_t run = RunOf(state, messages_.at(id));
  Tell(&next, run, kind == Kind::kTimeout ? Trigger::kTimeout : Trigger::kBroken, id);
  emit({kind, id, static_cast<uint8_t>(run), 0}, next);
}

void Machine::DeliverAnswer(const State& state, Id id, const Emit& emit) {
  State next = state;
  next.network = networks_.Remove(next.network, id);
  const size_t run = RunOf(state, messages_.at(id));
  const bool broken = messages_.at(id).kind == Message::Kind::kBroken;
  Tell(&next, run, broken ? Trigger::kBroken : Trigger::kAnswer, id);
  emit({Kind::kDeliver, id, static_cast<uint8_t>(run), 0}, next);
}

void Machine::Deliver(const State& state, size_t position, const Emit& emit) {
  const Id id = networks_.at(state.network)[position];
  const Message message = messages_.at(id);
  if (message.kind != Message::Kind::kRequest) return DeliverAnswer(state, id, emit);
  const simulation::ParticipantIndex p = message.request.participant;
  State sent = state;
  sent.network = networks_.Remove(sent.network, id);
  if (!participants_.at(state.participants[p]).alive()) {
    const size_t run = message.live ? RunOf(state, message) : 0;
    if (message.live) Tell(&sent, run, Trigger::kBroken, id);
    return emit({Kind::kDeliver, id, static_cast<uint8_t>(run), 0}, sent);
  }
  const Participants::Freedom freedom{state.left.crashes > 0, state.left.defers > 0};
  uint8_t choice = 0;
  for (const auto& outcome : participants_.Handle(state.participants[p], id, freedom)) {
    if (outcome.answer == 0) continue;
    State next = sent;
    next.participants[p] = outcome.participant;
    next.truth = truths_.Apply(next.truth, outcome.deeds);
    if (outcome.crashed) --next.left.crashes;
    if (outcome.deferred) --next.left.defers;
    if (message.live) next.network = networks_.Add(next.network, outcome.answer);
    if (message.live && !setup_.answers_travel) {
      DeliverAnswer(next, outcome.answer, [&](const Action& action, const State& answered) {
        emit({Kind::kDeliver, id, action.run, choice}, answered);
      });
      // Or it is lost.
      if (state.left.losses > 0 && !outcome.crashed) {
        --next.left.losses;
        next.network = networks_.Remove(next.network, outcome.answer);
        const size_t run = RunOf(state, message);
        Tell(&next, run, Trigger::kTimeout, outcome.answer);
        emit({Kind::kTimeout, id, static_cast<uint8_t>(run), ++choice}, next);
      }
    } else {
      emit({Kind::kDeliver, id, 0, choice}, next);
    }
    ++choice;
  }
}

void Machine::ExpandClients(const State& state, const Emit& emit) {
  for (uint8_t run = 0; run < runs_alive(state); ++run) {
    if (state.submitted < setup_.transactions.size()) {
      State next = state;
      Submit(&next, run);
      emit({Kind::kSubmit, state.submitted, run, 0}, next);
    }
    for (simulation::DatabaseIndex database = 0;
         state.left.reads > 0 && database < setup_.replicas.size(); ++database) {
      State next = state;
      --next.left.reads;
      if (SendRead(&next, run, database)) emit({Kind::kRead, database, run, 0}, next);
    }
  }
}

void Machine::CrashCoordinator(const State& state, uint8_t run, const Emit& emit) {
  const bool writes = !runs_.at(state.runs[run]).writes.empty();
  for (uint8_t choice = 0; choice < (writes ? 2 : 1); ++choice) {
    State next = state;
    --next.left.coordinator_crashes;
    if (choice == 1 && !WriteDecision(&next, run)) continue;
    EndRun(&next, run);
    emit({Kind::kCrashCoordinator, run, run, choice}, next);
  }
}

void Machine::ExpandRuns(const State& state, const Emit& emit) {
  const size_t alive = runs_alive(state);
  for (uint8_t run = 0; run < alive; ++run) {
    const Run& its = runs_.at(state.runs[run]);
    if (!its.writes.empty()) {
      State next = state;
      const bool written = WriteDecision(&next, run);
      Tell(&next, run, written ? Trigger::kDurable : Trigger::kWriteFailed, 0);
      emit({Kind::kWrite, run, run, 0}, next);
    } else if (!its.housekeeping.empty()) {
      State next = state;
      KeepHouse(&next, run);
      emit({Kind::kKeepHouse, run, run, 0}, next);
    }
    if (!runs_.at(state.runs[run]).writes.empty() && state.left.coordinator_crashes > 0) {
      for (const Kind kind : {Kind::kFailToWrite, Kind::kFailAndWrite}) {
        State next = state;
        --next.left.coordinator_crashes;
        if (kind == Kind::kFailAndWrite && !WriteDecision(&next, run)) continue;
        Tell(&next, run, Trigger::kWriteFailed, 0);
        emit({kind, run, run, 0}, next);
      }
    }
    if (state.left.coordinator_crashes > 0) CrashCoordinator(state, run, emit);
    if (state.left.ticks > 0) {
      State next = state;
      --next.left.ticks;
      Tell(&next, run, Trigger::kTick, 0);
      emit({Kind::kTick, run, run, 0}, next);
    }
  }
  const bool is_second = alive == 1 && state.left.second_starts > 0;
  if (alive > 0 && !is_second) return;
  State next = state;
  if (is_second) --next.left.second_starts;
  StartRun(&next);
  emit({Kind::kStartCoordinator, 0, static_cast<uint8_t>(alive), 0}, next);
}

bool Machine::NeedsIdle(Id id) const {
  const simulation::ModelParticipant& participant = participants_.at(id);
  if (!participant.alive()) return false;
  return participant.state().durable != participant.state().applied ||
         participant.state().phase == participant::RoundPhase::kReexecuting;
}

void Machine::ExpandParticipants(const State& state, const Emit& emit) {
  for (uint32_t p = 0; p < participant_count_; ++p) {
    const Id participant = state.participants[p];
    if (!participants_.at(participant).alive()) {
      State next = state;
      next.participants[p] = participants_.Start(participant);
      emit({Kind::kRestart, p, 0, 0}, next);
      continue;
    }
    if (NeedsIdle(participant)) {
      State next = state;
      const Participants::Outcome outcome = participants_.Idle(participant);
      next.participants[p] = outcome.participant;
      next.truth = truths_.Apply(next.truth, outcome.deeds);
      emit({Kind::kIdle, p, 0, 0}, next);
    }
    if (state.left.crashes == 0) continue;
    uint8_t choice = 0;
    for (const Id left : participants_.Crash(participant)) {
      State next = state;
      --next.left.crashes;
      next.participants[p] = left;
      emit({Kind::kCrash, p, 0, choice++}, next);
    }
  }
}

std::optional<std::string> Machine::Broken(const State& state) {
  const simulation::Truth& truth = truths_.at(state.truth);
  if (truth.violation()) return truth.violation();
  for (simulation::ParticipantIndex p = 0; p < participant_count_; ++p) {
    const auto [place, is_new] =
        checked_.try_emplace(uint64_t{state.truth} << 32 | state.participants[p], true);
    if (!is_new && place->second) continue;
    simulation::Truth checked = truth;
    checked.Check(p, participants_.at(state.participants[p]));
    if (!checked.violation()) continue;
    place->second = false;
    return checked.violation();
  }
  return std::nullopt;
}

}  // namespace lockstep::model
