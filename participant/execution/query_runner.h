// Runs single SELECTs on a connection that only reads.
#ifndef LOCKSTEP_PARTICIPANT_EXECUTION_QUERY_RUNNER_H_
#define LOCKSTEP_PARTICIPANT_EXECUTION_QUERY_RUNNER_H_

#include <cstdint>
#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "common/clock.h"
#include "common/error.h"
#include "common/round_id.h"
#include "common/sqlite/connection.h"
#include "common/value.h"
#include "participant/execution/limits.h"
#include "participant/execution/statement_runner.h"

namespace lockstep::participant {

struct QueryAnswer {
  StatementResult result;  // columns and rows
  RoundId round;           // the applied round that the rows show
};

struct TableVersion {
  int64_t table_version = 0;  // MAX(version); 0 when the table is empty or all NULL
  RoundId round;
};

// Each answer shows one instant of the database and says which.
//
// Thread: the reader's; Interrupt of the connection ends a running query with NOT_READY.
class QueryRunner {
 public:
  // Sets up `reader` for good. `applied_round_sql` is a SELECT that gives the applied round as one
  // integer. The arguments must outlive the runner, which must go before the connection does.
  static absl::StatusOr<std::unique_ptr<QueryRunner>> Create(sqlite::Connection* reader,
                                                             const Clock* clock, NodeName name,
                                                             const ExecutionLimits& limits,
                                                             const std::string& applied_round_sql);
  ~QueryRunner();
  QueryRunner(const QueryRunner&) = delete;
  QueryRunner& operator=(const QueryRunner&) = delete;

  // One SELECT, VALUES or EXPLAIN QUERY PLAN; anything else is STATEMENT_NOT_ALLOWED.
  Result<QueryAnswer> Query(const Statement& statement, absl::Duration time_left);

  // `table` is a name, never SQL. TABLE_UNKNOWN, or SQL_INVALID when it has no column "version" or
  // that holds something else than integers.
  Result<TableVersion> GetVersion(const std::string& table, absl::Duration time_left);

 private:
  QueryRunner(sqlite::Connection* reader, const Clock* clock, NodeName name,
              const ExecutionLimits& limits);
  absl::Status SetUp(const std::string& applied_round_sql);
  // Runs `work` between BEGIN and COMMIT; Answer has a member `round`.
  template <typename Answer, typename Work>
  Result<Answer> AtOneInstant(absl::Duration time_left, Work work);
  FailurePtr BeginAt(RoundId* round);
  FailurePtr End();
  FailurePtr RunSelect(const Statement& statement, StatementResult* result);
  FailurePtr ReadVersion(const std::string& table, int64_t* version);
  FailurePtr CheckTableExists(const std::string& table);

  sqlite::Connection* const reader_;
  const Clock* const clock_;
  const int64_t max_result_bytes_;
  StatementRunner runner_;
  sqlite::Statement begin_;
  sqlite::Statement commit_;
  sqlite::Statement applied_round_;
  sqlite::Statement find_table_;
};

}  // namespace lockstep::participant

#endif  // LOCKSTEP_PARTICIPANT_EXECUTION_QUERY_RUNNER_H_
