// What a Failpoint does in the programs that tests kill or freeze. FAILPOINT_FILE names a file of
// one FailpointOrder, which the test writes at any time; without it nothing is a failpoint.
#include <fcntl.h>
#include <signal.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cstdlib>
#include <cstring>

#include "common/check.h"
#include "common/failpoint.h"
#include "tests/support/failpoint_order.h"

namespace lockstep {
namespace {

FailpointOrder* MapOrder() {
  const char* path = std::getenv("FAILPOINT_FILE");
  if (path == nullptr) return nullptr;
  const int descriptor = open(path, O_RDWR | O_CLOEXEC);
  LOCKSTEP_CHECK(descriptor >= 0, "FAILPOINT_FILE cannot be opened");
  void* mapped =
      mmap(nullptr, sizeof(FailpointOrder), PROT_READ | PROT_WRITE, MAP_SHARED, descriptor, 0);
  close(descriptor);
  LOCKSTEP_CHECK(mapped != MAP_FAILED, "FAILPOINT_FILE cannot be mapped");
  return static_cast<FailpointOrder*>(mapped);
}

}  // namespace

void Failpoint(const char* name) {
  static FailpointOrder* const order = MapOrder();
  if (order == nullptr) return;
  // Before the end that may follow: one that ends there has come there.
  if (std::strncmp(order->watched, name, sizeof(order->watched)) == 0) order->passed.fetch_add(1);
  if (order->armed.load(std::memory_order_acquire) == 0) return;
  if (std::strncmp(order->name, name, sizeof(order->name)) != 0) return;
  // Several threads may come here at once: one of them takes the last step.
  if (order->armed.fetch_sub(1, std::memory_order_acq_rel) != 1) return;
  const bool freezes = order->freezes.load() != 0;
  order->reached.store(1, std::memory_order_release);
  if (freezes) {
    // To this very thread: it goes no step further, and the others stop with it.
    raise(SIGSTOP);
    return;
  }
  kill(getpid(), SIGKILL);
  for (;;) pause();
}

}  // namespace lockstep
