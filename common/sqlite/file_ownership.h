// Keeps other processes out of a SQLite database.
#ifndef LOCKSTEP_COMMON_SQLITE_FILE_OWNERSHIP_H_
#define LOCKSTEP_COMMON_SQLITE_FILE_OWNERSHIP_H_

#include <memory>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

namespace lockstep::sqlite {

// An exclusive lock on the bytes that SQLite locks (0x40000000 to 0x400001ff), for as long as it
// lives: any other process that uses the database gets SQLITE_BUSY. It belongs to an open file and
// not to the process, so opening and closing the database here does not drop it, as it would drop
// SQLite's own. Files of a real file system only.
class FileOwnership {
 public:
  // Creates the file if it is not there. FailedPrecondition when another process has the database
  // open.
  static absl::StatusOr<std::unique_ptr<FileOwnership>> Take(const std::string& path);
  explicit FileOwnership(int owned_descriptor) : descriptor_(owned_descriptor) {}
  FileOwnership(const FileOwnership&) = delete;
  FileOwnership& operator=(const FileOwnership&) = delete;
  ~FileOwnership();

 private:
  const int descriptor_;
};

}  // namespace lockstep::sqlite

#endif  // LOCKSTEP_COMMON_SQLITE_FILE_OWNERSHIP_H_
