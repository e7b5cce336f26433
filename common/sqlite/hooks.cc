#include "common/sqlite/hooks.h"

#include <sqlite3.h>

#include "common/sqlite/access.h"
#include "common/sqlite/connection.h"

namespace lockstep::sqlite {
namespace {

static_assert(kRead == SQLITE_READ && kRecursive == SQLITE_RECURSIVE && kPragma == SQLITE_PRAGMA);
static_assert(kCreateTempView == SQLITE_CREATE_TEMP_VIEW && kDropView == SQLITE_DROP_VIEW);
static_assert(kCreateVirtualTable == SQLITE_CREATE_VTABLE && kAlterTable == SQLITE_ALTER_TABLE);
static_assert(static_cast<int>(RowOperation::kDelete) == SQLITE_DELETE &&
              static_cast<int>(RowOperation::kInsert) == SQLITE_INSERT &&
              static_cast<int>(RowOperation::kUpdate) == SQLITE_UPDATE);

extern "C" int CallCommitHook(void* hook) {
  return static_cast<CommitHook*>(hook)->OnCommit() ? 0 : 1;
}

extern "C" int CallProgressHandler(void* handler) {
  return static_cast<ProgressHandler*>(handler)->OnProgress() ? 0 : 1;
}

extern "C" int CallAuthorizer(void* authorizer, int action, const char* first, const char* second,
                              const char* database, const char* trigger) {
  const AccessRequest request{action, first, second, database, trigger};
  return static_cast<Authorizer*>(authorizer)->Authorize(request) ? SQLITE_OK : SQLITE_DENY;
}

extern "C" void CallRowChangeHook(void* hook, sqlite3* db, int operation, const char* /*database*/,
                                  const char* table, sqlite3_int64 old_rowid,
                                  sqlite3_int64 new_rowid) {
  static_cast<RowChangeHook*>(hook)->OnRowChange(
      RowChange(db, static_cast<RowOperation>(operation), table, old_rowid, new_rowid));
}

}  // namespace

int RowChange::column_count() const { return sqlite3_preupdate_count(db_); }

int RowChange::OldValue(int column, ValueView* value) const {
  sqlite3_value* found = nullptr;
  const int rc = sqlite3_preupdate_old(db_, column, &found) & 0xff;
  if (rc == SQLITE_OK) *value = ValueView::Of(found);
  return rc;
}

int RowChange::NewValue(int column, ValueView* value) const {
  sqlite3_value* found = nullptr;
  const int rc = sqlite3_preupdate_new(db_, column, &found) & 0xff;
  if (rc == SQLITE_OK) *value = ValueView::Of(found);
  return rc;
}

void Connection::SetCommitHook(CommitHook* hook) {
  sqlite3_commit_hook(db_, hook == nullptr ? nullptr : &CallCommitHook, hook);
}

void Connection::SetProgressHandler(ProgressHandler* handler, int every_steps) {
  sqlite3_progress_handler(db_, every_steps, handler == nullptr ? nullptr : &CallProgressHandler,
                           handler);
}

void Connection::SetAuthorizer(Authorizer* authorizer) {
  sqlite3_set_authorizer(db_, authorizer == nullptr ? nullptr : &CallAuthorizer, authorizer);
}

void Connection::SetRowChangeHook(RowChangeHook* hook) {
  sqlite3_preupdate_hook(db_, hook == nullptr ? nullptr : &CallRowChangeHook, hook);
}

}  // namespace lockstep::sqlite
