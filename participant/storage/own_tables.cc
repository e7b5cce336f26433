#include "participant/storage/own_tables.h"

#include <utility>
#include <variant>

#include "absl/strings/str_cat.h"

namespace lockstep::participant {
namespace {

constexpr char kCreate[] = R"sql(
CREATE TABLE lockstep_state (
  id INTEGER PRIMARY KEY CHECK (id = 1),
  format_version INTEGER NOT NULL,
  applied_round INTEGER NOT NULL,
  latest_instant INTEGER NOT NULL
);
CREATE TABLE lockstep_identity (
  id INTEGER PRIMARY KEY CHECK (id = 1),
  cluster_id TEXT NOT NULL,
  node_id TEXT NOT NULL,
  database TEXT NOT NULL,
  log_id TEXT NOT NULL,
  role INTEGER NOT NULL,
  replicas INTEGER NOT NULL
);
)sql";

// Steps a statement that gives one row.
absl::Status ReadOneRow(sqlite::Statement& statement) {
  switch (statement.Step()) {
    case sqlite::StepResult::kRow:
      return absl::OkStatus();
    case sqlite::StepResult::kDone:
      return absl::DataLossError("Lockstep's own row is missing");
    case sqlite::StepResult::kFailed:
      break;
  }
  return statement.error().ToStatus("reading Lockstep's own tables");
}

std::string Text(sqlite::Statement& statement, int column) {
  const Value value = statement.Column(column);
  const std::string* text = std::get_if<std::string>(&value);
  return text == nullptr ? std::string() : *text;
}

absl::StatusOr<int64_t> ReadInt(sqlite::Connection& connection, const std::string& sql) {
  absl::StatusOr<sqlite::Statement> statement = connection.Prepare(sql);
  if (!statement.ok()) return statement.status();
  if (absl::Status status = ReadOneRow(*statement); !status.ok()) return status;
  return statement->ColumnInt(0);
}

}  // namespace

absl::StatusOr<DatabaseContent> InspectDatabase(sqlite::Connection& connection) {
  absl::StatusOr<int64_t> own = ReadInt(
      connection,
      "SELECT count(*) FROM sqlite_schema WHERE name IN ('lockstep_state', 'lockstep_identity')");
  if (!own.ok()) return own.status();
  if (*own == 2) return DatabaseContent::kOurs;
  absl::StatusOr<int64_t> all = ReadInt(connection, "SELECT count(*) FROM sqlite_schema");
  if (!all.ok()) return all.status();
  return *all == 0 ? DatabaseContent::kEmpty : DatabaseContent::kForeign;
}

absl::StatusOr<bool> HasClientSchema(sqlite::Connection& connection) {
  absl::StatusOr<int64_t> theirs = ReadInt(
      connection,
      R"(SELECT count(*) FROM sqlite_schema WHERE tbl_name NOT LIKE 'lockstep\_%' ESCAPE '\')");
  if (!theirs.ok()) return theirs.status();
  return *theirs > 0;
}

absl::Status OwnTables::Create(const Identity& identity) {
  if (absl::Status status = writer_.Exec(kCreate); !status.ok()) return status;
  if (absl::Status status = writer_.Exec(
          absl::StrCat("INSERT INTO lockstep_state VALUES (1, ", kOwnTablesVersion, ", 0, 0)"));
      !status.ok()) {
    return status;
  }
  return WriteIdentity(identity);
}

absl::Status OwnTables::WriteIdentity(const Identity& identity) {
  absl::StatusOr<sqlite::Statement> statement = writer_.Prepare(
      "INSERT OR REPLACE INTO lockstep_identity VALUES (1, ?1, ?2, ?3, ?4, ?5, ?6)");
  if (!statement.ok()) return statement.status();
  const Value values[] = {identity.cluster_id, identity.node_id,       identity.database,
                          identity.log_id,     int64_t{identity.role}, int64_t{identity.replicas}};
  int index = 0;
  for (const Value& value : values) {
    if (statement->Bind(++index, value) != sqlite::kOk) return writer_.LastError().ToStatus();
  }
  return statement->Run();
}

absl::Status OwnTables::PrepareStatements() {
  const std::pair<sqlite::Statement*, const char*> statements[] = {
      {&begin_, "BEGIN IMMEDIATE"},
      {&commit_, "COMMIT"},
      {&rollback_, "ROLLBACK"},
      {&write_row_,
       "UPDATE lockstep_state SET applied_round = ?1, latest_instant = ?2 WHERE id = 1"},
  };
  for (const auto& [statement, sql] : statements) {
    absl::StatusOr<sqlite::Statement> prepared = writer_.Prepare(sql);
    if (!prepared.ok()) return prepared.status();
    *statement = *std::move(prepared);
  }
  return absl::OkStatus();
}

absl::Status OwnTables::WriteRow(const OwnRow& row) {
  if (write_row_.Bind(1, row.applied.value()) != sqlite::kOk ||
      write_row_.Bind(2, absl::ToUnixNanos(row.latest_instant)) != sqlite::kOk) {
    return writer_.LastError().ToStatus();
  }
  return write_row_.Run();
}

absl::StatusOr<OwnRow> OwnTables::ReadRow() {
  // Prepared anew each time: only a statement that was made from the schema in memory finds out,
  // at its first step, that the schema in the file is another.
  absl::StatusOr<sqlite::Statement> statement = writer_.Prepare(
      "SELECT format_version, applied_round, latest_instant FROM lockstep_state WHERE id = 1");
  if (!statement.ok()) return statement.status();
  if (absl::Status status = ReadOneRow(*statement); !status.ok()) return status;
  if (const int64_t version = statement->ColumnInt(0); version > kOwnTablesVersion) {
    return absl::FailedPreconditionError(absl::StrCat("the database has format ", version,
                                                      ", but this program knows only up to ",
                                                      kOwnTablesVersion, "; use a newer one"));
  }
  return OwnRow{.applied = RoundId::FromValue(statement->ColumnInt(1)),
                .latest_instant = absl::FromUnixNanos(statement->ColumnInt(2))};
}

absl::StatusOr<Identity> OwnTables::ReadIdentity() {
  absl::StatusOr<sqlite::Statement> statement = writer_.Prepare(
      "SELECT cluster_id, node_id, database, log_id, role, replicas FROM lockstep_identity");
  if (!statement.ok()) return statement.status();
  if (absl::Status status = ReadOneRow(*statement); !status.ok()) return status;
  return Identity{.cluster_id = Text(*statement, 0),
                  .node_id = Text(*statement, 1),
                  .database = Text(*statement, 2),
                  .log_id = Text(*statement, 3),
                  .role = static_cast<int>(statement->ColumnInt(4)),
                  .replicas = static_cast<uint32_t>(statement->ColumnInt(5))};
}

}  // namespace lockstep::participant
