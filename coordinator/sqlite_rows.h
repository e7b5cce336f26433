// Short forms for the statements of the decision log.
#ifndef LOCKSTEP_COORDINATOR_SQLITE_ROWS_H_
#define LOCKSTEP_COORDINATOR_SQLITE_ROWS_H_

#include <string>
#include <utility>

#include "absl/status/status.h"
#include "common/check.h"
#include "common/round_id.h"
#include "common/sqlite/statement.h"

namespace lockstep::coordinator {

// Binds the values from 1, steps to the end and resets.
template <typename... Values>
absl::Status RunWith(sqlite::Statement& statement, Values&&... values) {
  int index = 0;
  int code = sqlite::kOk;
  ((code =
        code == sqlite::kOk ? statement.Bind(++index, Value(std::forward<Values>(values))) : code),
   ...);
  LOCKSTEP_CHECK(code == sqlite::kOk, "a value of the decision log cannot be bound");
  return statement.Run();
}

// Steps through the rows, calling on_row() for each until that fails.
template <typename OnRow>
absl::Status ForEachRow(sqlite::Statement& statement, OnRow&& on_row) {
  absl::Status status;
  sqlite::StepResult step = sqlite::StepResult::kDone;
  while (status.ok() && (step = statement.Step()) == sqlite::StepResult::kRow) status = on_row();
  if (status.ok() && step == sqlite::StepResult::kFailed) status = statement.error().ToStatus();
  statement.Reset();
  return status;
}

inline std::string Text(const sqlite::Statement& statement, int column) {
  return std::string(statement.ColumnView(column).bytes);
}

inline RoundId Round(const sqlite::Statement& statement, int column) {
  return RoundId::FromValue(statement.ColumnInt(column));
}

}  // namespace lockstep::coordinator

#endif  // LOCKSTEP_COORDINATOR_SQLITE_ROWS_H_
