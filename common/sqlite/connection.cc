#include "common/sqlite/connection.h"

#include <sqlite3.h>

#include "absl/strings/str_cat.h"
#include "common/check.h"
#include "common/sqlite/sql_tokenizer.h"

namespace lockstep::sqlite {
namespace {

int OptionOf(Switch which) {
  switch (which) {
    case Switch::kForeignKeys:
      return SQLITE_DBCONFIG_ENABLE_FKEY;
    case Switch::kNoCheckpointOnClose:
      return SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE;
    case Switch::kDefensive:
      return SQLITE_DBCONFIG_DEFENSIVE;
    case Switch::kTrustedSchema:
      return SQLITE_DBCONFIG_TRUSTED_SCHEMA;
    case Switch::kDoubleQuotedStringsInDml:
      return SQLITE_DBCONFIG_DQS_DML;
    case Switch::kDoubleQuotedStringsInDdl:
      return SQLITE_DBCONFIG_DQS_DDL;
    case Switch::kLoadExtension:
      return SQLITE_DBCONFIG_ENABLE_LOAD_EXTENSION;
    case Switch::kFts3Tokenizer:
      return SQLITE_DBCONFIG_ENABLE_FTS3_TOKENIZER;
  }
  LOCKSTEP_CHECK(false, "unknown switch");
  return 0;
}

int OptionOf(Limit which) {
  switch (which) {
    case Limit::kLength:
      return SQLITE_LIMIT_LENGTH;
    case Limit::kSqlLength:
      return SQLITE_LIMIT_SQL_LENGTH;
    case Limit::kColumns:
      return SQLITE_LIMIT_COLUMN;
    case Limit::kExpressionDepth:
      return SQLITE_LIMIT_EXPR_DEPTH;
    case Limit::kCompoundSelect:
      return SQLITE_LIMIT_COMPOUND_SELECT;
    case Limit::kProgramSteps:
      return SQLITE_LIMIT_VDBE_OP;
    case Limit::kFunctionArguments:
      return SQLITE_LIMIT_FUNCTION_ARG;
    case Limit::kAttached:
      return SQLITE_LIMIT_ATTACHED;
    case Limit::kLikePatternLength:
      return SQLITE_LIMIT_LIKE_PATTERN_LENGTH;
    case Limit::kVariableNumber:
      return SQLITE_LIMIT_VARIABLE_NUMBER;
    case Limit::kTriggerDepth:
      return SQLITE_LIMIT_TRIGGER_DEPTH;
    case Limit::kWorkerThreads:
      return SQLITE_LIMIT_WORKER_THREADS;
  }
  LOCKSTEP_CHECK(false, "unknown limit");
  return 0;
}

}  // namespace

absl::StatusOr<std::unique_ptr<Connection>> Connection::Open(const std::string& path,
                                                             const OpenOptions& options) {
  int flags = SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_EXRESCODE;
  if (options.read_only) {
    flags |= SQLITE_OPEN_READONLY;
  } else {
    flags |= SQLITE_OPEN_READWRITE | (options.create ? SQLITE_OPEN_CREATE : 0);
  }
  sqlite3* db = nullptr;
  const int rc = sqlite3_open_v2(path.c_str(), &db, flags,
                                 options.vfs.empty() ? nullptr : options.vfs.c_str());
  // SQLite gives a connection to ask for the error, unless it had no memory for one.
  if (db == nullptr) return absl::ResourceExhaustedError("out of memory opening " + path);
  std::unique_ptr<Connection> connection(new Connection(db));
  if (rc != SQLITE_OK) return SqliteError::Of(db).ToStatus("opening " + path);
  sqlite3_busy_timeout(db, static_cast<int>(absl::ToInt64Milliseconds(options.busy_timeout)));
  return connection;
}

Connection::~Connection() {
  const int rc = sqlite3_close(db_);
  LOCKSTEP_CHECK(rc == SQLITE_OK, "a connection was closed before its statements");
}

absl::Status Connection::ErrorOr(int code, const std::string& context) const {
  if (code == SQLITE_OK) return absl::OkStatus();
  return LastError().ToStatus(context);
}

absl::Status Connection::Exec(const std::string& sql) {
  return ErrorOr(sqlite3_exec(db_, sql.c_str(), nullptr, nullptr, nullptr), sql);
}

int Connection::Prepare(std::string_view sql, Statement* statement) {
  sqlite3_stmt* stmt = nullptr;
  const char* tail = nullptr;
  const int rc = sqlite3_prepare_v3(db_, sql.data(), static_cast<int>(sql.size()),
                                    SQLITE_PREPARE_PERSISTENT, &stmt, &tail);
  if (rc != SQLITE_OK) return rc & 0xff;
  const std::string_view rest = sql.substr(static_cast<size_t>(tail - sql.data()));
  *statement = Statement(stmt, !IsBlankSql(rest));
  return kOk;
}

absl::StatusOr<Statement> Connection::Prepare(std::string_view sql) {
  Statement statement;
  if (Prepare(sql, &statement) != kOk) return LastError().ToStatus(std::string(sql));
  return statement;
}

SqliteError Connection::LastError() const { return SqliteError::Of(db_); }

bool Connection::autocommit() const { return sqlite3_get_autocommit(db_) != 0; }
int64_t Connection::changes() const { return sqlite3_changes64(db_); }
int64_t Connection::total_changes() const { return sqlite3_total_changes64(db_); }
int64_t Connection::last_insert_rowid() const { return sqlite3_last_insert_rowid(db_); }
void Connection::set_last_insert_rowid(int64_t rowid) { sqlite3_set_last_insert_rowid(db_, rowid); }

int64_t Connection::cache_used() const {
  int current = 0;
  int highest = 0;
  sqlite3_db_status(db_, SQLITE_DBSTATUS_CACHE_USED, &current, &highest, 0);
  // An int that wraps from 2 GiB on.
  return static_cast<uint32_t>(current);
}

bool Connection::read_only() const { return sqlite3_db_readonly(db_, "main") == 1; }

bool Connection::has_deferred_foreign_key_violation() const {
  int current = 0;
  int highest = 0;
  sqlite3_db_status(db_, SQLITE_DBSTATUS_DEFERRED_FKS, &current, &highest, 0);
  return current != 0;
}

void Connection::Interrupt() { sqlite3_interrupt(db_); }

absl::Status Connection::Set(Switch which, bool on) {
  int now = 0;
  const int rc = sqlite3_db_config(db_, OptionOf(which), on ? 1 : 0, &now);
  if (rc != SQLITE_OK || now != (on ? 1 : 0)) {
    return absl::InternalError(
        absl::StrCat("SQLite refused switch ", static_cast<int>(which), " with ", rc));
  }
  return absl::OkStatus();
}

void Connection::SetLimit(Limit which, int value) { sqlite3_limit(db_, OptionOf(which), value); }

absl::StatusOr<CheckpointResult> Connection::CheckpointPassive() {
  CheckpointResult result;
  const int rc = sqlite3_wal_checkpoint_v2(db_, "main", SQLITE_CHECKPOINT_PASSIVE,
                                           &result.wal_frames, &result.checkpointed_frames);
  result.busy = (rc & 0xff) == SQLITE_BUSY;
  if (rc != SQLITE_OK && !result.busy) return LastError().ToStatus("checkpoint");
  return result;
}

absl::Status Connection::FileControl(int operation, void* argument) {
  const int rc = sqlite3_file_control(db_, "main", operation, argument);
  if (rc == SQLITE_OK) return absl::OkStatus();
  return absl::InternalError(absl::StrCat("file control ", operation, " failed with ", rc));
}

}  // namespace lockstep::sqlite
