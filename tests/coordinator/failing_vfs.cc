#include "tests/coordinator/failing_vfs.h"

#include <sqlite3.h>

#include <atomic>
#include <functional>
#include <utility>

#include "common/check.h"

namespace lockstep {
namespace {

std::atomic<int> syncs{0};
std::atomic<int> writes_left{-1};
std::atomic<int> syncs_left{-1};
std::function<void()> on_write;

// Whether this call is one that fails; from then on all do, as on a disk that is gone.
bool Fails(std::atomic<int>* left) {
  if (*left < 0) return false;
  if (*left == 0) return true;
  --*left;
  return false;
}

sqlite3_vfs* Real() { return sqlite3_vfs_find("unix"); }

// What the default VFS does to a file, and the same with two of them replaced.
const sqlite3_io_methods* real_methods = nullptr;
sqlite3_io_methods failing_methods;

int Write(sqlite3_file* file, const void* bytes, int size, sqlite3_int64 offset) {
  if (on_write) on_write();
  if (Fails(&writes_left)) return SQLITE_IOERR_WRITE;
  return real_methods->xWrite(file, bytes, size, offset);
}

int Sync(sqlite3_file* file, int flags) {
  ++syncs;
  if (Fails(&syncs_left)) return SQLITE_IOERR_FSYNC;
  return real_methods->xSync(file, flags);
}

int Open(sqlite3_vfs*, const char* name, sqlite3_file* file, int flags, int* out_flags) {
  const int code = Real()->xOpen(Real(), name, file, flags, out_flags);
  if (code != SQLITE_OK) return code;
  static const bool once = [file] {
    real_methods = file->pMethods;
    failing_methods = *file->pMethods;
    failing_methods.xWrite = Write;
    failing_methods.xSync = Sync;
    return true;
  }();
  LOCKSTEP_CHECK(once && file->pMethods == real_methods, "files of two kinds");
  file->pMethods = &failing_methods;
  return SQLITE_OK;
}

}  // namespace

void RegisterFailingVfs() {
  static sqlite3_vfs vfs;
  static const bool once = [] {
    sqlite3_initialize();
    vfs = *Real();
    vfs.zName = kFailingVfs;
    vfs.pNext = nullptr;
    vfs.xOpen = Open;
    return sqlite3_vfs_register(&vfs, 0) == SQLITE_OK;
  }();
  LOCKSTEP_CHECK(once, "no VFS");
}

int VfsSyncs() { return syncs; }
void FailWritesAfter(int after) { writes_left = after; }
void OnEachWrite(std::function<void()> callback) { on_write = std::move(callback); }
void FailSyncsAfter(int after) { syncs_left = after; }

}  // namespace lockstep
