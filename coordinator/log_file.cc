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

// Two, if nobody comes in between.
constexpr int kMostOpenings = 5;

}  // namespace

// What an earlier process left may be in the page cache alone. It is true from now on, so it has to
// be durable before anything is written behind it; and what SQLite has read has to be what was made
// durable, for the page cache may lose the former in between (R9).
absl::StatusOr<std::unique_ptr<LogFile>> LogFile::Open(const std::string& path,
                                                       const std::string& vfs) {
  WalPlace durable;
  for (int opened = 0; opened < kMostOpenings; ++opened) {
    absl::StatusOr<std::unique_ptr<LogFile>> file = OpenAsItIs(path, vfs);
    if (!file.ok()) return file;
    // Only now is it sure that nobody writes to it.
    const absl::StatusOr<WalPlace> end = (*file)->FindWalEnd(vfs);
    if (!end.ok()) return (*file)->Explain(end.status());
    if (*end == durable) return file;
    const absl::Status written = (*file)->MakeWalDurable(vfs, end->offset);
    if (!written.ok()) return (*file)->Explain(written);
    durable = *end;
  }
  return absl::FailedPreconditionError(absl::StrCat(
      "the decision log ", path, " is changed again and again while it is opened: is another ",
      "coordinator running on it?"));
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

absl::StatusOr<LogFile::WalPlace> LogFile::FindWalEnd(const std::string& vfs) const {
  const std::string path = sqlite::ChecksumVfs::WalPath(path_);
  const absl::StatusOr<bool> exists = sqlite::File::Exists(vfs, path);
  if (!exists.ok()) return exists.status();
  if (!*exists) return WalPlace();
  const absl::StatusOr<std::unique_ptr<sqlite::File>> wal =
      sqlite::File::Open(vfs, path, sqlite::File::Mode::kExisting);
  if (!wal.ok()) return wal.status();
  const absl::StatusOr<std::optional<sqlite::WalEnd>> end = sqlite::FindWalEnd(**wal, path);
  if (!end.ok()) return end.status();
  if (!*end) return WalPlace();
  return WalPlace{.salt = (*end)->header.salt, .offset = (*end)->offset};
}

absl::Status LogFile::MakeWalDurable(const std::string& vfs, int64_t end) const {
  const absl::StatusOr<std::unique_ptr<sqlite::File>> wal =
      sqlite::File::Open(vfs, sqlite::ChecksumVfs::WalPath(path_), sqlite::File::Mode::kExisting);
  if (!wal.ok()) return wal.status();
  const absl::Status written = (*wal)->WriteAgain(0, end);
  return written.ok() ? (*wal)->Sync() : written;
}

absl::Status LogFile::CheckpointOnClose() {
  return connection_->Set(sqlite::Switch::kNoCheckpointOnClose, false);
}

absl::Status LogFile::Explain(const absl::Status& status) const {
  if (absl::IsFailedPrecondition(status)) {
    return absl::FailedPreconditionError(
        absl::StrCat("the decision log ", path_, " ", std::string(status.message())));
  }
  const std::optional<sqlite::SqliteError> error = sqlite::SqliteError::FromStatus(status);
  if (absl::IsResourceExhausted(status) && !error) {
    return absl::ResourceExhaustedError(absl::StrCat(
        "the decision log ", path_, " finds no room: ", std::string(status.message())));
  }
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
