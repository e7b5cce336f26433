// What SQLite said went wrong.
#ifndef LOCKSTEP_COMMON_SQLITE_ERROR_H_
#define LOCKSTEP_COMMON_SQLITE_ERROR_H_

#include <optional>
#include <string>

#include "absl/status/status.h"

struct sqlite3;

namespace lockstep::sqlite {

// SQLite's primary result codes, with its numbers, as far as callers tell them apart.
enum Code : int {
  kOk = 0,
  kError = 1,
  kAbort = 4,
  kBusy = 5,
  kLocked = 6,
  kNoMemory = 7,
  kReadOnly = 8,
  kInterrupt = 9,
  kIoError = 10,
  kCorrupt = 11,
  kFull = 13,
  kCannotOpen = 14,
  kProtocol = 15,
  kSchema = 17,
  kTooBig = 18,
  kConstraint = 19,
  kMismatch = 20,
  kMisuse = 21,
  kAuth = 23,
  kRange = 25,
  kNotADatabase = 26,
  kRowReady = 100,
  kDone = 101,
};

// Extended codes that callers tell apart.
inline constexpr int kConstraintCommitHook = 531;
inline constexpr int kConstraintForeignKey = 787;
inline constexpr int kCorruptVirtualTable = 267;
inline constexpr int kIoErrorNoMemory = 3082;

// Whether an extended code says that a file, or the disk under it, is damaged or in an unknown
// state. Out of space, out of memory, and what a virtual table makes of a client's own data are not
// that.
bool IsDamage(int extended_code);
// What a person has to do then, for the end of a message.
inline constexpr char kKeepACopy[] =
    "; keep a copy of the whole data_dir before anything is started on it again";

// An error of SQLite, by value. `message` is SQLite's own, with the file's path where that is
// damaged, and may be invalid UTF-8, since it quotes names and SQL.
struct SqliteError {
  int code = kOk;           // the primary code
  int extended_code = kOk;  // the primary code in its low byte
  std::string message;

  // The latest error of a connection. Requires that its latest call failed.
  static SqliteError Of(sqlite3* db);

  // Keeps codes and message, so that FromStatus gives them back. Requires code != kOk.
  absl::Status ToStatus(const std::string& context = "") const;

  // Nothing when the status did not come from ToStatus.
  static std::optional<SqliteError> FromStatus(const absl::Status& status);
};

}  // namespace lockstep::sqlite

#endif  // LOCKSTEP_COMMON_SQLITE_ERROR_H_
