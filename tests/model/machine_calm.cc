// The model when faults have stopped, and how it tells what happens.
#include <utility>

#include "absl/strings/str_cat.h"
#include "tests/model/machine.h"
#include "tests/simulation/trace.h"

namespace lockstep::model {

using Kind = Action::Kind;

namespace {

// A try may meet a restart that its coordinator has not noticed.
constexpr size_t kProbes = 3;

const char* NameOf(Kind kind) {
  switch (kind) {
    case Kind::kDeliver:
      return "arrives:";
    case Kind::kRepeat:
      return "is repeated:";
    case Kind::kTimeout:
      return "times out:";
    case Kind::kBreak:
      return "breaks:";
    case Kind::kSubmit:
      return "submit transaction";
    case Kind::kRead:
      return "read database";
    case Kind::kTick:
      return "time passes";
    case Kind::kWrite:
      return "the decision is written";
    case Kind::kFailToWrite:
      return "the decision is not written, and that is told";
    case Kind::kFailAndWrite:
      return "the decision is written, and failure is told";
    case Kind::kKeepHouse:
      return "the log forgets what is durable";
    case Kind::kIdle:
      return "syncs: participant";
    case Kind::kCrash:
      return "crashes: participant";
    case Kind::kRestart:
      return "starts: participant";
    case Kind::kCrashCoordinator:
      return "the coordinator crashes";
    case Kind::kStartCoordinator:
      return "a coordinator starts";
  }
  return "?";
}

}  // namespace

State Machine::Calm(const State& state, bool deliver_late) {
  State calm = state;
  calm.calm = true;
  calm.left = Faults();
  calm.of_use = false;
  if (deliver_late) return calm;
  calm.network =
      networks_.Change(calm.network, [this](Id id) { return messages_.at(id).live ? id : Id{0}; });
  return calm;
}

bool Machine::StepNetworkCalmly(State* state, Action* action) {
  const Networks::Network network = networks_.at(state->network);
  for (size_t i = 0; i < network.size(); ++i) {
    bool done = false;
    State next;
    Deliver(*state, i, [&](const Action& delivered, const State& after) {
      if (done) return;
      done = true;
      *action = delivered;
      next = after;
    });
    if (!done) continue;  // a read that waits
    *state = next;
    return true;
  }
  return false;
}

bool Machine::StepNodesCalmly(State* state, Action* action) {
  for (uint32_t p = 0; p < participant_count_; ++p) {
    Id& participant = state->participants[p];
    if (!participants_.at(participant).alive()) {
      participant = participants_.Start(participant);
      *action = {Kind::kRestart, p, 0, 0};
      return true;
    }
  }
  if (runs_alive(*state) == 0) {
    StartRun(state);
    *action = {Kind::kStartCoordinator, 0, 0, 0};
    return true;
  }
  return false;
}

void Machine::TickAll(State* state) {
  for (size_t alive = runs_alive(*state); alive > 0; --alive) {
    Tell(state, alive - 1, Trigger::kTick, 0);
  }
}

bool Machine::StepCalmly(State* state, Action* action) {
  if (StepNodesCalmly(state, action) || StepNetworkCalmly(state, action)) return true;
  for (uint8_t run = 0; run < runs_alive(*state); ++run) {
    const Run& its = runs_.at(state->runs[run]);
    if (its.writes.empty() && its.housekeeping.empty()) continue;
    *action = {its.writes.empty() ? Kind::kKeepHouse : Kind::kWrite, run, run, 0};
    if (its.writes.empty()) {
      KeepHouse(state, run);
    } else {
      const bool written = WriteDecision(state, run);
      Tell(state, run, written ? Trigger::kDurable : Trigger::kWriteFailed, 0);
    }
    return true;
  }
  for (uint32_t p = 0; p < participant_count_; ++p) {
    if (!NeedsIdle(state->participants[p])) continue;
    const Participants::Outcome outcome = participants_.Idle(state->participants[p]);
    state->participants[p] = outcome.participant;
    state->truth = truths_.Apply(state->truth, outcome.deeds);
    *action = {Kind::kIdle, p, 0, 0};
    return true;
  }
  const size_t newest = runs_alive(*state) - 1;
  const bool rests = Unrest(*state).empty();
  if (rests && state->of_use) return false;
  // Rest is not enough: the cluster has to be of use.
  const size_t transactions = setup_.transactions.size();
  if (rests && state->submitted < transactions + kProbes) {
    if (state->submitted < transactions) state->submitted = static_cast<uint8_t>(transactions);
    *action = {Kind::kSubmit, state->submitted, static_cast<uint8_t>(newest), 0};
    Submit(state, newest);
    return true;
  }
  TickAll(state);
  *action = {Kind::kTick, 0, 0, 0};
  return true;
}

std::string Machine::Unrest(const State& state) const {
  if (state.network != networks_.none()) return "messages are under way";
  if (runs_alive(state) != 1) return "there is not exactly one coordinator";
  const simulation::Truth& truth = truths_.at(state.truth);
  for (simulation::ParticipantIndex p = 0; p < participant_count_; ++p) {
    const simulation::ModelParticipant& participant = participants_.at(state.participants[p]);
    if (!participant.alive()) return absl::StrCat("participant ", p, " is down");
    if (participant.state().phase != participant::RoundPhase::kIdle) {
      return absl::StrCat("participant ", p, " holds a round");
    }
    if (participant.state().durable != truth.LastDecided(p)) {
      return absl::StrCat("participant ", p, " does not have all that was decided for good");
    }
  }
  const Run& run = runs_.at(state.runs[0]);
  const coordinator::View view = run.protocol.GetView();
  for (const coordinator::ParticipantView& participant : view.participants) {
    if (!participant.free) return "a participant is not free: " + participant.reason;
  }
  if (!run.open.empty()) return "a client is not answered";
  if (view.queue_length + view.rounds_in_flight > 0) return "a coordinator is at work";
  if (view.undelivered_decisions > 0 || runs_.log(state.log).size() > 0)
    return "a decision is kept";
  if (!run.writes.empty() || !run.housekeeping.empty()) return "the log has work";
  if (runs_.log(state.log).superseded()) return "the newest log was taken for an older copy";
  return "";
}

std::string Machine::Describe(const State& state, const Action& action) const {
  std::string text = NameOf(action.kind);
  const bool is_message = action.kind == Kind::kDeliver || action.kind == Kind::kRepeat ||
                          action.kind == Kind::kTimeout || action.kind == Kind::kBreak;
  if (is_message) {
    const Message& message = messages_.at(action.subject);
    absl::StrAppend(&text, message.live ? " " : " late ", "p", message.request.participant, " ",
                    simulation::Describe(message.request));
    if (message.kind == Message::Kind::kAnswer) {
      absl::StrAppend(&text, " -> ", simulation::Describe(message.answer));
    } else if (message.kind == Message::Kind::kBroken) {
      absl::StrAppend(&text, " -> broken");
    }
  } else if (action.kind == Kind::kSubmit) {
    absl::StrAppend(&text, " ", action.subject + 1, " to p");
    for (const simulation::ParticipantIndex p : runs_.ParticipantsOf(action.subject)) {
      absl::StrAppend(&text, p);
    }
  } else if (action.kind == Kind::kRead || action.kind == Kind::kIdle ||
             action.kind == Kind::kCrash || action.kind == Kind::kRestart) {
    absl::StrAppend(&text, " ", action.subject);
  }
  if (runs_alive(state) > 1) absl::StrAppend(&text, "  [coordinator ", action.run, "]");
  if (action.choice > 0) absl::StrAppend(&text, "  [outcome ", action.choice, "]");
  return text;
}

std::string Machine::Sizes() const {
  return absl::StrCat(runs_.size(), " coordinator states, ", participants_.size(),
                      " participant states, ", messages_.size(), " messages, ", networks_.size(),
                      " networks, ", truths_.size(), " truths");
}

}  // namespace lockstep::model
