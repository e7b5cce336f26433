// Ends statements that take too much.
#ifndef LOCKSTEP_PARTICIPANT_EXECUTION_WATCHDOG_H_
#define LOCKSTEP_PARTICIPANT_EXECUTION_WATCHDOG_H_

#include <cstdint>

#include "absl/time/time.h"
#include "common/clock.h"
#include "common/sqlite/allocation.h"
#include "common/sqlite/connection.h"
#include "common/sqlite/hooks.h"
#include "participant/execution/failure.h"
#include "participant/execution/limits.h"

namespace lockstep::participant {

// Watches one connection's statements: the time of each, the time of all of a branch, the page
// cache, and the memory and stack that a statement takes. Asked by SQLite every so many steps of
// its machine and for memory, while a WatchedCall lives: what the connection's owner runs between
// is its own.
//
// Thread: the connection's.
class Watchdog final : public sqlite::ProgressHandler, public sqlite::AllocationHandler {
 public:
  // How often SQLite asks, in steps. Few: each may call a function that works on megabytes.
  static constexpr int kEverySteps = 100;
  // How much of the stack a statement may take where SQLite recurses. What the other limits allow
  // takes about half of it; threads have 8 MiB, and destroying what was built recurses, too.
  static constexpr int64_t kStackBytes = int64_t{1} << 20;

  Watchdog(sqlite::Connection* connection, const Clock* clock, const ExecutionLimits& limits);

  // Starts the time of a branch or query, at `now` of the clock, until `deadline` of the same.
  void Watch(absl::Duration now, absl::Duration deadline);
  void WatchNothing();
  // Starts the time of the next statement. A failure when there is none left.
  FailurePtr StartStatement();
  // After a statement: a failure when it took more than it may, though SQLite did without what it
  // was refused, or did not ask on the way.
  FailurePtr CheckEnd();
  // Why the latest statement was ended; null when it was not.
  FailurePtr Verdict() const;

  bool OnProgress() override;
  bool OnAllocation(const sqlite::Allocation& allocation) override;
  // For work that SQLite does not interrupt: false when the time is over. Looks at the clock after
  // so many bytes.
  bool Spend(int64_t bytes);

 private:
  friend class WatchedCall;
  enum class Reached {
    kNothing,
    kStatementBudget,
    kDeadline,
    kChangedBytes,
    kStatementMemory,
    kProcessMemory,
    kStack
  };

  bool HasTime();
  bool MemoryIsOver() const;

  sqlite::Connection* const connection_;
  const Clock* const clock_;
  const ExecutionLimits limits_;
  const int64_t most_growth_;  // of memory, by one statement

  bool watching_ = false;
  bool in_call_ = false;
  bool first_statement_ = false;
  bool has_time_ = false;
  Reached reached_ = Reached::kNothing;
  absl::Duration deadline_;
  absl::Duration statement_deadline_;
  int64_t cache_at_start_ = 0;
  int64_t unlooked_bytes_ = 0;  // allocated or spent since it looked at the clock
};

// Stands around a call of SQLite that works for a client.
class WatchedCall {
 public:
  explicit WatchedCall(Watchdog* watchdog) : watchdog_(watchdog), scope_(watchdog) {
    watchdog_->in_call_ = true;
  }
  ~WatchedCall() { watchdog_->in_call_ = false; }
  WatchedCall(const WatchedCall&) = delete;
  WatchedCall& operator=(const WatchedCall&) = delete;

 private:
  Watchdog* const watchdog_;
  const sqlite::AllocationScope scope_;
};

}  // namespace lockstep::participant

#endif  // LOCKSTEP_PARTICIPANT_EXECUTION_WATCHDOG_H_
