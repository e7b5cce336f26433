#include "tests/model/search.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"

namespace lockstep::model {

Search::Search(const Setup& setup, const Limits& limits)
    : limits_(limits), machine_(setup), index_(0, Hash{&states_}, Equal{&states_}) {}

Report Search::Run() {
  Visit(machine_.First(), 0);
  uint64_t end_of_level = states_.size();
  report_.exhausted = true;
  for (; now_ < states_.size() && !report_.violation; ++now_) {
    for (const bool deliver_late : {true, false}) {
      if (limits_.check_progress && !report_.violation) CheckProgress(now_, deliver_late);
    }
    if (report_.violation) break;
    if (states_.size() >= limits_.states) {
      report_.exhausted = false;
      continue;
    }
    if (now_ == end_of_level) {
      ++report_.depth;
      end_of_level = states_.size();
    }
    const State state = states_[now_];
    machine_.Expand(state, [this](const Action&, const State& next) {
      ++report_.transitions;
      Visit(next, now_);
    });
  }
  report_.exhausted = report_.exhausted && !report_.violation;
  report_.states = states_.size();
  report_.calm_states = come_to_rest_.size();
  return report_;
}

void Search::Visit(const State& state, Index parent) {
  if (report_.violation || index_.contains(state)) return;
  const auto index = static_cast<Index>(states_.size());
  states_.push_back(state);
  parents_.push_back(parent);
  index_.insert(index);
  if (const auto broken = machine_.Broken(state)) {
    report_.violation = broken;
    report_.trace = TraceTo(index);
  }
}

void Search::CheckProgress(Index index, bool deliver_late) {
  State state = machine_.Calm(states_[index], deliver_late);
  if (come_to_rest_.contains(state)) return;
  calm_now_ = state;
  std::vector<State> way;
  absl::flat_hash_set<State, StateHash> on_way;
  std::string broken;
  Action action;
  while (!come_to_rest_.contains(state)) {
    if (!on_way.insert(state).second) {
      const std::string unrest = machine_.Unrest(state);
      broken = unrest.empty() ? "at rest, but no transaction is voted on"
                              : "no rest after the faults have stopped: " + unrest;
    } else if (const auto what = machine_.Broken(state)) {
      broken = *what;
    }
    if (!broken.empty()) break;
    way.push_back(state);
    if (!machine_.StepCalmly(&state, &action)) break;
  }
  if (broken.empty()) {
    come_to_rest_.insert(way.begin(), way.end());
  } else {
    report_.violation = broken;
    report_.trace = TraceOfNow();
  }
  calm_now_.reset();
}

std::vector<std::string> Search::TraceTo(Index index) {
  std::vector<Index> path = {index};
  while (path.back() != 0) path.push_back(parents_[path.back()]);
  std::reverse(path.begin(), path.end());
  std::vector<std::string> trace;
  for (size_t i = 1; i < path.size(); ++i) {
    const State from = states_[path[i - 1]];
    const State& to = states_[path[i]];
    bool told = false;
    machine_.Expand(from, [&](const Action& action, const State& next) {
      if (told || !(next == to)) return;
      told = true;
      trace.push_back(machine_.Describe(from, action));
    });
  }
  return trace;
}

void Search::AppendCalmTrace(State state, std::vector<std::string>* trace) {
  trace->push_back("faults stop");
  absl::flat_hash_set<State, StateHash> seen;
  Action action;
  while (seen.insert(state).second && !machine_.Broken(state)) {
    const State from = state;
    if (!machine_.StepCalmly(&state, &action)) break;
    trace->push_back(machine_.Describe(from, action));
  }
}

std::vector<std::string> Search::TraceOfNow() {
  std::vector<std::string> trace = TraceTo(now_);
  if (calm_now_) AppendCalmTrace(*calm_now_, &trace);
  return trace;
}

}  // namespace lockstep::model
