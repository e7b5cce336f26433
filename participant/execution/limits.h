// What the statements of clients may take.
#ifndef LOCKSTEP_PARTICIPANT_EXECUTION_LIMITS_H_
#define LOCKSTEP_PARTICIPANT_EXECUTION_LIMITS_H_

#include <cstdint>
#include <string>

#include "absl/time/time.h"

namespace lockstep::participant {

struct ExecutionLimits {
  int64_t max_sql_bytes = 100'000;
  int64_t max_value_bytes = int64_t{8} << 20;   // of a parameter
  int64_t max_rows = 10'000;                    // of one statement
  int64_t max_result_bytes = int64_t{3} << 20;  // of all rows of a branch or query
  // What a branch may add to the page cache: everything that it changes stays there until COMMIT.
  // Pages that it only reads count as well, up to SQLite's cache_size. Below 4 GiB.
  int64_t max_changed_bytes = int64_t{256} << 20;
  // What one statement may take of memory beside the pages that it changes: sorters, tables that it
  // makes for itself, values under way. All readers and the writer at once stay below the next.
  int64_t max_working_bytes = int64_t{128} << 20;
  // Of all of SQLite in the process: while it has more, statements of clients get none. What is
  // promised needs memory too, and gets it. 0: no limit.
  int64_t sqlite_heap_bytes = int64_t{1} << 30;
  absl::Duration statement_budget = absl::Seconds(5);
  int64_t statement_cache_bytes = int64_t{16} << 20;
};

// Where errors say that they happened.
struct NodeName {
  std::string database;
  std::string node_id;
};

}  // namespace lockstep::participant

#endif  // LOCKSTEP_PARTICIPANT_EXECUTION_LIMITS_H_
