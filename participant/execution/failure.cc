#include "participant/execution/failure.h"

#include <string_view>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "common/check.h"
#include "common/utf8.h"

namespace lockstep::participant {
namespace {

Reason ReasonOf(const sqlite::SqliteError& error) {
  // SQLite's own refusal of functions in views and triggers, without a code of its own.
  if (absl::StartsWith(error.message, "unsafe use of")) return Reason::kStatementNotAllowed;
  switch (error.code) {
    case sqlite::kConstraint:
    case sqlite::kMismatch:
      return Reason::kConstraintViolation;
    case sqlite::kTooBig:
    case sqlite::kNoMemory:
      return Reason::kLimitExceeded;
    case sqlite::kFull:
      return Reason::kDiskFull;
    case sqlite::kAuth:
    case sqlite::kReadOnly:
      return Reason::kStatementNotAllowed;
    case sqlite::kInterrupt:
    case sqlite::kBusy:
    case sqlite::kProtocol:  // a reader met one change of the WAL after the other
      return Reason::kNotReady;
    case sqlite::kIoError:  // that of kIoErrorNoMemory: all others are damage
      return Reason::kLimitExceeded;
    default:
      return Reason::kSqlInvalid;
  }
}

std::string AdviceFor(const sqlite::SqliteError& error) {
  switch (error.code) {
    case sqlite::kFull:
      return " (no space is left, or a table has used up its rowids)";
    case sqlite::kNoMemory:
    case sqlite::kIoError:
      return " (the statement needs more memory than sqlite_heap_bytes of the node; make it "
             "smaller)";
    case sqlite::kTooBig:
      return " (make the values or the SQL text smaller)";
    default:
      return "";
  }
}

// Some functions and FTS5 quote what they were given, and that may be a parameter's value.
std::string WithoutValues(const std::string& message) {
  for (const std::string_view opening : {" near ", "no such column: ", "unknown special query",
                                         "rank function: ", "no such function: "}) {
    const size_t found = message.find(opening);
    if (found == std::string::npos) continue;
    return message.substr(0, found + opening.size()) + "(not shown)";
  }
  return message;
}

void AddCodes(const sqlite::SqliteError& error, Error* failure) {
  failure->sqlite_code = error.code;
  failure->sqlite_extended_code = error.extended_code;
}

// SQLite's words for it are those of a damaged file, which this is not.
FailurePtr VirtualTableFailure(const sqlite::SqliteError& error) {
  FailurePtr failure = MakeFailure(
      Reason::kSqlInvalid,
      "the content of a virtual table does not agree with its index, as after a 'delete' of a row "
      "that was not indexed so; the database is not damaged, and the table's command 'rebuild' "
      "makes the index anew");
  AddCodes(error, failure.get());
  return failure;
}

}  // namespace

FailurePtr MakeFailure(Reason reason, const std::string& message) {
  auto failure = std::make_unique<Error>();
  failure->reason = reason;
  failure->message = MakeValidUtf8(message);
  return failure;
}

FailurePtr CheckGuard(const Guard& guard, int64_t rows) {
  if (guard.Allows(rows)) return nullptr;
  const bool has_least = guard.min_rows > 0;
  const bool has_most = guard.max_rows != Guard().max_rows;
  std::string expected = absl::StrCat(guard.min_rows);
  if (guard.min_rows != guard.max_rows) {
    expected = absl::StrCat(has_least ? expected : "", "..");
    if (has_most) absl::StrAppend(&expected, guard.max_rows);
  }
  FailurePtr failure = MakeFailure(
      Reason::kGuardFailed,
      absl::StrCat("the guard wants ", expected, " rows, and the statement had ", rows));
  failure->expected_rows = std::move(expected);
  failure->actual_rows = rows;
  return failure;
}

void StopIfDamaged(const sqlite::SqliteError& error) {
  LOCKSTEP_CHECK(!sqlite::IsDamage(error.extended_code),
                 absl::StrCat("the database is damaged: ", MakeValidUtf8(error.message),
                              " (SQLite ", error.extended_code, ")", sqlite::kKeepACopy));
}

FailurePtr FailureOf(const sqlite::SqliteError& error, Phase phase) {
  StopIfDamaged(error);
  if (error.extended_code == sqlite::kCorruptVirtualTable) return VirtualTableFailure(error);
  const bool may_quote_values = phase == Phase::kStep && ReasonOf(error) == Reason::kSqlInvalid;
  FailurePtr failure = MakeFailure(
      ReasonOf(error), absl::StrCat(may_quote_values ? WithoutValues(error.message) : error.message,
                                    AdviceFor(error)));
  AddCodes(error, failure.get());
  return failure;
}

}  // namespace lockstep::participant
