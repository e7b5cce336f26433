#include "tests/model/runs.h"

#include <algorithm>
#include <utility>
#include <variant>

#include "absl/strings/str_cat.h"
#include "common/check.h"
#include "common/check_hook.h"
#include "tests/model/participants.h"
#include "tests/model/run_events.h"

namespace lockstep::model {

using coordinator::Effect;
using coordinator::Event;
using simulation::LogModel;

namespace {

// Longer than every pause between two tries, and shorter than a vote may take.
constexpr absl::Duration kTick = absl::Milliseconds(1100);
// Between two events: so the later one is later.
constexpr absl::Duration kMoment = absl::Nanoseconds(1);

coordinator::Now NowOf(const Run& run) { return {run.now, absl::FromUnixSeconds(1700000000)}; }

void AppendEffect(const Effect& effect, Words* words) {
  words->push_back(effect.index());
  if (const auto* forget = std::get_if<coordinator::ForgetDecision>(&effect)) {
    words->push_back(static_cast<uint64_t>(forget->round.value()));
  } else if (const auto* durable = std::get_if<coordinator::RecordDurable>(&effect)) {
    words->push_back(durable->participant);
    words->push_back(static_cast<uint64_t>(durable->durable.value()));
  }
}

struct CheckFailure {
  std::string what;
};

// A check of a coordinator that fails is a violation: the search tells the way to it. False if one
// did.
template <typename Act>
bool Checked(Act act, Deeds* deeds) {
  internal::SetCheckFailureHook([](const std::string& message) { throw CheckFailure{message}; });
  bool holds = true;
  try {
    act();
  } catch (const CheckFailure& failure) {
    deeds->emplace_back(Violation{"a coordinator ends itself: " + failure.what});
    holds = false;
  }
  internal::SetCheckFailureHook(nullptr);
  return holds;
}

}  // namespace

Runs::Runs(const Setup& setup, Messages* messages, Truths* truths)
    : is_broken_(setup.is_broken), messages_(messages), truths_(truths) {
  config_.broken = setup.broken;
  log_options_.log_forgets_term = setup.log_forgets_term;
  simulation::ParticipantList all;
  for (const simulation::DatabaseIndex database : DatabasesOf(setup)) {
    const bool is_master =
        config_.participants.empty() || config_.participants.back().database != database;
    all.push_back(static_cast<simulation::ParticipantIndex>(config_.participants.size()));
    config_.participants.push_back({absl::StrCat("node", all.back()), database, is_master});
  }
  for (const ModelTransaction& transaction : setup.transactions) {
    handles_.push_back(
        simulation::Scripted(handles_.size() + 1, transaction.needs, transaction.judge));
    participants_.emplace_back(transaction.participants.begin(), transaction.participants.end());
  }
  participants_.push_back(std::move(all));
}

simulation::TransactionHandle Runs::HandleOf(uint32_t transaction) const {
  if (transaction < handles_.size()) return handles_[transaction];
  return simulation::Scripted(transaction + 1, simulation::Needs::kNothing, 0);
}

const simulation::ParticipantList& Runs::ParticipantsOf(uint32_t transaction) const {
  return participants_[std::min<size_t>(transaction, handles_.size())];
}

Id Runs::InternLog(const LogModel& log) {
  Words words;
  log.AppendState(&words);
  return logs_.Intern(words, log);
}

Id Runs::InternSends(std::vector<Id> sends) {
  return sends_.Intern(Words(sends.begin(), sends.end()), std::move(sends));
}

Id Runs::InternRun(const Run& run) {
  Words words = {run.boot_id, run.term, run.writes.size()};
  for (const coordinator::LogDecision& write : run.writes) {
    words.push_back(static_cast<uint64_t>(write.round.value()));
  }
  words.push_back(run.housekeeping.size());
  for (const Effect& effect : run.housekeeping) AppendEffect(effect, &words);
  words.push_back(run.open.size());
  words.insert(words.end(), run.open.begin(), run.open.end());
  run.protocol.AppendState(&words);
  // One that was switched off has seen nothing.
  run.invariants.AppendState(&words);
  return runs_.Intern(words, run);
}

Id Runs::FirstLog() { return InternLog(LogModel(config_.participants.size(), log_options_)); }

RunStep Runs::Start(Id* log) {
  const auto [place, is_new] = started_.try_emplace(*log);
  if (is_new) {
    LogModel next = logs_.at(*log);
    const uint64_t boot_id = next.runs().size() + 1;
    const coordinator::StartState start = next.Open(boot_id, /*random_seed=*/0);
    Run run{boot_id,
            start.term,
            next.runs(),
            coordinator::Protocol(config_, start),
            coordinator::Invariants(config_, start),
            {},
            {},
            {},
            absl::Seconds(1)};
    std::vector<Effect> effects;
    Deeds deeds;
    const auto begin = [&] {
      run.protocol.Start(NowOf(run), &effects);
      if (!is_broken_) run.invariants.ObserveStart(effects);
    };
    if (!Checked(begin, &deeds)) effects = {coordinator::Fatal{}};
    place->second = {InternLog(next), CarryOut(&run, std::move(effects), std::move(deeds))};
  }
  *log = place->second.log;
  return place->second.step;
}

void Runs::Send(const Run& run, simulation::Request request, std::vector<Id>* sends) {
  request.coordinator = run.boot_id;
  request.term = run.term;
  if (request.kind == simulation::Request::Kind::kFence) request.runs = run.log_runs;
  // Time and chance are no part of the model: a round has one seed.
  for (simulation::PreparedBranch& branch : request.branches) {
    branch.seed = static_cast<uint64_t>(request.round.value());
  }
  Message message;
  message.request = std::move(request);
  sends->push_back(messages_->Intern(message));
}

RunStep Runs::CarryOut(Run* run, std::vector<Effect> effects, Deeds deeds) {
  RunStep step;
  std::vector<Id> sends;
  bool dead = false;
  for (Effect& effect : effects) {
    simulation::Request request;
    if (auto* prepare = std::get_if<coordinator::SendPrepare>(&effect)) {
      for (simulation::PreparedBranch& branch : prepare->branches) {
        branch.seed = static_cast<uint64_t>(prepare->round.value());
      }
      deeds.emplace_back(*prepare);
    }
    if (RequestOf(effect, &request)) {
      Send(*run, std::move(request), &sends);
    } else if (auto* record = std::get_if<coordinator::LogDecision>(&effect)) {
      run->writes.push_back(std::move(*record));
    } else if (auto* complete = std::get_if<coordinator::Complete>(&effect)) {
      if (run->open.erase(complete->transaction) == 0) {
        deeds.emplace_back(Violation{"a client is answered twice"});
      }
      const bool voted = complete->reason == coordinator::EndingReason::kNone ||
                         complete->reason == coordinator::EndingReason::kVoteNo;
      const bool is_probe = simulation::NumberOf(complete->transaction) > handles_.size();
      step.voted_on_probe = step.voted_on_probe || (voted && is_probe);
      deeds.emplace_back(std::move(*complete));
    } else if (auto* alarm = std::get_if<coordinator::Alarm>(&effect)) {
      deeds.emplace_back(Violation{"alarm: " + alarm->reason});
    } else if (const auto* fatal = std::get_if<coordinator::Fatal>(&effect)) {
      dead = true;
      step.superseded = fatal->superseded;
    } else if (std::holds_alternative<coordinator::ForgetDecision>(effect) ||
               std::holds_alternative<coordinator::RecordDurable>(effect)) {
      run->housekeeping.push_back(std::move(effect));
    }
  }
  step.run = dead ? 0 : InternRun(*run);
  step.sends = InternSends(std::move(sends));
  step.deeds = truths_->InternDeeds(deeds);
  return step;
}

std::vector<Event> Runs::EventsOf(Run* run, Trigger trigger, uint32_t argument,
                                  Deeds* deeds) const {
  switch (trigger) {
    case Trigger::kAnswer:
      return EventsOfAnswer(messages_->at(argument), deeds);
    case Trigger::kBroken:
      return EventsOfFailure(messages_->at(argument).request,
                             coordinator::CallFailure::kUnavailable);
    case Trigger::kTimeout:
      return EventsOfFailure(messages_->at(argument).request, coordinator::CallFailure::kTimeout);
    case Trigger::kSubmit: {
      coordinator::Submit submit{HandleOf(argument), ParticipantsOf(argument), 0,
                                 absl::InfiniteDuration()};
      run->open.insert(submit.transaction);
      deeds->emplace_back(Submitted{submit.transaction, submit.participants});
      return {std::move(submit)};
    }
    case Trigger::kTick:
      run->now += kTick;
      return {coordinator::Tick{}};
    case Trigger::kDurable:
    case Trigger::kWriteFailed: {
      const RoundId round = run->writes.front().round;
      run->writes.erase(run->writes.begin());
      if (trigger == Trigger::kDurable) return {coordinator::DecisionDurable{round}};
      return {coordinator::DecisionFailed{round, "as told to"}};
    }
    case Trigger::kKept:
      run->housekeeping.clear();
      break;
  }
  return {};
}

RunStep Runs::Step(Id run, Trigger trigger, uint32_t argument) {
  const uint64_t key = uint64_t{run} << 32 | static_cast<uint64_t>(trigger) << 28 | argument;
  const auto [place, is_new] = steps_.try_emplace(key);
  if (!is_new) return place->second;
  Run next = runs_.at(run);
  next.now += kMoment;
  Deeds deeds;
  const std::vector<Event> events = EventsOf(&next, trigger, argument, &deeds);
  std::vector<Effect> effects;
  const auto step = [&] {
    next.protocol.StepAll(events, NowOf(next), &effects);
    if (is_broken_) return;
    next.invariants.ObserveAll(events, effects);
    next.protocol.CheckInvariants();
  };
  // What failed half-way has no state.
  if (!events.empty() && !Checked(step, &deeds)) effects = {coordinator::Fatal{}};
  return place->second = CarryOut(&next, std::move(effects), std::move(deeds));
}

bool Runs::WriteFirst(Id run, Id* log, Id* deeds) {
  const auto [place, is_new] = written_.try_emplace(uint64_t{run} << 32 | *log);
  Started& written = place->second;
  if (is_new) {
    LogModel next = logs_.at(*log);
    const coordinator::LogDecision& record = at(run).writes.front();
    if (next.Write(at(run).term, record, {})) {
      written.log = InternLog(next);
      written.step.deeds = truths_->InternDeeds({record});
    }
  }
  if (written.log == 0) return false;
  *log = written.log;
  *deeds = written.step.deeds;
  return true;
}

bool Runs::WriteHousekeeping(Id run, Id* log) {
  LogModel next = logs_.at(*log);
  const Term term = at(run).term;
  for (const Effect& effect : at(run).housekeeping) {
    bool written = true;
    if (const auto* forget = std::get_if<coordinator::ForgetDecision>(&effect)) {
      written = next.Forget(term, forget->round);
    } else if (const auto* durable = std::get_if<coordinator::RecordDurable>(&effect)) {
      written = next.RecordDurable(term, durable->participant, durable->durable);
    }
    if (!written) return false;
  }
  *log = InternLog(next);
  return true;
}

bool Runs::MaySupersede(Id run, Id log) const {
  LogModel marked = logs_.at(log);
  return !marked.MarkSuperseded(at(run).term);
}

}  // namespace lockstep::model
