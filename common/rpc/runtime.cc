#include "common/rpc/runtime.h"

#include <sys/resource.h>

#include "absl/synchronization/mutex.h"

// jemalloc reads this before main. Few arenas, since a server has few threads that are busy at
// once; unused pages go back after a second, so that an idle server is small and a busy one keeps
// its own.
extern "C" {
extern const char* malloc_conf;
const char* malloc_conf = "narenas:2,dirty_decay_ms:1000,muzzy_decay_ms:0";
}

namespace lockstep::rpc {
namespace {

// What a shell or systemd gives by default is fewer than the connections that clients may open.
void AllowOpenFiles() {
  rlimit files{};
  if (getrlimit(RLIMIT_NOFILE, &files) != 0 || files.rlim_cur == files.rlim_max) return;
  files.rlim_cur = files.rlim_max;
  // Where it is refused, what was allowed before has to do.
  (void)setrlimit(RLIMIT_NOFILE, &files);
}

}  // namespace

void PrepareRuntime() {
  absl::SetMutexDeadlockDetectionMode(absl::OnDeadlockCycle::kIgnore);
  AllowOpenFiles();
}

}  // namespace lockstep::rpc
