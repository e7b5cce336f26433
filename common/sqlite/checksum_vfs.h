// The file layer under a database whose every page bears a checksum: what a disk changed is
// refused, where SQLite would believe it.
#ifndef LOCKSTEP_COMMON_SQLITE_CHECKSUM_VFS_H_
#define LOCKSTEP_COMMON_SQLITE_CHECKSUM_VFS_H_

#include <sqlite3.h>

#include <cstdint>
#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "common/sqlite/connection.h"
#include "common/sqlite/forwarding_vfs.h"

namespace lockstep::sqlite {

// Each page ends with the checksum of its bytes, seeded with its number; it is written with the
// page and proved whenever the page is read from the file. The frames of the WAL have SQLite's own.
// A page that does not bear its checksum, or ends early, fails the call with SQLITE_IOERR_DATA; one
// that is nothing but zeros was never written.
//
// The WAL of a database NAME is the file NAME.wal, where SQLite's own tools do not look for it:
// they would move it into the database, without checksums, and delete it, when somebody has a look.
//
// Thread: that of the one connection. The wal-index has to be that of an exclusive connection
// (locking_mode=EXCLUSIVE before the first access).
class ChecksumVfs final : public ForwardingVfs {
 public:
  static constexpr int kPageSize = 4096;
  static constexpr int kChecksumSize = 8;

  // `base_vfs` is the name of a registered VFS, empty for SQLite's own.
  static absl::StatusOr<std::unique_ptr<ChecksumVfs>> Register(const std::string& base_vfs);

  // Where the WAL of the database `path` is.
  static std::string WalPath(const std::string& path) { return path + ".wal"; }

  // Makes room for the checksums if the database has yet to be made. Requires that the connection
  // has not read anything.
  static absl::Status ReserveRoom(Connection* connection);

  // What was wrong with the first page that was refused; empty if none was.
  const std::string& damage() const { return damage_; }

 private:
  // What a database's file has for methods: those of the base, but for reads and writes.
  struct Methods {
    sqlite3_io_methods own;  // first: a file points to it
    const sqlite3_io_methods* base = nullptr;
    ChecksumVfs* vfs = nullptr;
  };

  explicit ChecksumVfs(sqlite3_vfs* base);
  static int Open(sqlite3_vfs* vfs, const char* name, sqlite3_file* file, int flags,
                  int* out_flags);
  static int Delete(sqlite3_vfs* vfs, const char* name, int sync_directory);
  static int Access(sqlite3_vfs* vfs, const char* name, int flags, int* result);
  static int Read(sqlite3_file* file, void* bytes, int size, sqlite3_int64 offset);
  static int Write(sqlite3_file* file, const void* bytes, int size, sqlite3_int64 offset);
  static const Methods& MethodsOf(sqlite3_file* file) {
    return *reinterpret_cast<const Methods*>(file->pMethods);
  }

  int ReadHeader(sqlite3_file* file, void* bytes, int size, sqlite3_int64 offset);
  int ReadPage(sqlite3_file* file, char* page, sqlite3_int64 offset);
  int Refuse(sqlite3_int64 offset, const char* why);

  Methods methods_ = {};
  std::string wal_path_;  // SQLite's VFS keeps the pointer to an open file's name
  std::string damage_;
};

}  // namespace lockstep::sqlite

#endif  // LOCKSTEP_COMMON_SQLITE_CHECKSUM_VFS_H_
