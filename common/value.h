// The values, statements and results that both services work with inside; the proto messages of
// the same names are their form on the wire.
#ifndef LOCKSTEP_COMMON_VALUE_H_
#define LOCKSTEP_COMMON_VALUE_H_

#include <cstdint>
#include <limits>
#include <optional>
#include <string>
#include <utility>
#include <variant>
#include <vector>

namespace lockstep {

// Bytes that are not text.
struct Blob {
  std::string bytes;
  friend bool operator==(const Blob&, const Blob&) = default;
};

// One SQLite value; monostate is NULL, std::string is TEXT in UTF-8.
using Value = std::variant<std::monostate, int64_t, double, std::string, Blob>;

// How many rows a statement has to return, if it is one that returns rows, or else to affect.
struct Guard {
  int64_t min_rows = 0;
  int64_t max_rows = std::numeric_limits<int64_t>::max();

  bool Allows(int64_t rows) const { return rows >= min_rows && rows <= max_rows; }
  friend bool operator==(const Guard&, const Guard&) = default;
};

// One SQL statement with its parameters, positional or named, never both. Names come without their
// prefix character.
struct Statement {
  std::string sql;
  std::vector<Value> params;
  std::vector<std::pair<std::string, Value>> named_params;
  std::optional<Guard> guard = std::nullopt;
};

struct Column {
  std::string name;
  std::string declared_type;
  friend bool operator==(const Column&, const Column&) = default;
};

using Row = std::vector<Value>;

// What one statement answered. Columns and rows are those of a SELECT or a RETURNING clause.
struct StatementResult {
  std::vector<Column> columns;
  std::vector<Row> rows;
  int64_t rows_returned = 0;  // also of rows that nobody wanted to have
  int64_t rows_affected = 0;
  int64_t last_insert_rowid = 0;
};

}  // namespace lockstep

#endif  // LOCKSTEP_COMMON_VALUE_H_
