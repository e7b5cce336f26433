#include "common/sqlite/error.h"

#include <sqlite3.h>

#include <charconv>

#include "absl/strings/cord.h"
#include "absl/strings/str_cat.h"
#include "common/check.h"

namespace lockstep::sqlite {
namespace {

static_assert(kAuth == SQLITE_AUTH && kFull == SQLITE_FULL && kTooBig == SQLITE_TOOBIG);
static_assert(kRowReady == SQLITE_ROW && kDone == SQLITE_DONE && kRange == SQLITE_RANGE);
static_assert(kConstraintCommitHook == SQLITE_CONSTRAINT_COMMITHOOK);
static_assert(kConstraintForeignKey == SQLITE_CONSTRAINT_FOREIGNKEY);
static_assert(kCorruptVirtualTable == SQLITE_CORRUPT_VTAB);
static_assert(kIoErrorNoMemory == SQLITE_IOERR_NOMEM);

// The payload is "<extended code> <message>".
constexpr char kPayloadUrl[] = "lockstep/sqlite";

absl::StatusCode StatusCodeOf(int code) {
  switch (code) {
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
      return absl::StatusCode::kUnavailable;
    case SQLITE_NOMEM:
    case SQLITE_FULL:
    case SQLITE_TOOBIG:
      return absl::StatusCode::kResourceExhausted;
    case SQLITE_INTERRUPT:
      return absl::StatusCode::kCancelled;
    case SQLITE_CONSTRAINT:
    case SQLITE_MISMATCH:
      return absl::StatusCode::kFailedPrecondition;
    case SQLITE_CORRUPT:
    case SQLITE_NOTADB:
    case SQLITE_IOERR:
      return absl::StatusCode::kDataLoss;
    case SQLITE_AUTH:
    case SQLITE_PERM:
    case SQLITE_READONLY:
      return absl::StatusCode::kPermissionDenied;
    case SQLITE_ERROR:
    case SQLITE_RANGE:
      return absl::StatusCode::kInvalidArgument;
    default:
      return absl::StatusCode::kInternal;
  }
}

}  // namespace

bool IsDamage(int extended_code) {
  if (extended_code == kCorruptVirtualTable || extended_code == kIoErrorNoMemory) return false;
  const int code = extended_code & 0xff;
  return code == kIoError || code == kCorrupt || code == kNotADatabase || code == kCannotOpen;
}

SqliteError SqliteError::Of(sqlite3* db) {
  SqliteError error;
  error.extended_code = sqlite3_extended_errcode(db);
  error.code = error.extended_code & 0xff;
  // SQLite has no words of its own for what ChecksumVfs answers.
  error.message = error.extended_code == SQLITE_IOERR_DATA ? "a page is not what was written"
                                                           : sqlite3_errmsg(db);
  // Null if the database could not be opened.
  const char* path = sqlite3_db_filename(db, "main");
  if (IsDamage(error.extended_code) && path != nullptr) {
    absl::StrAppend(&error.message, " in ", path);
  }
  return error;
}

absl::Status SqliteError::ToStatus(const std::string& context) const {
  LOCKSTEP_CHECK(code != kOk, "an error without a code");
  absl::Status status(StatusCodeOf(code), absl::StrCat(context, context.empty() ? "" : ": ",
                                                       "SQLite ", extended_code, ": ", message));
  status.SetPayload(kPayloadUrl, absl::Cord(absl::StrCat(extended_code, " ", message)));
  return status;
}

std::optional<SqliteError> SqliteError::FromStatus(const absl::Status& status) {
  const absl::optional<absl::Cord> payload = status.GetPayload(kPayloadUrl);
  if (!payload.has_value()) return std::nullopt;
  const std::string text(*payload);
  SqliteError error;
  const auto parsed = std::from_chars(text.data(), text.data() + text.size(), error.extended_code);
  LOCKSTEP_CHECK(parsed.ec == std::errc() && *parsed.ptr == ' ', "broken payload");
  error.code = error.extended_code & 0xff;
  error.message = text.substr(static_cast<size_t>(parsed.ptr - text.data()) + 1);
  return error;
}

}  // namespace lockstep::sqlite
