// A file on any SQLite VFS, so that what Lockstep reads and writes beside SQLite lives on the same
// disk, a simulated one too.
#ifndef LOCKSTEP_COMMON_SQLITE_FILE_H_
#define LOCKSTEP_COMMON_SQLITE_FILE_H_

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

struct sqlite3_file;
struct sqlite3_vfs;

namespace lockstep::sqlite {

// The VFS that is registered as `name`, SQLite's own if that is empty. NotFound if there is none.
absl::StatusOr<sqlite3_vfs*> FindVfs(const std::string& name);

// Writes to a file of any VFS, whose single accesses are limited; returns SQLite's code.
int WriteInParts(sqlite3_file* file, int64_t offset, std::string_view bytes);

// Gives the existing file at least this size, with zeros, unsynced. Measured: writes within what a
// file has already sync in half the time of writes that make it longer.
absl::Status EnlargeInAdvance(const std::string& vfs, const std::string& path, int64_t size);

// One open file. Used by one thread at a time. Offsets and sizes are in bytes.
class File {
 public:
  enum class Mode { kExisting, kCreate };

  // `vfs` is the name of a registered VFS, empty for SQLite's own; `path` is absolute. Creating a
  // file makes its first Sync cover the directory too. The file's name must not contain a '-'
  // unless it is a database's name with a suffix behind '-': SQLite looks for the owner of such
  // files.
  static absl::StatusOr<std::unique_ptr<File>> Open(const std::string& vfs, const std::string& path,
                                                    Mode mode);
  static absl::StatusOr<bool> Exists(const std::string& vfs, const std::string& path);

  File(const File&) = delete;
  File& operator=(const File&) = delete;
  ~File();

  // Fills what lies behind the end of the file with zeros.
  absl::Status Read(int64_t offset, char* bytes, int size) const;
  absl::Status Write(int64_t offset, std::string_view bytes);
  // Writes zeros from `from` to `to`.
  absl::Status FillWithZeros(int64_t from, int64_t to);
  absl::Status Truncate(int64_t size);
  // After an error the state of the file on the disk is unknown: the caller has to end the process.
  absl::Status Sync();
  // Writes what the file has from `from` to `to` once more: the next Sync makes that durable, and
  // not what was read before, which may have left the page cache since. A sync alone is not enough
  // for a file that another process had: if a sync failed there, the system takes for written what
  // the disk does not have, and the next sync succeeds ("fsyncgate").
  absl::Status WriteAgain(int64_t from, int64_t to);
  absl::StatusOr<int64_t> Size() const;

 private:
  File(sqlite3_vfs* vfs, const std::string& path);
  sqlite3_file* file() const;

  // As SQLite wants names of files: with empty URI parameters behind.
  const std::string path_;
  const std::unique_ptr<uint64_t[]> storage_;
};

}  // namespace lockstep::sqlite

#endif  // LOCKSTEP_COMMON_SQLITE_FILE_H_
