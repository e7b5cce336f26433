#include "common/sqlite/file_ownership.h"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "absl/strings/str_cat.h"

namespace lockstep::sqlite {
namespace {

constexpr off_t kFirstLockByte = 0x40000000;
constexpr off_t kLockBytes = 512;

}  // namespace

absl::StatusOr<std::unique_ptr<FileOwnership>> FileOwnership::Take(const std::string& path) {
  const int descriptor = open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0644);
  if (descriptor < 0) {
    return absl::FailedPreconditionError(
        absl::StrCat("cannot open ", path, ": ", std::strerror(errno)));
  }
  auto ownership = std::make_unique<FileOwnership>(descriptor);
  struct flock lock = {};
  lock.l_type = F_WRLCK;
  lock.l_whence = SEEK_SET;
  lock.l_start = kFirstLockByte;
  lock.l_len = kLockBytes;
  if (fcntl(descriptor, F_OFD_SETLK, &lock) == 0) return ownership;
  if (errno == EAGAIN || errno == EACCES) {
    return absl::FailedPreconditionError(
        absl::StrCat(path, " is in use: another process has the database open; stop it first"));
  }
  return absl::FailedPreconditionError(
      absl::StrCat("cannot lock ", path, ": ", std::strerror(errno)));
}

FileOwnership::~FileOwnership() { close(descriptor_); }

}  // namespace lockstep::sqlite
