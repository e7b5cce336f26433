// The coordinators of the model and their log: each state and what follows from an event, once.
#ifndef LOCKSTEP_TESTS_MODEL_RUNS_H_
#define LOCKSTEP_TESTS_MODEL_RUNS_H_

#include <set>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "coordinator/protocol/invariants.h"
#include "coordinator/protocol/protocol.h"
#include "tests/model/message.h"
#include "tests/model/setup.h"
#include "tests/model/truths.h"
#include "tests/simulation/log_model.h"

namespace lockstep::model {

// One run of a coordinator with what its shell holds.
struct Run {
  uint64_t boot_id = 0;
  Term term = 0;
  std::vector<uint64_t> log_runs;
  coordinator::Protocol protocol;
  coordinator::Invariants invariants;
  std::vector<coordinator::LogDecision> writes;   // not written yet
  std::vector<coordinator::Effect> housekeeping;  // as well
  std::set<simulation::TransactionHandle> open;   // whose clients wait
  // It stands still but for Ticks, so that nothing is due by the number of events alone.
  absl::Duration now;
};

enum class Trigger : uint8_t {
  kAnswer,   // of a message
  kBroken,   // the connection of a call
  kTimeout,  // of a call
  kSubmit,   // of a transaction
  kTick,
  kDurable,      // the first of its writes
  kWriteFailed,  // as well
  kKept,         // its housekeeping is done
};

struct RunStep {
  Id run = 0;  // 0: it ended itself
  Id sends = 0;
  Id deeds = 0;
  bool superseded = false;
  bool voted_on_probe = false;
};

class Runs {
 public:
  Runs(const Setup& setup, Messages* messages, Truths* truths);

  Id FirstLog();
  // A new run begins; *log is the log then.
  RunStep Start(Id* log);
  // `argument`: the message, or the transaction.
  RunStep Step(Id run, Trigger trigger, uint32_t argument);

  const Run& at(Id id) const { return runs_.at(id); }
  const simulation::LogModel& log(Id id) const { return logs_.at(id); }
  const std::vector<Id>& sends(Id id) const { return sends_.at(id); }
  size_t size() const { return runs_.size(); }

  // The log after a write; false: it is of an older run, and refused.
  bool WriteFirst(Id run, Id* log, Id* deeds);
  bool WriteHousekeeping(Id run, Id* log);
  // False: the newest log is taken for an older copy.
  bool MaySupersede(Id run, Id log) const;

  // Transactions by number; those beyond the setup's go to all participants, as probes.
  simulation::TransactionHandle HandleOf(uint32_t transaction) const;
  const simulation::ParticipantList& ParticipantsOf(uint32_t transaction) const;

 private:
  struct Started {
    Id log = 0;
    RunStep step;
  };

  RunStep CarryOut(Run* run, std::vector<coordinator::Effect> effects, Deeds deeds);
  void Send(const Run& run, simulation::Request request, std::vector<Id>* sends);
  std::vector<coordinator::Event> EventsOf(Run* run, Trigger trigger, uint32_t argument,
                                           Deeds* deeds) const;
  Id InternRun(const Run& run);
  Id InternLog(const simulation::LogModel& log);
  Id InternSends(std::vector<Id> sends);

  coordinator::Config config_;
  bool is_broken_;
  simulation::Options log_options_;
  Messages* const messages_;
  Truths* const truths_;
  std::vector<simulation::TransactionHandle> handles_;
  std::vector<simulation::ParticipantList> participants_;
  Interner<Run> runs_;
  Interner<simulation::LogModel> logs_;
  Interner<std::vector<Id>> sends_;
  absl::flat_hash_map<Id, Started> started_;
  absl::flat_hash_map<uint64_t, RunStep> steps_;
  absl::flat_hash_map<uint64_t, Started> written_;
};

}  // namespace lockstep::model

#endif  // LOCKSTEP_TESTS_MODEL_RUNS_H_
