// Drives a coordinator protocol by hand, with the invariants checked after every step.
#ifndef LOCKSTEP_TESTS_COORDINATOR_PROTOCOL_HARNESS_H_
#define LOCKSTEP_TESTS_COORDINATOR_PROTOCOL_HARNESS_H_

#include <cstdint>
#include <memory>
#include <utility>
#include <variant>
#include <vector>

#include "absl/time/time.h"
#include "coordinator/protocol/invariants.h"
#include "coordinator/protocol/protocol.h"
#include "tests/coordinator/protocol/names.h"

namespace lockstep::coordinator {

// `replicas` per database; participants are numbered database by database, masters first.
inline Config MakeConfig(std::vector<uint32_t> replicas) {
  Config config;
  for (DatabaseIndex database = 0; database < replicas.size(); ++database) {
    for (uint32_t i = 0; i < replicas[database]; ++i) {
      config.participants.push_back(
          {"node" + std::to_string(config.participants.size()), database, i == 0});
    }
  }
  return config;
}

inline StartState MakeStart(Term term = 1) {
  StartState start;
  start.term = term;
  start.random_seed = 1;
  return start;
}

// Participants answer only when the test says so; what they report is in `reports`.
class Harness {
 public:
  explicit Harness(Config config = MakeConfig({1, 1, 1}), StartState start = MakeStart())
      : reports(config.participants.size()), invariants_(config, start) {
    for (size_t p = 0; p < reports.size(); ++p) {
      reports[p].boot_id = 100 + p;
      reports[p].term = start.term;
    }
    protocol_ = std::make_unique<Protocol>(std::move(config), std::move(start));
  }

  void Start() {
    effects.clear();
    protocol_->Start(now(), &effects);
    invariants_.ObserveStart(effects);
    protocol_->CheckInvariants();
  }
  // Started, and hands shaken with all.
  void StartReady() {
    Start();
    for (ParticipantIndex p = 0; p < reports.size(); ++p) FenceAnswers(p);
  }

  void Step(Event event) { StepAll({std::move(event)}); }
  void StepAll(std::vector<Event> events) {
    effects.clear();
    protocol_->StepAll(events, now(), &effects);
    invariants_.ObserveAll(events, effects);
    protocol_->CheckInvariants();
  }
  // Lets time pass, with its Ticks; keeps the effects of all of them.
  void Pass(absl::Duration time) {
    std::vector<Effect> all;
    const absl::Duration end = monotonic + time;
    while (monotonic < end) {
      monotonic += std::min(kTickInterval, end - monotonic);
      Step(Tick{});
      for (Effect& effect : effects) all.push_back(std::move(effect));
    }
    effects = std::move(all);
  }

  Submit MakeSubmit(TransactionHandle handle,
                    absl::InlinedVector<ParticipantIndex, 4> participants) {
    return {handle, std::move(participants), 100, monotonic + absl::Seconds(10)};
  }
  void Submits(TransactionHandle handle, absl::InlinedVector<ParticipantIndex, 4> participants) {
    Step(MakeSubmit(handle, std::move(participants)));
  }
  void Votes(ParticipantIndex p, RoundId round, std::vector<Vote> votes) {
    Step(PrepareAnswered{p, round, reports[p], std::move(votes), absl::ZeroDuration()});
  }
  void FenceAnswers(ParticipantIndex p) { Step(FenceAnswered{p, reports[p]}); }
  void StatusAnswers(ParticipantIndex p) { Step(StatusAnswered{p, reports[p]}); }
  void CommitAnswers(ParticipantIndex p, RoundId round) {
    reports[p].applied = round;
    Step(CommitAnswered{p, round, reports[p]});
  }
  void RollbackAnswers(ParticipantIndex p, RoundId round) {
    Step(RollbackAnswered{p, round, reports[p]});
  }

  // The effects of one kind, of the last step.
  template <typename T>
  std::vector<T> All() const {
    std::vector<T> found;
    for (const Effect& effect : effects) {
      if (const T* it = std::get_if<T>(&effect)) found.push_back(*it);
    }
    return found;
  }
  template <typename T>
  size_t Count() const {
    return All<T>().size();
  }
  // Requires at least one.
  template <typename T>
  T First() const {
    return All<T>().at(0);
  }
  template <typename T>
  size_t CountFor(ParticipantIndex p) const {
    size_t count = 0;
    for (const T& it : All<T>()) count += it.participant == p ? 1 : 0;
    return count;
  }

  Protocol& protocol() { return *protocol_; }
  ParticipantState StateOf(ParticipantIndex p) const {
    return protocol_->GetView().participants[p].state;
  }
  bool IsFree(ParticipantIndex p) const { return protocol_->GetView().participants[p].free; }
  Now now() const { return {monotonic, wall}; }

  std::vector<Report> reports;
  std::vector<Effect> effects;  // of the last step
  absl::Duration monotonic = absl::Seconds(100);
  absl::Time wall = absl::FromUnixSeconds(1700000000);

 private:
  std::unique_ptr<Protocol> protocol_;
  Invariants invariants_;
};

}  // namespace lockstep::coordinator

#endif  // LOCKSTEP_TESTS_COORDINATOR_PROTOCOL_HARNESS_H_
