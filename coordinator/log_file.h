// The SQLite file of a decision log.
#ifndef LOCKSTEP_COORDINATOR_LOG_FILE_H_
#define LOCKSTEP_COORDINATOR_LOG_FILE_H_

#include <memory>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "common/sqlite/checksum_vfs.h"
#include "common/sqlite/connection.h"

namespace lockstep::coordinator {

// Open for this process alone, in WAL mode with synchronous=FULL, each page with a checksum.
//
// Thread: one at a time.
class LogFile {
 public:
  // Leaves a transaction open that excludes every other process. Makes the file if there is none.
  // What it found is durable then. FAILED_PRECONDITION when another process has it;
  // RESOURCE_EXHAUSTED when the disk has no room to write again what is there; DATA_LOSS when it,
  // or its WAL, is damaged: its last transaction may be torn, and is dropped then. `vfs` is empty
  // for SQLite's own.
  static absl::StatusOr<std::unique_ptr<LogFile>> Open(const std::string& path,
                                                       const std::string& vfs);

  sqlite::Connection& connection() { return *connection_; }
  // From now on a close moves the WAL into the file. For a log that was read to its end: until then
  // nothing does.
  absl::Status CheckpointOnClose();
  // `status`, with the file's path and what is wrong with it.
  absl::Status Explain(const absl::Status& status) const;

 private:
  // Up to where a WAL is believed; of a WAL with other salts it is another place.
  struct WalPlace {
    uint64_t salt = 0;
    int64_t offset = 0;
    friend bool operator==(const WalPlace&, const WalPlace&) = default;
  };

  LogFile(std::string path, std::unique_ptr<sqlite::ChecksumVfs> checksums)
      : path_(std::move(path)), checksums_(std::move(checksums)) {}
  absl::Status OpenConnection();
  static absl::StatusOr<std::unique_ptr<LogFile>> OpenAsItIs(const std::string& path,
                                                             const std::string& vfs);
  // Refuses a damaged one.
  absl::StatusOr<WalPlace> FindWalEnd(const std::string& vfs) const;
  absl::Status MakeWalDurable(const std::string& vfs, int64_t end) const;

  const std::string path_;
  const std::unique_ptr<sqlite::ChecksumVfs> checksums_;
  std::unique_ptr<sqlite::Connection> connection_;  // goes before its VFS
};

}  // namespace lockstep::coordinator

#endif  // LOCKSTEP_COORDINATOR_LOG_FILE_H_
