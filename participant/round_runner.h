// Runs the branches of one round on the writer's connection.
#ifndef LOCKSTEP_PARTICIPANT_ROUND_RUNNER_H_
#define LOCKSTEP_PARTICIPANT_ROUND_RUNNER_H_

#include <cstddef>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/time/time.h"
#include "common/branch.h"
#include "participant/engine_options.h"
#include "participant/execution/branch_executor.h"
#include "participant/round_body.h"
#include "participant/storage/prepare_store.h"

namespace lockstep::participant {

// Votes on the branches of a round, in order, inside one SQLite transaction.
// Thread: the actor's.
class RoundRunner {
 public:
  RoundRunner(PrepareStore* store, BranchExecutor* executor, const RoundLimits& limits,
              const NodeIdentity& name)
      : store_(*store), executor_(*executor), limits_(limits), name_(name) {}

  // Votes on every branch, and puts the votes into `body`. The branches' time counts from
  // `arrived`, an instant of the monotonic clock. Afterwards a transaction is open, with the
  // changes of the YES branches and nothing else, exactly when one of the votes is YES. An error:
  // the round could not begin, and no transaction is open.
  absl::Status Run(const std::vector<Branch>& branches, absl::Duration arrived, RoundBody* body,
                   std::vector<BranchVote>* votes);

  // Runs the branches of a redo block in order (rule R7), in a transaction that is open when it
  // returns OK. Resource limits of the machine are an error, after which none is open; a branch
  // that votes or changes anything else than before ends the process.
  absl::Status RunAgain(const std::vector<RecordedBranch>& branches);

 private:
  void RunBranch(size_t index);
  bool Restore(size_t until);
  void DeferFrom(size_t index);
  bool RoundIsFull();
  Error TooLarge(const Branch& branch) const;

  PrepareStore& store_;
  BranchExecutor& executor_;
  const RoundLimits& limits_;
  const NodeIdentity& name_;

  // Of the round that runs.
  const std::vector<Branch>* branches_ = nullptr;
  absl::Duration arrived_;
  const RoundBody* body_ = nullptr;
  std::vector<BranchVote>* votes_ = nullptr;
  bool stopped_ = false;  // the rest is deferred
  int lost_transactions_ = 0;
  size_t answer_bytes_ = 0;
};

}  // namespace lockstep::participant

#endif  // LOCKSTEP_PARTICIPANT_ROUND_RUNNER_H_
