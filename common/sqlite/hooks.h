// What SQLite calls back while it works. All are called on the thread that works with the
// connection, must not use that connection, and must outlive it or be unset before.
#ifndef LOCKSTEP_COMMON_SQLITE_HOOKS_H_
#define LOCKSTEP_COMMON_SQLITE_HOOKS_H_

#include <cstdint>
#include <string_view>

#include "common/sqlite/value_view.h"

struct sqlite3;

namespace lockstep::sqlite {

// Asked before every commit that would change the file.
class CommitHook {
 public:
  virtual ~CommitHook() = default;
  // False turns the commit into a rollback; the COMMIT then fails with kConstraintCommitHook.
  virtual bool OnCommit() = 0;
};

// Asked every so many steps of SQLite's virtual machine.
class ProgressHandler {
 public:
  virtual ~ProgressHandler() = default;
  // False ends the running statement with kInterrupt. If it writes, the transaction is gone too.
  virtual bool OnProgress() = 0;
};

// One thing that a statement would do, while it is prepared. Strings are null where SQLite says
// nothing; they live as long as the call.
struct AccessRequest {
  int action = 0;  // SQLITE_READ, SQLITE_INSERT, ... as in access.h
  const char* first = nullptr;
  const char* second = nullptr;
  const char* database = nullptr;
  const char* trigger = nullptr;  // the innermost trigger or view
};

class Authorizer {
 public:
  virtual ~Authorizer() = default;
  // False fails the prepare with kAuth. Called for re-prepares inside Step, too.
  virtual bool Authorize(const AccessRequest& request) = 0;
};

enum class RowOperation : uint8_t { kDelete = 9, kInsert = 18, kUpdate = 23 };

// A change to one row that is about to happen. Lives as long as the call.
class RowChange {
 public:
  RowChange(sqlite3* db, RowOperation operation, const char* table, int64_t old_rowid,
            int64_t new_rowid)
      : db_(db),
        operation_(operation),
        table_(table),
        old_rowid_(old_rowid),
        new_rowid_(new_rowid) {}

  RowOperation operation() const { return operation_; }
  std::string_view table() const { return table_; }
  // Both are 0 for a table WITHOUT ROWID.
  int64_t old_rowid() const { return old_rowid_; }
  int64_t new_rowid() const { return new_rowid_; }
  int column_count() const;
  // Columns as they are stored: the VIRTUAL ones, which are not, would be the last, and give
  // kRange. kNoMemory: SQLite could not show it. Require an operation with an old or new row.
  int OldValue(int column, ValueView* value) const;
  int NewValue(int column, ValueView* value) const;

 private:
  sqlite3* const db_;
  const RowOperation operation_;
  const std::string_view table_;
  const int64_t old_rowid_;
  const int64_t new_rowid_;
};

// Told of every change to a row, also those of triggers, cascades and shadow tables; not of the
// rows of CREATE TABLE AS, of ALTER's rewrites or of the schema.
class RowChangeHook {
 public:
  virtual ~RowChangeHook() = default;
  virtual void OnRowChange(const RowChange& change) = 0;
};

}  // namespace lockstep::sqlite

#endif  // LOCKSTEP_COMMON_SQLITE_HOOKS_H_
