#include "common/sqlite/file.h"

#include <sqlite3.h>

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "common/sqlite/error.h"

namespace lockstep::sqlite {
namespace {

// SQLite's own VFS cuts the size of one access to 17 bits.
constexpr int kMaxAccess = 1 << 16;
// What is in memory of a file that is written as a whole.
constexpr int64_t kPartOfFile = int64_t{1} << 20;

absl::Status ToStatus(int code, const char* what, const std::string& path) {
  if (code == SQLITE_OK) return absl::OkStatus();
  const std::string message =
      absl::StrCat("cannot ", what, " ", path.c_str(), ": ", sqlite3_errstr(code), " (", code, ")");
  if ((code & 0xff) == SQLITE_FULL) return absl::ResourceExhaustedError(message);
  if ((code & 0xff) == SQLITE_CANTOPEN) return absl::NotFoundError(message);
  return IsDamage(code) ? absl::DataLossError(message) : absl::UnavailableError(message);
}

}  // namespace

absl::StatusOr<sqlite3_vfs*> FindVfs(const std::string& name) {
  sqlite3_vfs* vfs = sqlite3_vfs_find(name.empty() ? nullptr : name.c_str());
  if (vfs == nullptr) return absl::NotFoundError(absl::StrCat("no SQLite VFS named ", name));
  return vfs;
}

int WriteInParts(sqlite3_file* file, int64_t offset, std::string_view bytes) {
  while (!bytes.empty()) {
    const int part = static_cast<int>(std::min<size_t>(bytes.size(), kMaxAccess));
    const int code = file->pMethods->xWrite(file, bytes.data(), part, offset);
    if (code != SQLITE_OK) return code;
    bytes.remove_prefix(static_cast<size_t>(part));
    offset += part;
  }
  return SQLITE_OK;
}

absl::Status EnlargeInAdvance(const std::string& vfs, const std::string& path, int64_t size) {
  absl::StatusOr<std::unique_ptr<File>> file = File::Open(vfs, path, File::Mode::kExisting);
  if (!file.ok()) return file.status();
  absl::StatusOr<int64_t> old_size = (*file)->Size();
  if (!old_size.ok()) return old_size.status();
  return (*file)->FillWithZeros(*old_size, size);
}

File::File(sqlite3_vfs* vfs, const std::string& path)
    : path_(path + std::string(4, '\0')),
      storage_(std::make_unique<uint64_t[]>((static_cast<size_t>(vfs->szOsFile) + 7) / 8)) {}

sqlite3_file* File::file() const { return reinterpret_cast<sqlite3_file*>(storage_.get()); }

absl::StatusOr<std::unique_ptr<File>> File::Open(const std::string& vfs_name,
                                                 const std::string& path, Mode mode) {
  absl::StatusOr<sqlite3_vfs*> vfs = FindVfs(vfs_name);
  if (!vfs.ok()) return vfs.status();
  auto file = std::unique_ptr<File>(new File(*vfs, path));
  // Opened as a WAL: the first sync of a new one covers its directory, and no lock belongs to it.
  int flags = SQLITE_OPEN_READWRITE | SQLITE_OPEN_WAL;
  if (mode == Mode::kCreate) flags |= SQLITE_OPEN_CREATE;
  int out_flags = 0;
  const int code = (*vfs)->xOpen(*vfs, file->path_.c_str(), file->file(), flags, &out_flags);
  if (code != SQLITE_OK) return ToStatus(code, "open", path);
  if ((out_flags & SQLITE_OPEN_READONLY) != 0) {
    return absl::PermissionDeniedError(absl::StrCat(path, " can be read only"));
  }
  return file;
}

absl::StatusOr<bool> File::Exists(const std::string& vfs_name, const std::string& path) {
  absl::StatusOr<sqlite3_vfs*> vfs = FindVfs(vfs_name);
  if (!vfs.ok()) return vfs.status();
  // Not xAccess: SQLite's counts an empty file as missing.
  if (absl::StatusOr<std::unique_ptr<File>> file = Open(vfs_name, path, Mode::kExisting);
      file.ok()) {
    return true;
  } else if (absl::IsNotFound(file.status())) {
    int exists = 0;
    const int code = (*vfs)->xAccess(*vfs, path.c_str(), SQLITE_ACCESS_EXISTS, &exists);
    if (code != SQLITE_OK) return ToStatus(code, "look for", path);
    if (exists != 0) return file.status();
    return false;
  } else {
    return file.status();
  }
}

File::~File() {
  if (file()->pMethods != nullptr) file()->pMethods->xClose(file());
}

absl::Status File::Read(int64_t offset, char* bytes, int size) const {
  while (size > 0) {
    const int part = std::min(size, kMaxAccess);
    const int code = file()->pMethods->xRead(file(), bytes, part, offset);
    if (code != SQLITE_OK && code != SQLITE_IOERR_SHORT_READ) {
      return ToStatus(code, "read", path_);
    }
    bytes += part;
    size -= part;
    offset += part;
  }
  return absl::OkStatus();
}

absl::Status File::Write(int64_t offset, std::string_view bytes) {
  const int code = WriteInParts(file(), offset, bytes);
  return code == SQLITE_OK ? absl::OkStatus() : ToStatus(code, "write", path_);
}

absl::Status File::FillWithZeros(int64_t from, int64_t to) {
  const std::string zeros(kPartOfFile, '\0');
  while (from < to) {
    const auto part = std::min(kPartOfFile, to - from);
    absl::Status status = Write(from, std::string_view(zeros).substr(0, static_cast<size_t>(part)));
    if (!status.ok()) return status;
    from += part;
  }
  return absl::OkStatus();
}

absl::Status File::Truncate(int64_t size) {
  return ToStatus(file()->pMethods->xTruncate(file(), size), "truncate", path_);
}

absl::Status File::Sync() {
  // Only the data and what is needed to read it, as SQLite syncs a WAL.
  const int flags = SQLITE_SYNC_NORMAL | SQLITE_SYNC_DATAONLY;
  return ToStatus(file()->pMethods->xSync(file(), flags), "sync", path_);
}

absl::Status File::WriteAgain(int64_t from, int64_t to) {
  std::string part;
  for (; from < to; from += std::ssize(part)) {
    part.resize(static_cast<size_t>(std::min(to - from, kPartOfFile)));
    absl::Status status = Read(from, part.data(), static_cast<int>(part.size()));
    if (status.ok()) status = Write(from, part);
    if (!status.ok()) return status;
  }
  return absl::OkStatus();
}

absl::StatusOr<int64_t> File::Size() const {
  sqlite3_int64 size = 0;
  const int code = file()->pMethods->xFileSize(file(), &size);
  if (code != SQLITE_OK) return ToStatus(code, "read the size of", path_);
  return int64_t{size};
}

}  // namespace lockstep::sqlite
