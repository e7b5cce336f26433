#include "tests/support/shim_control.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "absl/strings/str_cat.h"
#include "common/check.h"

namespace lockstep::testing_support {

ShimControl::ShimControl(const std::filesystem::path& file) : file_(file.string()) {
  const int opened = open(file_.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0644);
  LOCKSTEP_CHECK(opened >= 0, absl::StrCat(file_, ": ", std::strerror(errno)));
  LOCKSTEP_CHECK(ftruncate(opened, sizeof(FaultShimState)) == 0, std::strerror(errno));
  void* mapped =
      mmap(nullptr, sizeof(FaultShimState), PROT_READ | PROT_WRITE, MAP_SHARED, opened, 0);
  LOCKSTEP_CHECK(mapped != MAP_FAILED, std::strerror(errno));
  close(opened);
  state_ = static_cast<FaultShimState*>(mapped);
}

ShimControl::~ShimControl() { munmap(state_, sizeof(FaultShimState)); }

std::vector<std::string> ShimControl::Environment(const std::string& library) const {
  return {absl::StrCat("LD_PRELOAD=", library), absl::StrCat("FAULT_SHIM_FILE=", file_)};
}

void ShimControl::SetClockOffset(absl::Duration offset) {
  state_->clock_offset_ns.store(absl::ToInt64Nanoseconds(offset));
}

void ShimControl::SetSyncDelay(absl::Duration delay) {
  state_->sync_delay_ns.store(absl::ToInt64Nanoseconds(delay));
}

bool ShimControl::HasUsedClockOffset() const {
  return state_->clock_offset_used_ns.load() == state_->clock_offset_ns.load();
}

int64_t ShimControl::delayed_syncs() const { return state_->delayed_syncs.load(); }

}  // namespace lockstep::testing_support
