// The model: what can happen next in any of its states.
#ifndef LOCKSTEP_TESTS_MODEL_MACHINE_H_
#define LOCKSTEP_TESTS_MODEL_MACHINE_H_

#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/container/flat_hash_set.h"
#include "tests/model/message.h"
#include "tests/model/networks.h"
#include "tests/model/participants.h"
#include "tests/model/runs.h"
#include "tests/model/setup.h"
#include "tests/model/state.h"
#include "tests/model/truths.h"

namespace lockstep::model {

struct Action {
  enum class Kind : uint8_t {
    kDeliver,
    kRepeat,   // from now on it is there twice
    kTimeout,  // of a call; its request may still arrive
    kBreak,    // as well, and the coordinator sees the connection break
    kSubmit,
    kRead,
    kTick,
    kWrite,        // of a decision
    kFailToWrite,  // it is not there
    kFailAndWrite,
    kKeepHouse,  // the log forgets, and takes down what is durable
    kIdle,       // a participant syncs, and finishes what it has to
    kCrash,
    kRestart,
    kCrashCoordinator,
    kStartCoordinator,
  };
  Kind kind = Kind::kTick;
  // A message, a participant, a transaction, or a place in State::runs.
  uint32_t subject = 0;
  uint8_t run = 0;
  uint8_t choice = 0;  // of several outcomes
};

class Machine {
 public:
  using Emit = std::function<void(const Action&, const State&)>;

  explicit Machine(const Setup& setup);
  Machine(const Machine&) = delete;
  Machine& operator=(const Machine&) = delete;

  State First();
  // Everything that can happen. Faults do what State::left allows.
  void Expand(const State& state, const Emit& emit);
  // The broken rule, or nothing.
  std::optional<std::string> Broken(const State& state);

  // Faults have stopped; `deliver_late`: what nobody waits for any more arrives, or else it is
  // lost.
  State Calm(const State& state, bool deliver_late);
  // What happens next in a calm state: everything that can, in a fixed order. False: it is at rest.
  bool StepCalmly(State* state, Action* action);
  // What keeps it from rest; empty if nothing does.
  std::string Unrest(const State& state) const;

  std::string Describe(const State& state, const Action& action) const;
  std::string Sizes() const;

 private:
  void ExpandNetwork(const State& state, const Emit& emit);
  void ExpandClients(const State& state, const Emit& emit);
  void ExpandRuns(const State& state, const Emit& emit);
  void ExpandParticipants(const State& state, const Emit& emit);
  void Deliver(const State& state, size_t position, const Emit& emit);
  void DeliverAnswer(const State& state, Id message, const Emit& emit);
  void Fail(const State& state, size_t position, Action::Kind kind, const Emit& emit);
  // Writes nothing, or each part of what was on its way to the disk.
  void CrashCoordinator(const State& state, uint8_t run, const Emit& emit);

  // The rest of the steps that several actions take.
  void ApplyRunStep(State* state, size_t run, const RunStep& step);
  void EndRun(State* state, size_t run);
  void Tell(State* state, size_t run, Trigger trigger, uint32_t argument);
  void StartRun(State* state);
  void Submit(State* state, size_t run);
  bool SendRead(State* state, size_t run, simulation::DatabaseIndex database);
  bool WriteDecision(State* state, size_t run);
  void KeepHouse(State* state, size_t run);
  size_t RunOf(const State& state, const Message& message) const;
  bool NeedsIdle(Id participant) const;
  size_t runs_alive(const State& state) const;
  bool StepNetworkCalmly(State* state, Action* action);
  bool StepNodesCalmly(State* state, Action* action);
  void TickAll(State* state);

  const Setup setup_;
  const size_t participant_count_;
  Messages messages_;
  Truths truths_;
  Participants participants_;
  Runs runs_;
  Networks networks_;
  absl::flat_hash_map<uint64_t, bool> checked_;  // truth and participant: agree
};

}  // namespace lockstep::model

#endif  // LOCKSTEP_TESTS_MODEL_MACHINE_H_
