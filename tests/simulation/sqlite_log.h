// The decision log of a simulation: the real one, with SQLite, on a disk that loses power.
#ifndef LOCKSTEP_TESTS_SIMULATION_SQLITE_LOG_H_
#define LOCKSTEP_TESTS_SIMULATION_SQLITE_LOG_H_

#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "coordinator/sqlite_decision_log.h"
#include "tests/simulation/sim_log.h"
#include "tests/support/sim_disk.h"

namespace lockstep::simulation {

// Faults of the disk strike while a coordinator's process does one thing with it: they are planned
// before, and what the log does after a crash is a ghost's work, which is dropped. Whatever the log
// refuses ends the process (R13), and the next start reads what is really there; a refusal without
// a fault is a violation.
class SqliteLog final : public SimLog {
 public:
  SqliteLog(const coordinator::Config& config, const Options* options, Random* random,
            Observer observer);
  ~SqliteLog() override;

  std::optional<coordinator::TermStart> Open() override;
  bool Write(Term term, const LogWrite& write) override;
  bool Tidy(Term term, absl::Time now,
            std::vector<coordinator::ForgottenAnswers>* forgotten) override;
  bool FindAnswer(Term term, const coordinator::RequestTry& its, const coordinator::Rounds& rounds,
                  std::optional<CommittedTry>* found) override;
  void MarkSuperseded(Term term) override;
  void End(Term term, const LogWrite& waiting) override;
  std::unique_ptr<SimLog> Copy() const override;

  bool superseded() const override { return superseded_; }
  const std::vector<uint64_t>& runs() const override { return runs_; }
  size_t open_decisions() const override { return open_.size(); }

 private:
  struct Told {  // a transaction that is durable
    absl::Time decide_time;
    absl::Time log_time;
    std::vector<std::string> databases;
  };

  absl::Status OpenLog();
  void PlanFaults();
  // Runs what the process does, with faults. False: the process has ended.
  template <typename Act>
  bool Live(Act act);
  // The process is gone, and what is on the disk is what a kill or a power loss leaves.
  void EndProcess();
  absl::StatusOr<coordinator::TermStart> StartTerm();
  // What a start has found is compared with what is known, and tells how unknown writes ended.
  void TakeStock(const coordinator::TermStart& start);
  void Remember(const coordinator::Decision& decision);
  absl::Status WriteBatch(const coordinator::LogBatch& batch);
  absl::Status CheckAnOutcome();

  std::vector<coordinator::DatabaseIndex> DatabasesOf(TransactionHandle transaction) const;
  coordinator::Decision DecisionOf(const DecisionWrite& write) const;
  coordinator::LogBatch BatchOf(const LogWrite& write) const;
  std::string AnswerOf(TransactionHandle transaction) const;

  const Options* const options_;
  Random* const random_;
  const Observer observer_;
  std::vector<coordinator::Member> members_;
  std::vector<std::string> databases_;
  SimDisk disk_;
  std::unique_ptr<coordinator::SqliteDecisionLog> log_;  // null: no process has it
  Term owner_ = 0;                                       // while log_ is open
  std::vector<uint64_t> runs_;
  bool superseded_ = false;
  bool may_be_superseded_ = false;  // it was to be marked, and the process ended
  bool crash_is_planned_ = false;
  std::vector<DecisionWrite> unknown_;  // written together, and nobody was told how it ended
  std::set<RoundId> open_;
  std::map<coordinator::TransactionId, Told> told_;
  absl::Time kept_since_ = absl::InfinitePast();  // older outcomes may be gone
};

}  // namespace lockstep::simulation

#endif  // LOCKSTEP_TESTS_SIMULATION_SQLITE_LOG_H_
