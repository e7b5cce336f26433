#include "common/rpc/runtime.h"

#include "absl/synchronization/mutex.h"

// jemalloc reads this before main. Few arenas, since a server has few threads that are busy at
// once; unused pages go back after a second, so that an idle server is small and a busy one keeps
// its own.
extern "C" {
extern const char* malloc_conf;
const char* malloc_conf = "narenas:2,dirty_decay_ms:1000,muzzy_decay_ms:0";
}

namespace lockstep::rpc {

void PrepareRuntime() { absl::SetMutexDeadlockDetectionMode(absl::OnDeadlockCycle::kIgnore); }

}  // namespace lockstep::rpc
