// A participant in a simulation: the real protocol over a simulated disk.
#ifndef LOCKSTEP_TESTS_SIMULATION_SIM_PARTICIPANT_H_
#define LOCKSTEP_TESTS_SIMULATION_SIM_PARTICIPANT_H_

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "participant/protocol/protocol.h"
#include "tests/simulation/message.h"
#include "tests/simulation/options.h"
#include "tests/simulation/storage.h"

namespace lockstep::simulation {

// Handles one message at a time, as the actor does, and may crash at every place where a real one
// could. What a test has to know of it goes through Observer.
class SimParticipant {
 public:
  struct Observer {
    // Before the branches of a Prepare run: everything decided for it must be visible (R14).
    std::function<void(ParticipantIndex, RoundId)> on_execute;
    // Before a Rollback is answered.
    std::function<void(ParticipantIndex, RoundId)> on_rolled_back;
    std::function<void(const std::string&)> on_violation;
  };

  SimParticipant(ParticipantIndex index, DatabaseIndex database, const Options* options,
                 Random* random, Observer observer);

  bool alive() const { return protocol_ != nullptr; }
  const Storage& storage() const { return storage_; }
  // Requires alive().
  const participant::State& state() const { return protocol_->state(); }

  void Start();
  void Crash(bool power);
  // A sync that nobody asked for; finishes a re-execution too.
  void Idle();

  enum class Handled { kAnswered, kDied, kWait };
  // Requires alive(). kWait: a read whose round is not visible yet.
  Handled Handle(const Request& request, Answer* answer);

 private:
  bool MayCrash();
  bool Persist(const participant::Decision& decision);
  Handled Prepare(const Request& request, Answer* answer);
  Handled Commit(const Request& request, Answer* answer);
  Handled Rollback(const Request& request, Answer* answer);
  Handled Fence(const Request& request, Answer* answer);
  participant::Decision DecideFence(const Request& request) const;
  Handled Read(const Request& request, Answer* answer);
  Handled RunBranches(const Request& request, Answer* answer);
  Handled CommitCut(const Request& request);
  Handled Done(Answer* answer);
  Handled Refuse(participant::Refusal refusal, Answer* answer);
  participant::Keep KeepOf(const Request& request) const;
  // The rows after the YES branches; their digests have to come again.
  Rows Reexecute(const std::vector<RunBranch>& branches);
  void FinishRedo();
  Report MakeReport() const;

  const ParticipantIndex index_;
  const DatabaseIndex database_;
  const Options* const options_;
  Random* const random_;
  const Observer observer_;
  Storage storage_;
  std::unique_ptr<participant::Protocol> protocol_;  // null: not running
  uint64_t boot_id_ = 0;
  std::vector<Vote> votes_;  // of the last round that this process voted on
};

}  // namespace lockstep::simulation

#endif  // LOCKSTEP_TESTS_SIMULATION_SIM_PARTICIPANT_H_
