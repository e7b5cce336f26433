// Lockstep's own tables in a participant's database.
#ifndef LOCKSTEP_PARTICIPANT_STORAGE_OWN_TABLES_H_
#define LOCKSTEP_PARTICIPANT_STORAGE_OWN_TABLES_H_

#include <cstdint>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "common/round_id.h"
#include "common/sqlite/connection.h"
#include "participant/storage/prepare_store.h"

namespace lockstep::participant {

inline constexpr int64_t kOwnTablesVersion = 1;

// Gives the applied round that a connection sees, as one integer.
inline constexpr char kAppliedRoundSql[] = "SELECT applied_round FROM lockstep_state WHERE id = 1";

// The row that every commit updates.
struct OwnRow {
  RoundId applied;
  absl::Time latest_instant = absl::UnixEpoch();
};

enum class DatabaseContent { kEmpty, kOurs, kForeign };

// What the database holds. Changes nothing.
absl::StatusOr<DatabaseContent> InspectDatabase(sqlite::Connection& connection);

// Whether it holds a table, index, view or trigger of a client. Changes nothing.
absl::StatusOr<bool> HasClientSchema(sqlite::Connection& connection);

// The own tables through the writer's connection; goes with it.
// Thread: the connection's.
class OwnTables {
 public:
  explicit OwnTables(sqlite::Connection* writer) : writer_(*writer) {}

  // Inside a transaction.
  absl::Status Create(const Identity& identity);
  absl::Status WriteRow(const OwnRow& row);
  absl::Status WriteIdentity(const Identity& identity);

  // Statements for the rest. Requires that the tables are there.
  absl::Status PrepareStatements();
  // FailedPrecondition if a newer program made the tables.
  absl::StatusOr<OwnRow> ReadRow();
  absl::StatusOr<Identity> ReadIdentity();
  absl::Status Begin() { return begin_.Run(); }
  absl::Status Commit() { return commit_.Run(); }
  absl::Status Rollback() { return rollback_.Run(); }

 private:
  sqlite::Connection& writer_;
  sqlite::Statement begin_;
  sqlite::Statement commit_;
  sqlite::Statement rollback_;
  sqlite::Statement write_row_;
};

}  // namespace lockstep::participant

#endif  // LOCKSTEP_PARTICIPANT_STORAGE_OWN_TABLES_H_
