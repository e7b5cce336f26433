#include "tests/simulation/sql_model.h"

#include <utility>

#include "absl/strings/str_cat.h"

namespace lockstep::simulation {
namespace {

constexpr Guard kExactlyOne{1, 1};

Statement MixSql(const Work& work) {
  // Without a row to change, the guard makes it a NO.
  static const std::string sql = absl::StrCat(
      "UPDATE cell SET value = (value * ", kMixFactor, " + abs(random()) % ", kChanceModulus,
      " + CAST(replace(strftime('%f','now'), '.', '') AS INTEGER) + ?1) % ", kMixModulus,
      " WHERE id = ?2 AND value % ", kRemainders, " <> ?3");
  return {
      sql,
      {Value(work.added), Value(static_cast<int64_t>(work.cell)), Value(work.refused_remainder)},
      {},
      kExactlyOne};
}

Statement TransferSql(const Work& work) {
  // The CHECK of the table makes it a NO.
  return {"UPDATE account SET coins = coins + CASE id WHEN 0 THEN ?1 ELSE ?2 END",
          {Value(work.coins[0]), Value(work.coins[1])},
          {}};
}

Statement AppendSql(TransactionHandle transaction) {
  return {"INSERT INTO list(value) VALUES (?1)", {Value(static_cast<int64_t>(transaction))}, {}};
}

Statement RegisterSql(const Work& work, TransactionHandle transaction) {
  return {
      "UPDATE register SET value = ?1 WHERE id = ?2",
      {Value(static_cast<int64_t>(transaction)), Value(static_cast<int64_t>(work.register_index))},
      {}};
}

}  // namespace

std::vector<std::string> SchemaSql() {
  const Rows start;
  std::vector<std::string> statements = {
      "CREATE TABLE cell(id INTEGER PRIMARY KEY, value INTEGER NOT NULL)",
      "CREATE TABLE account(id INTEGER PRIMARY KEY, coins INTEGER NOT NULL CHECK (coins >= 0))",
      "CREATE TABLE register(id INTEGER PRIMARY KEY, value INTEGER NOT NULL)",
      "CREATE TABLE list(at INTEGER PRIMARY KEY, value INTEGER NOT NULL UNIQUE)"};
  const auto fill = [&statements](const char* table, const auto& values) {
    for (size_t i = 0; i < values.size(); ++i) {
      statements.push_back(
          absl::StrCat("INSERT INTO ", table, " VALUES(", i, ", ", values[i], ")"));
    }
  };
  fill("cell", start.cells);
  fill("account", start.coins);
  fill("register", start.registers);
  return statements;
}

Branch SqlBranchOf(const PreparedBranch& prepared, DatabaseIndex database,
                   ParticipantIndex participant) {
  const Work work = WorkOf(prepared.transaction, database, participant);
  Branch branch;
  branch.transaction_id = absl::StrCat(prepared.transaction);
  branch.clock = prepared.clock;
  branch.seed = prepared.seed;
  BranchOperation& operation = branch.operations.emplace_back();
  operation.statements.push_back(MixSql(work));
  switch (work.kind) {
    case Work::Kind::kNothing:
      break;
    case Work::Kind::kTransfer:
      operation.statements.push_back(TransferSql(work));
      break;
    case Work::Kind::kAppend:
      operation.statements.push_back(AppendSql(prepared.transaction));
      break;
    case Work::Kind::kRegister:
      operation.statements.push_back(RegisterSql(work, prepared.transaction));
      break;
  }
  return branch;
}

absl::StatusOr<Rows> RowsOf(const std::vector<Row>& result) {
  Rows rows;
  const size_t fixed = rows.cells.size() + rows.coins.size() + rows.registers.size();
  if (result.size() < fixed) return absl::DataLossError("rows are missing");
  size_t next = 0;
  const auto number = [&result, &next] { return std::get<int64_t>(result[next++][2]); };
  for (int64_t& cell : rows.cells) cell = number();
  for (int64_t& coins : rows.coins) coins = number();
  for (TransactionHandle& value : rows.registers) value = static_cast<TransactionHandle>(number());
  while (next < result.size()) rows.list.Append(static_cast<TransactionHandle>(number()));
  return rows;
}

}  // namespace lockstep::simulation
