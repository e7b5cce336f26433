#include "participant/execution/watchdog.h"

#include <string>

#include "absl/strings/str_cat.h"

namespace lockstep::participant {
namespace {

// Bytes, allocated or gone through, after which the clock is looked at: to prepare takes time, and
// asks for nothing else; a call of a function on megabytes is one step.
constexpr int64_t kBytesPerLook = 64 << 10;

FailurePtr MemoryFailure(const char* what, int64_t limit, const char* setting) {
  return MakeFailure(Reason::kLimitExceeded,
                     absl::StrCat("the statement needs more memory than ", what, " ", limit,
                                  " bytes (", setting, " of the node)"));
}

}  // namespace

Watchdog::Watchdog(sqlite::Connection* connection, const Clock* clock,
                   const ExecutionLimits& limits)
    : connection_(connection),
      clock_(clock),
      limits_(limits),
      most_growth_(limits.max_working_bytes +
                   (connection->read_only() ? 0 : limits.max_changed_bytes)) {}

void Watchdog::Watch(absl::Duration now, absl::Duration deadline) {
  watching_ = true;
  first_statement_ = true;
  reached_ = Reached::kNothing;
  deadline_ = deadline;
  statement_deadline_ = now + limits_.statement_budget;
  has_time_ = now < deadline;
  cache_at_start_ = connection_->cache_used();
}

void Watchdog::WatchNothing() {
  watching_ = false;
  reached_ = Reached::kNothing;
}

FailurePtr Watchdog::StartStatement() {
  if (!watching_) return nullptr;
  if (first_statement_) {
    first_statement_ = false;  // its time started with Watch
  } else {
    const absl::Duration now = clock_->MonotonicNow();
    statement_deadline_ = now + limits_.statement_budget;
    has_time_ = now < deadline_;
  }
  if (has_time_) return nullptr;
  reached_ = Reached::kDeadline;
  return Verdict();
}

bool Watchdog::MemoryIsOver() const {
  return connection_->cache_used() - cache_at_start_ > limits_.max_changed_bytes;
}

FailurePtr Watchdog::CheckEnd() {
  if (watching_ && HasTime() && MemoryIsOver()) reached_ = Reached::kChangedBytes;
  return Verdict();
}

bool Watchdog::HasTime() {
  if (!watching_) return true;
  const absl::Duration now = clock_->MonotonicNow();
  if (now >= deadline_) {
    reached_ = Reached::kDeadline;
  } else if (now >= statement_deadline_) {
    reached_ = Reached::kStatementBudget;
  }
  return reached_ == Reached::kNothing;
}

bool Watchdog::OnProgress() { return !in_call_ || CheckEnd() == nullptr; }

bool Watchdog::OnAllocation(const sqlite::Allocation& allocation) {
  if (!watching_) return true;
  if (allocation.stack_bytes > kStackBytes) {
    reached_ = Reached::kStack;
    return false;
  }
  if (allocation.growth > most_growth_) {
    reached_ = Reached::kStatementMemory;
    return false;
  }
  if (limits_.sqlite_heap_bytes != 0 && allocation.process_bytes > limits_.sqlite_heap_bytes) {
    reached_ = Reached::kProcessMemory;
    return false;
  }
  return Spend(allocation.bytes);
}

bool Watchdog::Spend(int64_t bytes) {
  if (!in_call_) return true;
  unlooked_bytes_ += bytes;
  if (unlooked_bytes_ < kBytesPerLook) return true;
  unlooked_bytes_ = 0;
  return HasTime();
}

FailurePtr Watchdog::Verdict() const {
  switch (reached_) {
    case Reached::kNothing:
      return nullptr;
    case Reached::kStatementBudget:
      return MakeFailure(Reason::kStatementTooLongRunning,
                         absl::StrCat("the statement ran longer than ",
                                      absl::FormatDuration(limits_.statement_budget),
                                      ", which is what one may take (statement_budget of the node, "
                                      "and query_budget for a query)"));
    case Reached::kDeadline:
      return MakeFailure(Reason::kTimeout,
                         "the time that was left ended before the last statement");
    case Reached::kStatementMemory:
      return MemoryFailure("one may take,", most_growth_,
                           connection_->read_only() ? "max_working_bytes"
                                                    : "max_working_bytes and max_changed_bytes");
    case Reached::kProcessMemory:
      return MemoryFailure("is left: all statements together may take", limits_.sqlite_heap_bytes,
                           "sqlite_heap_bytes");
    case Reached::kStack:
      return MakeFailure(Reason::kLimitExceeded,
                         "views, triggers, cascades or subqueries are nested too deeply in one "
                         "another; make the chain of them shorter");
    case Reached::kChangedBytes:
      return MakeFailure(Reason::kLimitExceeded,
                         absl::StrCat("the changed pages exceed ", limits_.max_changed_bytes,
                                      " bytes, the limit of a transaction (max_changed_bytes of "
                                      "the node); split it"));
  }
  return nullptr;
}

}  // namespace lockstep::participant
