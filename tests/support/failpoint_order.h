// Where a process is to end, or to stand still, told through a file that it and its test have
// mapped.
#ifndef LOCKSTEP_TESTS_SUPPORT_FAILPOINT_ORDER_H_
#define LOCKSTEP_TESTS_SUPPORT_FAILPOINT_ORDER_H_

#include <atomic>
#include <cstdint>

namespace lockstep {

// All zeros: nowhere. The name is written first, then `armed`: at the how-manieth time.
struct FailpointOrder {
  char name[56];
  std::atomic<int32_t> armed;
  std::atomic<int32_t> reached;  // 1 once the process came there
  std::atomic<int32_t> freezes;  // 1: it stands still until SIGCONT, and goes on from there
  // How often the process and its later runs came to the failpoint of this name; it is written
  // before they start.
  char watched[56];
  std::atomic<int32_t> passed;
};
static_assert(std::atomic<int32_t>::is_always_lock_free);

}  // namespace lockstep

#endif  // LOCKSTEP_TESTS_SUPPORT_FAILPOINT_ORDER_H_
