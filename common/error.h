// Errors that a caller of the API gets: the C++ form of lockstep.v1.ErrorReason and its metadata.
//
// Three kinds of error are never mixed: a bug is a LOCKSTEP_CHECK and ends the process; an
// operation that can fail inside returns absl::Status; what a caller is to see is an Error.
#ifndef LOCKSTEP_COMMON_ERROR_H_
#define LOCKSTEP_COMMON_ERROR_H_

#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <variant>

#include "absl/time/time.h"
#include "common/check.h"

namespace lockstep {

// In the order, and with the numbers, of lockstep.v1.ErrorReason.
enum class Reason {
  kRequestInvalid = 1,
  kSqlInvalid = 2,
  kDatabaseUnknown = 3,
  kTableUnknown = 4,
  kStatementNotAllowed = 5,
  kConstraintViolation = 6,
  kGuardFailed = 7,
  kRequestIdReused = 8,
  kAttemptOutdated = 9,
  kNodeIsReplicated = 10,
  kNotReady = 11,
  kRequestExpired = 12,
  kResultNotText = 13,
  kReplicasDisagree = 14,
  kTimeout = 15,
  kStatementTooLongRunning = 16,
  kParticipantUnavailable = 17,
  kQueueFull = 18,
  kLimitExceeded = 19,
  kDiskFull = 20,
  kOutcomeUnknown = 21,
  kTermOutdated = 22,
  kRoundUnknown = 23,
  kShuttingDown = 24,
  kInvariantBroken = 25,
  kTransactionUnknown = 26,
};

// What became of the transaction that failed.
enum class FailureOutcome { kAborted, kUnknown, kNotStarted };

// One sentence for a person (what happened, where, what to do) and the same for programs. Never
// carries the value of a parameter.
struct Error {
  Reason reason = Reason::kInvariantBroken;
  std::string message;
  std::optional<FailureOutcome> outcome;
  std::string transaction_id;
  std::string database;
  std::string node_id;
  std::optional<int> operation;
  std::optional<int> statement;
  std::optional<int> sqlite_code;
  std::optional<int> sqlite_extended_code;
  // What a guard wanted, as "3", "1..", "..3" or "1..3", and what it found (kGuardFailed).
  std::string expected_rows;
  std::optional<int64_t> actual_rows;
  // The path of the wrong field of the request (kRequestInvalid).
  std::string field;
  // When the same call is worth a retry; unset: as always with this reason (rpc/error_details.cc).
  std::optional<absl::Duration> retry_delay;
};

// A T, or the Error that the caller is to see instead of it.
template <typename T>
class [[nodiscard]] Result {
 public:
  Result(T value) : state_(std::move(value)) {}      // NOLINT: as absl::StatusOr
  Result(Error error) : state_(std::move(error)) {}  // NOLINT: as absl::StatusOr

  bool ok() const { return std::holds_alternative<T>(state_); }

  // Require ok().
  T& value() & {
    LOCKSTEP_CHECK(ok(), "Result without a value");
    return std::get<T>(state_);
  }
  const T& value() const& {
    LOCKSTEP_CHECK(ok(), "Result without a value");
    return std::get<T>(state_);
  }
  T&& value() && {
    LOCKSTEP_CHECK(ok(), "Result without a value");
    return std::get<T>(std::move(state_));
  }
  T& operator*() & { return value(); }
  T* operator->() { return &value(); }

  // Require !ok().
  const Error& error() const& {
    LOCKSTEP_CHECK(!ok(), "Result without an error");
    return std::get<Error>(state_);
  }
  Error&& error() && {
    LOCKSTEP_CHECK(!ok(), "Result without an error");
    return std::get<Error>(std::move(state_));
  }

 private:
  std::variant<T, Error> state_;
};

}  // namespace lockstep

#endif  // LOCKSTEP_COMMON_ERROR_H_
