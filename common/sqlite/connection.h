// A connection to one SQLite file.
#ifndef LOCKSTEP_COMMON_SQLITE_CONNECTION_H_
#define LOCKSTEP_COMMON_SQLITE_CONNECTION_H_

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "common/sqlite/error.h"
#include "common/sqlite/functions.h"
#include "common/sqlite/hooks.h"
#include "common/sqlite/statement.h"

struct sqlite3;

namespace lockstep::sqlite {

struct OpenOptions {
  std::string vfs;  // empty: SQLite's default
  bool read_only = false;
  bool create = true;  // only without read_only
  absl::Duration busy_timeout = absl::ZeroDuration();
};

// Switches of one connection.
enum class Switch {
  kForeignKeys,
  kNoCheckpointOnClose,
  kDefensive,
  kTrustedSchema,
  kDoubleQuotedStringsInDml,
  kDoubleQuotedStringsInDdl,
  kLoadExtension,
  kFts3Tokenizer,
};

enum class Limit {
  kLength,
  kSqlLength,
  kColumns,
  kExpressionDepth,
  kCompoundSelect,
  kProgramSteps,
  kFunctionArguments,
  kAttached,
  kLikePatternLength,
  kVariableNumber,
  kTriggerDepth,
  kWorkerThreads,
};

// Pages of the WAL, as SQLite counts them.
struct CheckpointResult {
  bool busy = false;  // readers kept it from copying all
  int wal_frames = 0;
  int checkpointed_frames = 0;
};

// Thread: one thread at a time uses a connection and everything made from it (SQLite's own mutex is
// off); only Interrupt may be called from others, and not after the destructor has begun.
//
// Every statement made from it must be gone before it is destroyed.
class Connection {
 public:
  static absl::StatusOr<std::unique_ptr<Connection>> Open(const std::string& path,
                                                          const OpenOptions& options);
  ~Connection();
  Connection(const Connection&) = delete;
  Connection& operator=(const Connection&) = delete;

  // Runs all statements of `sql` and drops their rows. Stops at the first that fails.
  absl::Status Exec(const std::string& sql);
  // Prepares the first statement of `sql`, to be kept for long. `sql` has no NUL.
  absl::StatusOr<Statement> Prepare(std::string_view sql);
  // The same without a status, for the caller that looks at the codes: kOk, or LastError() tells.
  int Prepare(std::string_view sql, Statement* statement);
  // Requires that the latest call failed.
  SqliteError LastError() const;

  // Whether no transaction is open. After BEGIN it turns true again when SQLite gave the
  // transaction up on its own.
  bool autocommit() const;
  int64_t changes() const;
  int64_t total_changes() const;
  int64_t last_insert_rowid() const;
  void set_last_insert_rowid(int64_t rowid);
  // Bytes of the page cache, with everything changed and not yet written; modulo 4 GiB.
  int64_t cache_used() const;
  bool read_only() const;
  // Whether a COMMIT would fail for a deferred foreign key.
  bool has_deferred_foreign_key_violation() const;

  // Ends running statements with kInterrupt. Any thread. A writing one takes its transaction along.
  void Interrupt();

  absl::Status Set(Switch which, bool on);
  void SetLimit(Limit which, int value);

  // Each replaces the one before; nullptr unsets. Setting an authorizer makes all statements be
  // prepared again.
  void SetCommitHook(CommitHook* hook);
  void SetProgressHandler(ProgressHandler* handler, int every_steps);
  void SetAuthorizer(Authorizer* authorizer);
  void SetRowChangeHook(RowChangeHook* hook);

  // Adds a function to SQL, or replaces one. It must outlive the connection, or be removed before.
  // A built-in one that was replaced does not come back.
  absl::Status DefineFunction(const std::string& name, int arguments, ScalarFunction* function);
  void RemoveFunction(const std::string& name, int arguments);

  // Moves what it can from the WAL to the database without waiting for anybody.
  absl::StatusOr<CheckpointResult> CheckpointPassive();
  absl::Status FileControl(int operation, void* argument);

  // For the code of this folder and its tests.
  sqlite3* handle() const { return db_; }

 private:
  explicit Connection(sqlite3* owned) : db_(owned) {}
  absl::Status ErrorOr(int code, const std::string& context) const;

  sqlite3* const db_;
};

}  // namespace lockstep::sqlite

#endif  // LOCKSTEP_COMMON_SQLITE_CONNECTION_H_
