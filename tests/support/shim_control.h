// The test's end of a FaultShimState.
#ifndef LOCKSTEP_TESTS_SUPPORT_SHIM_CONTROL_H_
#define LOCKSTEP_TESTS_SUPPORT_SHIM_CONTROL_H_

#include <filesystem>
#include <string>
#include <vector>

#include "absl/time/time.h"
#include "tests/support/fault_shim.h"

namespace lockstep::testing_support {

class ShimControl {
 public:
  // Makes the file.
  explicit ShimControl(const std::filesystem::path& file);
  ~ShimControl();
  ShimControl(const ShimControl&) = delete;
  ShimControl& operator=(const ShimControl&) = delete;

  // What a server needs in its environment to obey.
  std::vector<std::string> Environment(const std::string& library) const;

  // At once, also in a server that runs; they stay when it is started again.
  void SetClockOffset(absl::Duration offset);
  void SetSyncDelay(absl::Duration delay);
  // Whether the server, or its last run, has looked at a clock with the offset that is set.
  bool HasUsedClockOffset() const;
  // Syncs that were slowed so far, in all runs.
  int64_t delayed_syncs() const;

 private:
  const std::string file_;
  FaultShimState* state_;
};

}  // namespace lockstep::testing_support

#endif  // LOCKSTEP_TESTS_SUPPORT_SHIM_CONTROL_H_
