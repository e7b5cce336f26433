#include "common/sqlite/checksum_vfs.h"

#include <algorithm>
#include <cstring>
#include <string_view>
#include <type_traits>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "common/check.h"
#include "common/checksum.h"
#include "common/sqlite/file.h"
#include "common/sqlite/wal_format.h"

namespace lockstep::sqlite {
namespace {

constexpr int kCovered = ChecksumVfs::kPageSize - ChecksumVfs::kChecksumSize;
constexpr int kHeaderSize = 100;          // of a database
constexpr int kReservedBytesOffset = 20;  // in it

uint64_t ChecksumOfPage(const char* page, sqlite3_int64 offset) {
  return Checksum({page, kCovered}, static_cast<uint64_t>(offset / ChecksumVfs::kPageSize) + 1);
}

// SQLite does not write a page that was freed as soon as it was made, and may read it when it takes
// it again. As a page of a table it refuses one.
bool IsHole(const char* page) {
  return std::all_of(page, page + ChecksumVfs::kPageSize, [](char byte) { return byte == 0; });
}

// Where the file is that SQLite calls `name`.
std::string PathOf(const char* name) {
  std::string path = name;
  constexpr std::string_view kSuffix = "-wal";
  if (!absl::EndsWith(path, "-wal")) return path;
  path.resize(path.size() - kSuffix.size());
  return ChecksumVfs::WalPath(path);
}

bool IsPage(int size, sqlite3_int64 offset) {
  return size == ChecksumVfs::kPageSize && offset % ChecksumVfs::kPageSize == 0;
}

}  // namespace

absl::StatusOr<std::unique_ptr<ChecksumVfs>> ChecksumVfs::Register(const std::string& base_vfs) {
  const absl::StatusOr<sqlite3_vfs*> base = FindVfs(base_vfs);
  if (!base.ok()) return base.status();
  std::unique_ptr<ChecksumVfs> vfs(new ChecksumVfs(*base));
  absl::Status registered = static_cast<ForwardingVfs&>(*vfs).Register();
  if (!registered.ok()) return registered;
  return vfs;
}

absl::Status ChecksumVfs::ReserveRoom(Connection* connection) {
  int bytes = kChecksumSize;
  absl::Status status = connection->Exec(absl::StrCat("PRAGMA page_size = ", kPageSize));
  return status.ok() ? connection->FileControl(SQLITE_FCNTL_RESERVE_BYTES, &bytes) : status;
}

ChecksumVfs::ChecksumVfs(sqlite3_vfs* base)
    : ForwardingVfs(base, "lockstep-checksum", base->szOsFile) {
  static_assert(std::is_standard_layout_v<Methods>);
  vfs_.xOpen = Open;
  vfs_.xDelete = Delete;
  vfs_.xAccess = Access;
}

int ChecksumVfs::Delete(sqlite3_vfs* vfs, const char* name, int sync_directory) {
  sqlite3_vfs* base = Of(vfs)->base();
  return base->xDelete(base, PathOf(name).c_str(), sync_directory);
}

int ChecksumVfs::Access(sqlite3_vfs* vfs, const char* name, int flags, int* result) {
  sqlite3_vfs* base = Of(vfs)->base();
  return base->xAccess(base, PathOf(name).c_str(), flags, result);
}

int ChecksumVfs::Open(sqlite3_vfs* vfs, const char* name, sqlite3_file* file, int flags,
                      int* out_flags) {
  auto* self = static_cast<ChecksumVfs*>(Of(vfs));
  if ((flags & SQLITE_OPEN_WAL) != 0) {
    self->wal_path_ = PathOf(name);
    name = self->wal_path_.c_str();
  }
  const int code = self->base()->xOpen(self->base(), name, file, flags, out_flags);
  if (code != SQLITE_OK || (flags & SQLITE_OPEN_MAIN_DB) == 0) return code;
  LOCKSTEP_CHECK(self->methods_.base == nullptr, "a database with checksums is opened twice");
  self->methods_ = {.own = *file->pMethods, .base = file->pMethods, .vfs = self};
  self->methods_.own.iVersion = 1;  // no memory-mapped access, and no wal-index in a file
  self->methods_.own.xRead = Read;
  self->methods_.own.xWrite = Write;
  file->pMethods = &self->methods_.own;
  return code;
}

int ChecksumVfs::Read(sqlite3_file* file, void* bytes, int size, sqlite3_int64 offset) {
  ChecksumVfs& self = *MethodsOf(file).vfs;
  if (IsPage(size, offset)) return self.ReadPage(file, static_cast<char*>(bytes), offset);
  return self.ReadHeader(file, bytes, size, offset);
}

// Parts of the first page, which SQLite looks at before it reads the WAL, where a newer one may be:
// a power loss may have torn the one in the file. What it goes by it reads again, as a page.
int ChecksumVfs::ReadHeader(sqlite3_file* file, void* bytes, int size, sqlite3_int64 offset) {
  if (offset + size > kHeaderSize) return Refuse(offset, "is read as if it had another size");
  return MethodsOf(file).base->xRead(file, bytes, size, offset);
}

int ChecksumVfs::ReadPage(sqlite3_file* file, char* page, sqlite3_int64 offset) {
  const sqlite3_io_methods& base = *MethodsOf(file).base;
  const int code = base.xRead(file, page, kPageSize, offset);
  if (code == SQLITE_IOERR_SHORT_READ) {
    sqlite3_int64 file_size = 0;
    const int sized = base.xFileSize(file, &file_size);
    if (sized != SQLITE_OK) return sized;
    return file_size == 0 ? code : Refuse(offset, "is cut off");
  }
  if (code != SQLITE_OK) return code;
  if (LoadBigEndian64(page + kCovered) == ChecksumOfPage(page, offset)) return SQLITE_OK;
  if (IsHole(page)) return SQLITE_OK;
  const bool has_room = offset != 0 || page[kReservedBytesOffset] == kChecksumSize;
  return Refuse(offset, has_room ? "does not bear its checksum"
                                 : "has no room for a checksum: another program has made it");
}

int ChecksumVfs::Refuse(sqlite3_int64 offset, const char* why) {
  if (damage_.empty()) damage_ = absl::StrCat("page ", offset / kPageSize + 1, " ", why);
  return SQLITE_IOERR_DATA;
}

int ChecksumVfs::Write(sqlite3_file* file, const void* bytes, int size, sqlite3_int64 offset) {
  const auto* from = static_cast<const char*>(bytes);
  LOCKSTEP_CHECK(IsPage(size, offset), "a part of a page is written");
  LOCKSTEP_CHECK(offset != 0 || from[kReservedBytesOffset] == kChecksumSize,
                 "a database has no room for checksums");
  char page[kPageSize];
  std::memcpy(page, from, kPageSize);
  StoreBigEndian64(page + kCovered, ChecksumOfPage(page, offset));
  return MethodsOf(file).base->xWrite(file, page, kPageSize, offset);
}

}  // namespace lockstep::sqlite
