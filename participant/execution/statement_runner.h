// Runs one statement of a client on a connection.
#ifndef LOCKSTEP_PARTICIPANT_EXECUTION_STATEMENT_RUNNER_H_
#define LOCKSTEP_PARTICIPANT_EXECUTION_STATEMENT_RUNNER_H_

#include <cstdint>
#include <string_view>

#include "absl/functional/function_ref.h"
#include "absl/status/status.h"
#include "common/clock.h"
#include "common/sqlite/connection.h"
#include "common/sqlite/statement_cache.h"
#include "common/value.h"
#include "participant/execution/bounded_functions.h"
#include "participant/execution/failure.h"
#include "participant/execution/limits.h"
#include "participant/execution/sandbox.h"
#include "participant/execution/watchdog.h"

namespace lockstep::participant {

// What branches and queries have in common: the sandbox, the cache of prepared statements, binding,
// rows into values, and errors as a caller sees them. Errors do not name operation and statement;
// the caller knows them.
//
// Thread: the connection's.
class StatementRunner {
 public:
  StatementRunner(sqlite::Connection* connection, const Clock* clock, NodeName name,
                  const ExecutionLimits& limits);
  // Takes its hooks off the connection.
  ~StatementRunner();
  StatementRunner(const StatementRunner&) = delete;
  StatementRunner& operator=(const StatementRunner&) = delete;

  // Restricts the connection and sets the hooks. Call it first, once.
  absl::Status Install();

  // Starts the statement's time, and prepares it or finds it prepared. Null tells by *failure why
  // not. What it returns lives until the next call or ForgetStatements.
  sqlite::CachedStatement* Find(std::string_view sql, FailurePtr* failure);
  // Runs it to its end and resets it. Rows go into *result if want_rows; *bytes_left is what they
  // may take and becomes less. On a failure *result is void.
  FailurePtr Run(sqlite::CachedStatement* cached, const Statement& statement, bool want_rows,
                 int64_t* bytes_left, StatementResult* result);
  // Runs a SELECT of Lockstep's own as if a client had sent it, and shows each row to `use`.
  FailurePtr ReadRows(std::string_view sql,
                      absl::FunctionRef<void(const sqlite::Statement& row)> use);
  // After the schema has changed: what is cached would be prepared again, with other columns.
  void ForgetStatements() { cache_.Clear(); }

  // Whether statements have to keep to the limits of texts and values; at first they have to.
  void SetLimited(bool limited);

  Watchdog& watchdog() { return watchdog_; }
  // Says in fields and message where it happened.
  void Locate(Error* error) const;

 private:
  FailurePtr Prepare(std::string_view sql, sqlite::CachedStatement** cached);
  int PrepareWatched(std::string_view sql, sqlite::Statement* statement);
  FailurePtr Bind(sqlite::CachedStatement* cached, const Statement& statement);
  FailurePtr BindNamed(sqlite::CachedStatement* cached, const Statement& statement);
  FailurePtr BindOne(sqlite::CachedStatement* cached, int index, const Value& value);
  FailurePtr StepToEnd(sqlite::Statement* statement, bool want_rows, int64_t* bytes_left,
                       StatementResult* result);
  FailurePtr AddRow(const sqlite::Statement& statement, int64_t* bytes_left,
                    StatementResult* result) const;
  FailurePtr WhyFailed(sqlite::SqliteError error, bool was_prepared) const;

  int64_t max_sql_bytes() const { return limited_ ? limits_.max_sql_bytes : INT64_MAX; }

  sqlite::Connection* const connection_;
  const NodeName name_;
  const ExecutionLimits limits_;
  Sandbox sandbox_;
  Watchdog watchdog_;
  BoundedFunctions functions_;
  sqlite::StatementCache cache_;
  bool limited_ = true;
};

}  // namespace lockstep::participant

#endif  // LOCKSTEP_PARTICIPANT_EXECUTION_STATEMENT_RUNNER_H_
