#include "coordinator/space_reserve.h"

#include <fcntl.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include <algorithm>
#include <utility>

namespace lockstep::coordinator {
namespace {

// With less free space than this a start, or the decisions of a moment, may not get through.
constexpr uint64_t kLeastForDecisions = 1 << 20;

}  // namespace

SpaceReserve::SpaceReserve(std::string directory, uint64_t least_free_bytes, uint64_t reserve_bytes)
    : directory_(std::move(directory)),
      path_(directory_ + "/reserve"),
      least_free_bytes_(least_free_bytes),
      reserve_bytes_(reserve_bytes) {
  taken_ = Take();
  if (IsNeeded(FreeBytes())) GiveUp();
}

bool SpaceReserve::IsShort() {
  const uint64_t free_bytes = FreeBytes();
  const bool is_short = free_bytes < least_free_bytes_;
  if (taken_ && IsNeeded(free_bytes)) {
    GiveUp();
  } else if (!taken_ && free_bytes > least_free_bytes_ + 2 * reserve_bytes_) {
    taken_ = Take();
  }
  return is_short;
}

bool SpaceReserve::IsNeeded(uint64_t free_bytes) const {
  return free_bytes < std::max(least_free_bytes_ / 4, kLeastForDecisions);
}

uint64_t SpaceReserve::FreeBytes() const {
  struct statvfs stat;
  if (statvfs(directory_.c_str(), &stat) != 0) return 0;
  return static_cast<uint64_t>(stat.f_bavail) * stat.f_frsize;
}

bool SpaceReserve::Take() {
  if (reserve_bytes_ == 0) return false;
  const int file = open(path_.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600);
  if (file < 0) return false;
  const bool allocated = posix_fallocate(file, 0, static_cast<off_t>(reserve_bytes_)) == 0;
  close(file);
  if (!allocated) unlink(path_.c_str());
  return allocated;
}

void SpaceReserve::GiveUp() {
  unlink(path_.c_str());
  taken_ = false;
}

}  // namespace lockstep::coordinator
