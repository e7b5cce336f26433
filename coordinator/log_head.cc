#include "coordinator/log_head.h"

#include <random>

#include "absl/strings/str_cat.h"
#include "coordinator/decision_keys.h"
#include "coordinator/sqlite_rows.h"

namespace lockstep::coordinator {
namespace {

// A row of `decision` is kept until it is forgotten (open = 0) and its outcomes are old. `outcome`
// finds the rounds of a transaction: a row per round and bucket of neighbouring transactions,
// because a row per transaction would double what a round writes. All times are nanoseconds.
// decision.log_time and head.log_time are by LogClock; when it was for people is in the body.
// forgotten_expiry: the latest expire_time among the answers that were dropped.
constexpr char kHeadSchema[] = R"(
CREATE TABLE head(
  id INTEGER PRIMARY KEY CHECK(id = 1), format INTEGER NOT NULL, log_id TEXT NOT NULL,
  cluster_id TEXT NOT NULL, term INTEGER NOT NULL, clock_floor INTEGER NOT NULL,
  log_time INTEGER NOT NULL, forgotten_expiry INTEGER NOT NULL,
  lowest_open INTEGER NOT NULL, horizon INTEGER NOT NULL,
  superseded_time INTEGER, superseded_reason TEXT);
CREATE TABLE run(term INTEGER PRIMARY KEY, boot_id INTEGER NOT NULL);
CREATE TABLE member(
  place INTEGER PRIMARY KEY, node_id TEXT NOT NULL UNIQUE, database TEXT NOT NULL,
  role INTEGER NOT NULL, durable_round INTEGER NOT NULL);
CREATE TABLE decision(
  round INTEGER PRIMARY KEY, open INTEGER NOT NULL, log_time INTEGER NOT NULL,
  checksum INTEGER NOT NULL, body BLOB NOT NULL);
CREATE TABLE outcome(
  bucket INTEGER NOT NULL, round INTEGER NOT NULL, PRIMARY KEY(bucket, round)) WITHOUT ROWID;
)";

absl::Status MakeTables(sqlite::Connection* connection, const std::string& cluster_id) {
  if (absl::Status status = connection->Exec(kHeadSchema); !status.ok()) return status;
  absl::StatusOr<sqlite::Statement> insert =
      connection->Prepare("INSERT INTO head VALUES(1, ?, ?, ?, 0, 0, 0, 0, 0, 0, NULL, NULL)");
  if (!insert.ok()) return insert.status();
  return RunWith(*insert, int64_t{kLogFormat}, DrawLogId(), cluster_id);
}

absl::StatusOr<bool> HasTables(sqlite::Connection* connection) {
  absl::StatusOr<sqlite::Statement> table =
      connection->Prepare("SELECT 1 FROM sqlite_schema WHERE name = 'head'");
  if (!table.ok()) return table.status();
  bool found = false;
  const absl::Status status = ForEachRow(*table, [&] {
    found = true;
    return absl::OkStatus();
  });
  if (!status.ok()) return status;
  return found;
}

// Before the other columns are read: they may mean something else in a newer format.
absl::Status CheckFormat(sqlite::Connection* connection) {
  absl::StatusOr<sqlite::Statement> format = connection->Prepare("SELECT format FROM head");
  if (!format.ok()) return format.status();
  return ForEachRow(*format, [&] {
    if (format->ColumnInt(0) == kLogFormat) return absl::OkStatus();
    return absl::FailedPreconditionError(
        absl::StrCat("has format ", format->ColumnInt(0), ", and this program knows format ",
                     kLogFormat, ": run the version of lockstep-coordinator that wrote it"));
  });
}

absl::Status CheckUsable(const sqlite::Statement& head, const std::string& cluster_id) {
  if (Text(head, 1) != cluster_id) {
    return absl::FailedPreconditionError(absl::StrCat("belongs to the cluster ", Text(head, 1),
                                                      ", and this coordinator is configured for ",
                                                      cluster_id));
  }
  const std::string reason = Text(head, 6);
  if (reason.empty()) return absl::OkStatus();
  return absl::FailedPreconditionError(absl::StrCat(
      "is an older copy and must not be used any more: its coordinator ended at ",
      absl::FormatTime("%Y-%m-%dT%H:%M:%SZ", absl::FromUnixNanos(head.ColumnInt(5)),
                       absl::UTCTimeZone()),
      " because ", reason,
      "; put the newest decision log of this cluster back in its place. Nothing was changed"));
}

uint64_t DrawBootId() {
  std::random_device device;
  uint64_t number = 0;
  while (number == 0) number = (uint64_t{device()} << 32) | device();
  return number;
}

}  // namespace

absl::StatusOr<LogHead> ReadOrMakeHead(sqlite::Connection* connection,
                                       const std::string& cluster_id) {
  const absl::StatusOr<bool> has_tables = HasTables(connection);
  if (!has_tables.ok()) return has_tables.status();
  absl::Status status = *has_tables ? absl::OkStatus() : MakeTables(connection, cluster_id);
  if (status.ok()) status = CheckFormat(connection);
  if (!status.ok()) return status;
  absl::StatusOr<sqlite::Statement> row = connection->Prepare(
      "SELECT log_id, cluster_id, clock_floor, horizon, lowest_open, superseded_time, "
      "superseded_reason, log_time, forgotten_expiry FROM head");
  if (!row.ok()) return row.status();
  LogHead head;
  status = ForEachRow(*row, [&] {
    head.log_id = Text(*row, 0);
    head.clock_floor = absl::FromUnixNanos(row->ColumnInt(2));
    head.horizon = IdOf(row->ColumnInt(3));
    head.lowest_open = Round(*row, 4);
    head.log_time = absl::FromUnixNanos(row->ColumnInt(7));
    head.forgotten_expiry = absl::FromUnixNanos(row->ColumnInt(8));
    return CheckUsable(*row, cluster_id);
  });
  if (!status.ok()) return status;
  if (head.log_id.empty()) return absl::DataLossError("its head is missing");
  return head;
}

absl::StatusOr<Term> DrawTerm(sqlite::Connection* connection) {
  absl::StatusOr<sqlite::Statement> update =
      connection->Prepare("UPDATE head SET term = term + 1 RETURNING term");
  if (!update.ok()) return update.status();
  absl::StatusOr<sqlite::Statement> insert = connection->Prepare("INSERT INTO run VALUES(?, ?)");
  if (!insert.ok()) return insert.status();
  int64_t term = 0;
  absl::Status status = ForEachRow(*update, [&] {
    term = update->ColumnInt(0);
    return absl::OkStatus();
  });
  if (status.ok()) status = RunWith(*insert, term, static_cast<int64_t>(DrawBootId()));
  if (!status.ok()) return status;
  if (term < 1 || term > int64_t{RoundId::kMaxTerm}) {
    return absl::OutOfRangeError(absl::StrCat("the decision log has no term left: ", term));
  }
  return static_cast<Term>(term);
}

absl::StatusOr<std::vector<uint64_t>> ReadBootIds(sqlite::Connection* connection) {
  absl::StatusOr<sqlite::Statement> select =
      connection->Prepare("SELECT term, boot_id FROM run ORDER BY term");
  if (!select.ok()) return select.status();
  std::vector<uint64_t> boot_ids;
  const absl::Status status = ForEachRow(*select, [&] {
    boot_ids.push_back(static_cast<uint64_t>(select->ColumnInt(1)));
    if (select->ColumnInt(0) == static_cast<int64_t>(boot_ids.size())) return absl::OkStatus();
    return absl::DataLossError(
        absl::StrCat("the decision log does not know which run had term ", boot_ids.size()));
  });
  if (!status.ok()) return status;
  return boot_ids;
}

absl::Status StoreSuperseded(sqlite::Connection* connection, const std::string& reason,
                             absl::Time now) {
  absl::StatusOr<sqlite::Statement> update =
      connection->Prepare("UPDATE head SET superseded_time = ?, superseded_reason = ?");
  if (!update.ok()) return update.status();
  return RunWith(*update, absl::ToUnixNanos(now), reason);
}

}  // namespace lockstep::coordinator
