#include "common/sqlite/forwarding_vfs.h"

#include <atomic>
#include <cstdint>

#include "absl/strings/str_cat.h"

namespace lockstep::sqlite {
namespace {

sqlite3_vfs* BaseOf(sqlite3_vfs* vfs) { return ForwardingVfs::Of(vfs)->base(); }

int ForwardOpen(sqlite3_vfs* vfs, const char* name, sqlite3_file* file, int flags, int* out_flags) {
  return BaseOf(vfs)->xOpen(BaseOf(vfs), name, file, flags, out_flags);
}

int ForwardDelete(sqlite3_vfs* vfs, const char* name, int sync_directory) {
  return BaseOf(vfs)->xDelete(BaseOf(vfs), name, sync_directory);
}

int ForwardAccess(sqlite3_vfs* vfs, const char* name, int flags, int* result) {
  return BaseOf(vfs)->xAccess(BaseOf(vfs), name, flags, result);
}

int ForwardFullPathname(sqlite3_vfs* vfs, const char* name, int size, char* out) {
  return BaseOf(vfs)->xFullPathname(BaseOf(vfs), name, size, out);
}

int ForwardRandomness(sqlite3_vfs* vfs, int size, char* out) {
  return BaseOf(vfs)->xRandomness(BaseOf(vfs), size, out);
}

int ForwardSleep(sqlite3_vfs* vfs, int microseconds) {
  return BaseOf(vfs)->xSleep(BaseOf(vfs), microseconds);
}

int ForwardCurrentTime(sqlite3_vfs* vfs, double* days) {
  return BaseOf(vfs)->xCurrentTime(BaseOf(vfs), days);
}

int ForwardGetLastError(sqlite3_vfs* vfs, int size, char* out) {
  return BaseOf(vfs)->xGetLastError(BaseOf(vfs), size, out);
}

std::string NewName(const char* kind) {
  static std::atomic<int64_t> next_number = 0;
  return absl::StrCat(kind, "-", next_number++);
}

}  // namespace

ForwardingVfs::ForwardingVfs(sqlite3_vfs* base, const char* kind, int file_size)
    : base_(base), name_(NewName(kind)) {
  vfs_.iVersion = 1;
  vfs_.szOsFile = file_size;
  vfs_.mxPathname = base->mxPathname;
  vfs_.zName = name_.c_str();
  vfs_.pAppData = this;
  vfs_.xOpen = ForwardOpen;
  vfs_.xDelete = ForwardDelete;
  vfs_.xAccess = ForwardAccess;
  vfs_.xFullPathname = ForwardFullPathname;
  vfs_.xRandomness = ForwardRandomness;
  vfs_.xSleep = ForwardSleep;
  vfs_.xCurrentTime = ForwardCurrentTime;
  vfs_.xGetLastError = ForwardGetLastError;
}

ForwardingVfs::~ForwardingVfs() {
  if (is_registered_) sqlite3_vfs_unregister(&vfs_);
}

absl::Status ForwardingVfs::Register() {
  const int code = sqlite3_vfs_register(&vfs_, /*makeDflt=*/0);
  if (code != SQLITE_OK) {
    return absl::InternalError(absl::StrCat("SQLite refused a VFS: ", sqlite3_errstr(code)));
  }
  is_registered_ = true;
  return absl::OkStatus();
}

}  // namespace lockstep::sqlite
