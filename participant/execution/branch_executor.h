// Runs branches on the connection that writes.
#ifndef LOCKSTEP_PARTICIPANT_EXECUTION_BRANCH_EXECUTOR_H_
#define LOCKSTEP_PARTICIPANT_EXECUTION_BRANCH_EXECUTOR_H_

#include <cstdint>
#include <memory>
#include <optional>
#include <string_view>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "common/branch.h"
#include "common/clock.h"
#include "common/sqlite/connection.h"
#include "common/sqlite/frozen_clock.h"
#include "participant/execution/change_digest.h"
#include "participant/execution/deterministic_functions.h"
#include "participant/execution/limits.h"
#include "participant/execution/statement_runner.h"

namespace lockstep::participant {

// What became of one branch.
struct ExecutedBranch {
  BranchVote vote;  // kYes or kNo
  // The branch destroyed the transaction that it ran in, and with it the branches before it: roll
  // back what may be left, begin again and re-execute those. The vote is kNo.
  bool transaction_lost = false;
};

enum class ExecutionMode {
  kFirst,
  // Of a branch that voted YES before: no budget, no deadline, no limit on memory. The caller
  // compares the digest; same statements, clock, seed and committed state give the same one.
  kAgain,
};

// Runs one branch at a time and votes on it. A YES is a promise that
// COMMIT finds nothing to object to; a NO leaves nothing behind.
//
// Every branch sees its own clock, random sequence, changes(), total_changes() and
// last_insert_rowid(), whatever ran before it (rule R23). What could harm others is
// refused with STATEMENT_NOT_ALLOWED; what gets through and destroys the transaction is reported.
//
// Thread: the writer's. Statements of its owner on the same connection are not restricted.
//
//   store->Begin();
//   ExecutedBranch executed = executor->Execute(branch, ExecutionMode::kFirst);
class BranchExecutor {
 public:
  // Sets up `writer` for good: switches, limits, authorizer, progress handler, row hook and the
  // functions. Requires that the file has a table of Lockstep's own (name with its prefix). All
  // arguments must outlive the executor, and the executor must go before the connection does.
  static absl::StatusOr<std::unique_ptr<BranchExecutor>> Create(sqlite::Connection* writer,
                                                                sqlite::FrozenClock* sql_clock,
                                                                const Clock* clock, NodeName name,
                                                                const ExecutionLimits& limits);
  ~BranchExecutor();
  BranchExecutor(const BranchExecutor&) = delete;
  BranchExecutor& operator=(const BranchExecutor&) = delete;

  // Requires an open write transaction, and nothing else running on the connection. The branch's
  // time counts from `arrived`, an instant of the monotonic clock; unset: from now.
  ExecutedBranch Execute(const Branch& branch, ExecutionMode mode,
                         std::optional<absl::Duration> arrived = std::nullopt);

 private:
  BranchExecutor(sqlite::Connection* writer, sqlite::FrozenClock* sql_clock, const Clock* clock,
                 NodeName name, const ExecutionLimits& limits);
  absl::Status SetUp();
  absl::Status PrepareReset();
  absl::Status LookAtSchema();

  void Start(const Branch& branch, ExecutionMode mode, absl::Duration now, absl::Duration deadline);
  FailurePtr RunInSavepoint(const Branch& branch, ExecutionMode mode, BranchVote* vote);
  FailurePtr RunOperations(const Branch& branch, bool want_rows, BranchVote* vote);
  FailurePtr RunStatement(const Statement& statement, bool want_rows, StatementResult* result);
  FailurePtr CheckAfterStatement();
  FailurePtr NoteSchemaChange(std::string_view sql);
  FailurePtr MakePromise();
  FailurePtr AddSchemaToDigest();
  bool RollBack();
  void TellFailure(const Branch& branch, Error& failure, BranchVote* vote) const;

  sqlite::Connection* const writer_;
  sqlite::FrozenClock* const sql_clock_;
  const Clock* const clock_;
  const int64_t max_result_bytes_;

  StatementRunner runner_;
  ChangeDigest digest_;
  DeterministicFunctions functions_;
  sqlite::Statement savepoint_;
  sqlite::Statement release_;
  sqlite::Statement roll_back_;
  sqlite::Statement flush_savepoint_;
  sqlite::Statement flush_release_;
  sqlite::Statement reset_changes_;
  sqlite::Statement look_at_schema_;
  sqlite::Statement read_schema_;

  // Of the schema.
  bool has_virtual_tables_ = false;
  bool schema_uses_changes_ = false;
  // Of the branch that runs.
  int64_t result_bytes_left_ = 0;
  bool schema_changed_ = false;
};

}  // namespace lockstep::participant

#endif  // LOCKSTEP_PARTICIPANT_EXECUTION_BRANCH_EXECUTOR_H_
