#include "common/rpc/runtime.h"

#include <malloc.h>

#include "absl/synchronization/mutex.h"

namespace lockstep::rpc {
namespace {

constexpr int kKeptFreeBytes = 64 << 20;
constexpr int kMappedFromBytes = 16 << 20;

}  // namespace

void PrepareRuntime() {
  absl::SetMutexDeadlockDetectionMode(absl::OnDeadlockCycle::kIgnore);
  // Without fast bins there is nothing to consolidate whenever something large is freed; what each
  // thread caches by itself is enough.
  mallopt(M_MXFAST, 0);
  mallopt(M_TRIM_THRESHOLD, kKeptFreeBytes);
  mallopt(M_MMAP_THRESHOLD, kMappedFromBytes);
}

}  // namespace lockstep::rpc
