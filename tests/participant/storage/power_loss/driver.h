// Runs a participant's storage under an oracle coordinator, crashes it, and checks what comes back.
#ifndef LOCKSTEP_TESTS_PARTICIPANT_STORAGE_POWER_LOSS_DRIVER_H_
#define LOCKSTEP_TESTS_PARTICIPANT_STORAGE_POWER_LOSS_DRIVER_H_

#include <cstdint>
#include <memory>
#include <optional>
#include <random>
#include <string>
#include <vector>

#include "participant/storage/prepare_store.h"
#include "tests/participant/storage/power_loss/counts.h"
#include "tests/participant/storage/power_loss/model.h"
#include "tests/participant/storage/power_loss/oracle.h"
#include "tests/support/sim_disk.h"

namespace lockstep::participant {

struct DriverOptions {
  uint64_t seed = 1;
  int page_size = 1024;
  int sector_size = 512;
  StoreFaults store_faults;
  OracleFaults oracle_faults;
};

// One database from its set-up on, through many crashes. One thread.
class Driver {
 public:
  explicit Driver(const DriverOptions& options);
  ~Driver();

  // Until `images` were recovered and checked, or the first violation.
  void Run(int64_t images);
  // Empty for none.
  const std::string& violation() const { return violation_; }
  const Counts& counts() const { return counts_; }

 private:
  // Each does one thing that a coordinator, a client or a reader would. They leave early when the
  // disk has crashed: the answer is lost.
  void SetUp();
  void RunRound();
  void RunLocal();
  void RollBackUnseenRound();
  void RestartCoordinator();
  void PinReader();
  void ReleaseReader();
  void CloseReaders();
  void Checkpoint();
  void RepeatOldPrepare();

  bool RunBranch(const TestBranch& branch, Model* model);
  bool PrepareRound(RoundId round, const std::vector<TestBranch>& branches);
  Decision RandomDecision(const std::vector<TestBranch>& branches);
  void DeliverCommit(RoundId round);
  void DeliverRollback(RoundId round);
  void DeliverCut(RoundId round, const Decision& decision);
  void FinishRedo();

  // A crash, a start, and the questions that follow; again if that is cut off.
  void Recover();
  bool Start();
  void ResolveHeldRounds();
  void DeliverKeptDecisions();
  void CheckEverything();
  void CheckState();

  bool Alive() const { return violation_.empty() && !disk_.crashed(); }
  bool Chance(int percent) { return static_cast<int>(random_() % 100) < percent; }
  void PlanCrash(int64_t operations);
  void MaybeCrashNow(int percent);
  // True, and a violation, if `status` is an error.
  bool Failed(const absl::Status& status, const std::string& what);
  void Violate(const std::string& what);
  // The participant's reply arrives.
  void Replied();

  const DriverOptions options_;
  std::mt19937_64 random_;
  SimDisk disk_;
  Oracle oracle_;
  Counts counts_;
  std::string violation_;
  std::unique_ptr<PrepareStore> store_;
  std::unique_ptr<sqlite::Connection> reader_;  // of CheckState; made when needed
  std::unique_ptr<sqlite::Connection> pinned_reader_;
  Model pinned_model_;
  // A local transaction whose answer was lost: what the database may hold instead.
  std::optional<Model> model_with_local_;
};

}  // namespace lockstep::participant

#endif  // LOCKSTEP_TESTS_PARTICIPANT_STORAGE_POWER_LOSS_DRIVER_H_
