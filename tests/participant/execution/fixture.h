// A writer's connection with a BranchExecutor, and rounds run on it by hand.
#ifndef LOCKSTEP_TESTS_PARTICIPANT_EXECUTION_FIXTURE_H_
#define LOCKSTEP_TESTS_PARTICIPANT_EXECUTION_FIXTURE_H_

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "common/branch.h"
#include "common/sqlite/connection.h"
#include "common/sqlite/frozen_clock.h"
#include "participant/execution/branch_executor.h"
#include "tests/support/manual_clock.h"

namespace lockstep::participant {

// Moves on by a step at each look.
class RunningClock final : public Clock {
 public:
  explicit RunningClock(absl::Duration step) : step_(step) {}
  absl::Time WallNow() const override { return absl::UnixEpoch() + MonotonicNow(); }
  absl::Duration MonotonicNow() const override {
    now_ += step_;
    return now_;
  }

 private:
  const absl::Duration step_;
  mutable absl::Duration now_ = absl::Hours(1);
};

// A database in memory, unless a path says where. The frozen clock is only remembered: SQL sees it
// through the VFS, which is tested with the VFS.
class TestDatabase {
 public:
  explicit TestDatabase(const ExecutionLimits& limits = {},
                        std::unique_ptr<Clock> clock = std::make_unique<ManualClock>(),
                        const std::string& path = ":memory:")
      : clock_(std::move(clock)) {
    writer_ = sqlite::Connection::Open(path, {}).value();
    Exec("PRAGMA temp_store = MEMORY");
    Exec("CREATE TABLE IF NOT EXISTS lockstep_state(id INTEGER PRIMARY KEY, round INTEGER)");
    executor_ =
        BranchExecutor::Create(writer_.get(), &sql_clock_, clock_.get(), {"bank", "bank-1"}, limits)
            .value();
  }

  void Exec(const std::string& sql) {
    const absl::Status status = writer_->Exec(sql);
    ASSERT_TRUE(status.ok()) << status;
  }

  void Begin() { Exec("BEGIN IMMEDIATE"); }
  void Commit() { Exec("COMMIT"); }
  void Rollback() { Exec("ROLLBACK"); }

  static Branch BranchOf(std::vector<Statement> statements) {
    Branch branch;
    branch.transaction_id = "1-1";
    branch.clock = absl::FromUnixSeconds(1'700'000'000);
    branch.seed = 42;
    branch.want_rows = true;
    branch.operations.push_back({0, std::move(statements)});
    return branch;
  }
  static Branch BranchOf(const std::string& sql) {
    return BranchOf(std::vector<Statement>{{sql, {}, {}}});
  }

  // Inside an open transaction.
  ExecutedBranch Execute(const Branch& branch, ExecutionMode mode = ExecutionMode::kFirst) {
    return executor_->Execute(branch, mode);
  }
  ExecutedBranch Execute(const std::string& sql) { return Execute(BranchOf(sql)); }

  // A transaction of its own, which stays if the vote is YES.
  ExecutedBranch Run(const Branch& branch) {
    Begin();
    ExecutedBranch executed = Execute(branch);
    if (!writer_->autocommit()) {
      executed.vote.kind == VoteKind::kYes ? Commit() : Rollback();
    }
    return executed;
  }
  ExecutedBranch Run(const std::string& sql) { return Run(BranchOf(sql)); }
  ExecutedBranch RunBound(const std::string& sql, std::vector<Value> params) {
    return Run(BranchOf(std::vector<Statement>{{sql, std::move(params), {}}}));
  }

  // One value, read as its owner.
  Value Read(const std::string& sql) {
    sqlite::Statement statement = writer_->Prepare(sql).value();
    EXPECT_EQ(statement.Step(), sqlite::StepResult::kRow);
    return statement.Column(0);
  }

  sqlite::Connection& writer() { return *writer_; }
  sqlite::FrozenClock& sql_clock() { return sql_clock_; }
  BranchExecutor& executor() { return *executor_; }

 private:
  std::unique_ptr<sqlite::Connection> writer_;
  sqlite::FrozenClock sql_clock_;
  const std::unique_ptr<Clock> clock_;
  std::unique_ptr<BranchExecutor> executor_;
};

inline std::string Explain(const ExecutedBranch& executed) {
  return executed.vote.error.has_value() ? executed.vote.error->message : "YES";
}

inline void ExpectYes(const ExecutedBranch& executed) {
  EXPECT_EQ(executed.vote.kind, VoteKind::kYes) << Explain(executed);
  EXPECT_FALSE(executed.transaction_lost);
}

inline void ExpectNo(const ExecutedBranch& executed, Reason reason) {
  EXPECT_EQ(executed.vote.kind, VoteKind::kNo);
  if (!executed.vote.error.has_value()) return;
  EXPECT_EQ(executed.vote.error->reason, reason) << Explain(executed);
}

#define EXPECT_YES(executed)    \
  do {                          \
    SCOPED_TRACE("EXPECT_YES"); \
    ExpectYes(executed);        \
  } while (false)
#define EXPECT_NO(executed, reason) \
  do {                              \
    SCOPED_TRACE("EXPECT_NO");      \
    ExpectNo(executed, reason);     \
  } while (false)

}  // namespace lockstep::participant

#endif  // LOCKSTEP_TESTS_PARTICIPANT_EXECUTION_FIXTURE_H_
