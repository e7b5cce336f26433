// Ends statements that take too much.
#ifndef LOCKSTEP_PARTICIPANT_EXECUTION_WATCHDOG_H_
#define LOCKSTEP_PARTICIPANT_EXECUTION_WATCHDOG_H_

#include <cstdint>

#include "absl/time/time.h"
#include "common/clock.h"
#include "common/sqlite/connection.h"
#include "common/sqlite/hooks.h"
#include "participant/execution/failure.h"
#include "participant/execution/limits.h"

namespace lockstep::participant {

// Watches one connection's statements: the time of each, the time of all of a branch, the page
// cache, and the memory beside it. Asked by SQLite every few thousand steps of its machine.
//
// Thread: the connection's.
class Watchdog final : public sqlite::ProgressHandler {
 public:
  // How often SQLite asks, in steps: some tens of microseconds.
  static constexpr int kEverySteps = 4096;

  Watchdog(sqlite::Connection* connection, const Clock* clock, const ExecutionLimits& limits)
      : connection_(connection), clock_(clock), limits_(limits) {}

  // Starts the time of a branch or query, at `now` of the clock, until `deadline` of the same.
  void Watch(absl::Duration now, absl::Duration deadline);
  void WatchNothing();
  // Starts the time of the next statement. A failure when there is none left.
  FailurePtr StartStatement();
  // After a statement: a failure when the cache has grown too large without being asked.
  FailurePtr CheckMemory();
  // Why the latest statement was ended; null when it was not.
  FailurePtr Verdict() const;

  bool OnProgress() override;

 private:
  enum class Reached { kNothing, kStatementBudget, kDeadline, kMemory, kWorkingMemory };

  bool MemoryIsOver() const;
  bool WorkingMemoryIsOver() const;

  sqlite::Connection* const connection_;
  const Clock* const clock_;
  const ExecutionLimits limits_;

  bool watching_ = false;
  bool first_statement_ = false;
  bool has_time_ = false;
  Reached reached_ = Reached::kNothing;
  absl::Duration deadline_;
  absl::Duration statement_deadline_;
  int64_t cache_at_start_ = 0;
  int64_t memory_at_start_ = 0;  // of the statement
};

}  // namespace lockstep::participant

#endif  // LOCKSTEP_PARTICIPANT_EXECUTION_WATCHDOG_H_
