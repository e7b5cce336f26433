// A prepared statement.
#ifndef LOCKSTEP_COMMON_SQLITE_STATEMENT_H_
#define LOCKSTEP_COMMON_SQLITE_STATEMENT_H_

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>

#include "absl/status/status.h"
#include "common/sqlite/error.h"
#include "common/sqlite/value_view.h"
#include "common/value.h"

struct sqlite3_stmt;

namespace lockstep::sqlite {

enum class StepResult { kRow, kDone, kFailed };

// One prepared SQL statement; finalized by the destructor, which must run before the connection's.
// Made by Connection::Prepare.
//
// Thread: that of the connection it came from, no other.
//
//   statement.Bind(1, Value(int64_t{7}));
//   while (statement.Step() == StepResult::kRow) Use(statement.Column(0));
//   statement.Reset();
class Statement {
 public:
  Statement() = default;
  Statement(sqlite3_stmt* owned, bool has_second_statement)
      : stmt_(owned), has_second_statement_(has_second_statement) {}
  ~Statement();
  Statement(Statement&& other) noexcept
      : stmt_(std::exchange(other.stmt_, nullptr)),
        has_second_statement_(other.has_second_statement_) {}
  Statement& operator=(Statement&& other) noexcept;

  // Whether the SQL was blank or a comment: nothing else may be called then.
  bool empty() const { return stmt_ == nullptr; }
  // Whether something else than blanks, comments and semicolons follows in the SQL text.
  bool has_second_statement() const { return has_second_statement_; }
  bool readonly() const;    // as SQLite says it; true for BEGIN and COMMIT, too
  bool is_explain() const;  // EXPLAIN or EXPLAIN QUERY PLAN
  int64_t memory_used() const;

  // Parameters count from 1. The name has its prefix character; empty for ? and unused numbers.
  int parameter_count() const;
  std::string_view parameter_name(int index) const;

  // Return a Code. Require that the statement was reset. Bind copies; BindStatic does not: the
  // value must stay as it is until it is bound anew, cleared, or the statement finalized. NaN would
  // be stored as NULL: refuse it before.
  int Bind(int index, const Value& value);
  int BindStatic(int index, const Value& value);
  void ClearBindings();

  // Runs up to the next row. kFailed: error() tells why.
  StepResult Step();
  // Requires that the latest call failed.
  SqliteError error() const;
  // Makes it ready to be bound and stepped again; the error of the last Step is not reported twice.
  void Reset();
  // Steps to the end, past any rows, and resets.
  absl::Status Run();

  int column_count() const;
  std::string_view column_name(int column) const;
  // Empty for an expression.
  std::string_view column_declared_type(int column) const;
  // Columns count from 0. Require that the latest Step gave kRow. The view lives until the next
  // call of Step, Reset or Column* for the same column.
  int64_t ColumnInt(int column) const;
  ValueView ColumnView(int column) const;
  Value Column(int column) const;

  sqlite3_stmt* handle() const { return stmt_; }

 private:
  int BindBytes(int index, std::string_view bytes, bool text, bool copy);
  int BindValue(int index, const Value& value, bool copy);

  sqlite3_stmt* stmt_ = nullptr;
  bool has_second_statement_ = false;
};

}  // namespace lockstep::sqlite

#endif  // LOCKSTEP_COMMON_SQLITE_STATEMENT_H_
