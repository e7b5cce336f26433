#include "coordinator/log_file.h"

#include <optional>
#include <utility>

#include "absl/strings/str_cat.h"
#include "common/sqlite/error.h"
#include "common/sqlite/file.h"
#include "common/sqlite/wal_end.h"

namespace lockstep::coordinator {
namespace {

// EXTRA: the rollback journal, used just once, must not come back after a power loss: it would undo
// the making of the file, and SQLite drops the WAL of an empty one.
constexpr char kSettings[] = R"(
PRAGMA locking_mode=EXCLUSIVE;
PRAGMA synchronous=EXTRA;
PRAGMA journal_mode=WAL;
PRAGMA synchronous=FULL;
PRAGMA wal_autocheckpoint=0;
BEGIN EXCLUSIVE;
)";

}  // namespace

absl::StatusOr<std::unique_ptr<LogFile>> LogFile::Open(const std::string& path,
                                                       const std::string& vfs) {
  absl::StatusOr<std::unique_ptr<LogFile>> file = OpenAsItIs(path, vfs);
  if (!file.ok()) return file;
  // Only now is it sure that nobody writes to it.
  const absl::StatusOr<bool> written = (*file)->MakeWalDurable(vfs);
  if (!written.ok()) return (*file)->Explain(written.status());
  if (!*written) return file;
  // What SQLite has read was not written again yet, and the page cache may have lost it since.
  file->reset();
  return OpenAsItIs(path, vfs);
}

absl::StatusOr<std::unique_ptr<LogFile>> LogFile::OpenAsItIs(const std::string& path,
                                                             const std::string& vfs) {
  absl::StatusOr<std::unique_ptr<sqlite::ChecksumVfs>> checksums =
      sqlite::ChecksumVfs::Register(vfs);
  if (!checksums.ok()) return checksums.status();
  std::unique_ptr<LogFile> file(new LogFile(path, *std::move(checksums)));
  if (absl::Status status = file->OpenConnection(); !status.ok()) return file->Explain(status);
  return file;
}

absl::Status LogFile::OpenConnection() {
  sqlite::OpenOptions options;
  options.vfs = checksums_->name();
  absl::StatusOr<std::unique_ptr<sqlite::Connection>> opened =
      sqlite::Connection::Open(path_, options);
  if (!opened.ok()) return opened.status();
  connection_ = *std::move(opened);
  // Whoever refuses the log leaves it as it is.
  absl::Status status = connection_->Set(sqlite::Switch::kNoCheckpointOnClose, true);
  if (status.ok()) status = sqlite::ChecksumVfs::ReserveRoom(connection_.get());
  if (status.ok()) status = connection_->Exec(kSettings);
  return status;
}

absl::StatusOr<bool> LogFile::MakeWalDurable(const std::string& vfs) const {
  const std::string path = sqlite::ChecksumVfs::WalPath(path_);
  const absl::StatusOr<bool> exists = sqlite::File::Exists(vfs, path);
  if (!exists.ok() || !*exists) return exists;
  absl::StatusOr<std::unique_ptr<sqlite::File>> wal =
      sqlite::File::Open(vfs, path, sqlite::File::Mode::kExisting);
  if (!wal.ok()) return wal.status();
  const absl::StatusOr<std::optional<sqlite::WalEnd>> end = sqlite::FindWalEnd(**wal, path);
  if (!end.ok()) return end.status();
  if (!*end) return false;
  // An earlier process may have left there what only the page cache has. It is true from now on, so
  // it has to be durable before anything is written behind it (R9).
  absl::Status durable = (*wal)->WriteAgain(0, (*end)->offset);
  if (durable.ok()) durable = (*wal)->Sync();
  if (durable.ok()) durable = sqlite::FindWalEnd(**wal, path).status();
  if (!durable.ok()) return durable;
  return true;
}

absl::Status LogFile::CheckpointOnClose() {
  return connection_->Set(sqlite::Switch::kNoCheckpointOnClose, false);
}

absl::Status LogFile::Explain(const absl::Status& status) const {
  if (absl::IsFailedPrecondition(status)) {
    return absl::FailedPreconditionError(
        absl::StrCat("the decision log ", path_, " ", std::string(status.message())));
  }
  if (absl::IsResourceExhausted(status)) {
    return absl::ResourceExhaustedError(absl::StrCat(
        "the decision log ", path_, " finds no room: ", std::string(status.message())));
  }
  const std::optional<sqlite::SqliteError> error = sqlite::SqliteError::FromStatus(status);
  if (error && (error->code == sqlite::kBusy || error->code == sqlite::kLocked)) {
    return absl::FailedPreconditionError(absl::StrCat("the decision log ", path_,
                                                      " is in use by another process: is a "
                                                      "coordinator running on it?"));
  }
  const std::string& damage = checksums_->damage();
  return absl::DataLossError(
      absl::StrCat("the decision log ", path_, " cannot be used: ", std::string(status.message()),
                   damage.empty() ? "" : absl::StrCat(": ", damage, sqlite::kKeepACopy)));
}

}  // namespace lockstep::coordinator
