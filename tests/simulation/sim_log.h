// The decision log in a simulation.
#ifndef LOCKSTEP_TESTS_SIMULATION_SIM_LOG_H_
#define LOCKSTEP_TESTS_SIMULATION_SIM_LOG_H_

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "coordinator/protocol/config.h"
#include "coordinator/protocol/effect.h"
#include "coordinator/start_term.h"
#include "tests/simulation/model.h"
#include "tests/simulation/options.h"

namespace lockstep::simulation {

// A decision, and the tries that it commits (rule R18).
struct DecisionWrite {
  coordinator::LogDecision record;
  std::vector<SimTry> tries;
  absl::Time log_time;  // by LogClock
};

// Chance, when a log is tidied, that the time is recorded.
inline constexpr double kTimeIsRecorded = 0.1;

// What is written together.
struct LogWrite {
  std::vector<DecisionWrite> decisions;
  std::vector<RoundId> forget;
  std::vector<std::pair<ParticipantIndex, RoundId>> durable_rounds;

  bool has_housekeeping() const { return !forget.empty() || !durable_rounds.empty(); }
  bool empty() const { return decisions.empty() && !has_housekeeping(); }
};

// The round that committed a request_id, and as which transaction.
using CommittedTry = std::pair<RoundId, TransactionHandle>;

// Outlives its coordinators, of which the one that started last has it. To another it is as a disk
// that was taken away: what that one writes is refused.
class SimLog {
 public:
  struct Observer {
    // It is durable; once for each.
    std::function<void(const coordinator::LogDecision&)> on_decided;
    std::function<void(const std::string&)> on_violation;
    std::function<coordinator::Now()> now;
  };

  virtual ~SimLog() = default;

  // A coordinator starts. Nothing if it does not get through. Requires !superseded().
  virtual std::optional<coordinator::TermStart> Open() = 0;
  // False: that coordinator's process has to end; whether any of it is there is open (R13).
  virtual bool Write(Term term, const LogWrite& write) = 0;
  // What becomes of old answers, outcomes and files; `now` is by LogClock. False as above.
  virtual bool Tidy(Term term, absl::Time now,
                    std::vector<coordinator::ForgottenAnswers>* forgotten) = 0;
  // The answer is kept for as long as the try asks for. False as above.
  virtual bool FindAnswer(Term term, const coordinator::RequestTry& its,
                          const coordinator::Rounds& rounds,
                          std::optional<CommittedTry>* found) = 0;
  virtual void MarkSuperseded(Term term) = 0;
  // The coordinator's process ends; some of what waited to be written may get there.
  virtual void End(Term term, const LogWrite& waiting) = 0;

  // As a file is copied. The copy goes on alone, but with the same options, chance and observer.
  virtual std::unique_ptr<SimLog> Copy() const = 0;

  virtual bool superseded() const = 0;
  virtual const std::vector<uint64_t>& runs() const = 0;  // by term, from 1
  virtual size_t open_decisions() const = 0;
};

// By options.level; `options` and `random` outlive it.
std::unique_ptr<SimLog> MakeLog(const coordinator::Config& config, const Options* options,
                                Random* random, SimLog::Observer observer);

}  // namespace lockstep::simulation

#endif  // LOCKSTEP_TESTS_SIMULATION_SIM_LOG_H_
