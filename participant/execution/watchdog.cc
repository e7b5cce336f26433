#include "participant/execution/watchdog.h"

#include <string>

#include "absl/strings/str_cat.h"

namespace lockstep::participant {

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
  memory_at_start_ = sqlite::MemoryUsed();
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

bool Watchdog::WorkingMemoryIsOver() const {
  return sqlite::MemoryUsed() - memory_at_start_ >
         limits_.max_changed_bytes + limits_.max_working_bytes;
}

FailurePtr Watchdog::CheckMemory() {
  if (!watching_ || !MemoryIsOver()) return nullptr;
  reached_ = Reached::kMemory;
  return Verdict();
}

bool Watchdog::OnProgress() {
  if (!watching_) return true;
  const absl::Duration now = clock_->MonotonicNow();
  if (now >= deadline_) {
    reached_ = Reached::kDeadline;
  } else if (now >= statement_deadline_) {
    reached_ = Reached::kStatementBudget;
  } else if (MemoryIsOver()) {
    reached_ = Reached::kMemory;
  } else if (WorkingMemoryIsOver()) {
    reached_ = Reached::kWorkingMemory;
  }
  return reached_ == Reached::kNothing;
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
    case Reached::kMemory:
      return MakeFailure(Reason::kLimitExceeded,
                         absl::StrCat("the changed pages exceed ", limits_.max_changed_bytes,
                                      " bytes, the limit of a transaction (max_changed_bytes of "
                                      "the node); split it"));
    case Reached::kWorkingMemory:
      return MakeFailure(
          Reason::kLimitExceeded,
          absl::StrCat("the statement takes more than ", limits_.max_working_bytes,
                       " bytes of memory to sort, group and join (max_working_bytes of the node); "
                       "let it see fewer rows, or add an index"));
  }
  return nullptr;
}

}  // namespace lockstep::participant
