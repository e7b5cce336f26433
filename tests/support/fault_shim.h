// What a test does to the clock and the disk of one server process that runs.
#ifndef LOCKSTEP_TESTS_SUPPORT_FAULT_SHIM_H_
#define LOCKSTEP_TESTS_SUPPORT_FAULT_SHIM_H_

#include <atomic>
#include <cstdint>

namespace lockstep::testing_support {

// The contents of the file that FAULT_SHIM_FILE names, mapped by the test and by the server.
struct FaultShimState {
  std::atomic<int64_t> clock_offset_ns = 0;  // of the wall clock
  std::atomic<int64_t> sync_delay_ns = 0;    // before every fsync and fdatasync
  // What came of it, told by the server.
  std::atomic<int64_t> clock_offset_used_ns = 0;  // when it looked at the clock last
  std::atomic<int64_t> delayed_syncs = 0;
};
static_assert(std::atomic<int64_t>::is_always_lock_free);

}  // namespace lockstep::testing_support

#endif  // LOCKSTEP_TESTS_SUPPORT_FAULT_SHIM_H_
