#include "tests/coordinator/failing_vfs.h"

#include <sqlite3.h>

#include <atomic>
#include <functional>
#include <utility>

#include "common/check.h"

namespace lockstep {
namespace {

std::atomic<int> syncs{0};
std::atomic<int> failures{0};
std::atomic<int> reads_left{-1};
std::atomic<int> writes_left{-1};
std::atomic<int> syncs_left{-1};
std::function<void()> on_write;

// Whether this call is one that fails; from then on all do, as on a disk that is gone.
bool Fails(std::atomic<int>* left) {
  if (*left < 0) return false;
  if (*left == 0) {
    ++failures;
    return true;
  }
  --*left;
  return false;
}

// The default VFS's file lies behind this one in the memory that SQLite gives.
struct File {
  sqlite3_file base;
  sqlite3_file* real() { return reinterpret_cast<sqlite3_file*>(this + 1); }
};

sqlite3_vfs* Real() { return sqlite3_vfs_find("unix"); }
sqlite3_file* RealOf(sqlite3_file* file) { return reinterpret_cast<File*>(file)->real(); }

int Close(sqlite3_file* f) { return RealOf(f)->pMethods->xClose(RealOf(f)); }
int Read(sqlite3_file* f, void* p, int n, sqlite3_int64 at) {
  if (Fails(&reads_left)) return SQLITE_IOERR_READ;
  return RealOf(f)->pMethods->xRead(RealOf(f), p, n, at);
}
int Write(sqlite3_file* f, const void* p, int n, sqlite3_int64 at) {
  if (on_write) on_write();
  if (Fails(&writes_left)) return SQLITE_IOERR_WRITE;
  return RealOf(f)->pMethods->xWrite(RealOf(f), p, n, at);
}
int Truncate(sqlite3_file* f, sqlite3_int64 n) {
  return RealOf(f)->pMethods->xTruncate(RealOf(f), n);
}
int Sync(sqlite3_file* f, int flags) {
  ++syncs;
  if (Fails(&syncs_left)) return SQLITE_IOERR_FSYNC;
  return RealOf(f)->pMethods->xSync(RealOf(f), flags);
}
int FileSize(sqlite3_file* f, sqlite3_int64* n) {
  return RealOf(f)->pMethods->xFileSize(RealOf(f), n);
}
int Lock(sqlite3_file* f, int l) { return RealOf(f)->pMethods->xLock(RealOf(f), l); }
int Unlock(sqlite3_file* f, int l) { return RealOf(f)->pMethods->xUnlock(RealOf(f), l); }
int CheckReservedLock(sqlite3_file* f, int* out) {
  return RealOf(f)->pMethods->xCheckReservedLock(RealOf(f), out);
}
int FileControl(sqlite3_file* f, int op, void* arg) {
  return RealOf(f)->pMethods->xFileControl(RealOf(f), op, arg);
}
int SectorSize(sqlite3_file* f) { return RealOf(f)->pMethods->xSectorSize(RealOf(f)); }
int DeviceCharacteristics(sqlite3_file* f) {
  return RealOf(f)->pMethods->xDeviceCharacteristics(RealOf(f));
}
int ShmMap(sqlite3_file* f, int page, int size, int extend, void volatile** out) {
  return RealOf(f)->pMethods->xShmMap(RealOf(f), page, size, extend, out);
}
int ShmLock(sqlite3_file* f, int offset, int n, int flags) {
  return RealOf(f)->pMethods->xShmLock(RealOf(f), offset, n, flags);
}
void ShmBarrier(sqlite3_file* f) { RealOf(f)->pMethods->xShmBarrier(RealOf(f)); }
int ShmUnmap(sqlite3_file* f, int remove) {
  return RealOf(f)->pMethods->xShmUnmap(RealOf(f), remove);
}

const sqlite3_io_methods kMethods = {
    2,
    Close,
    Read,
    Write,
    Truncate,
    Sync,
    FileSize,
    Lock,
    Unlock,
    CheckReservedLock,
    FileControl,
    SectorSize,
    DeviceCharacteristics,
    ShmMap,
    ShmLock,
    ShmBarrier,
    ShmUnmap,
    nullptr,
    nullptr,
};

int Open(sqlite3_vfs*, const char* name, sqlite3_file* file, int flags, int* out_flags) {
  auto* ours = reinterpret_cast<File*>(file);
  ours->base.pMethods = nullptr;
  const int code = Real()->xOpen(Real(), name, ours->real(), flags, out_flags);
  if (code == SQLITE_OK) ours->base.pMethods = &kMethods;
  return code;
}

}  // namespace

void RegisterFailingVfs() {
  static sqlite3_vfs vfs;
  static const bool once = [] {
    sqlite3_initialize();
    vfs = *Real();
    vfs.zName = kFailingVfs;
    vfs.pNext = nullptr;
    vfs.szOsFile = static_cast<int>(sizeof(File)) + Real()->szOsFile;
    vfs.xOpen = Open;
    return sqlite3_vfs_register(&vfs, 0) == SQLITE_OK;
  }();
  LOCKSTEP_CHECK(once, "no VFS");
}

int VfsSyncs() { return syncs; }
int VfsFailures() { return failures; }
void FailReadsAfter(int after) { reads_left = after; }
void FailWritesAfter(int after) { writes_left = after; }
void OnEachWrite(std::function<void()> callback) { on_write = std::move(callback); }
void FailSyncsAfter(int after) { syncs_left = after; }

}  // namespace lockstep
