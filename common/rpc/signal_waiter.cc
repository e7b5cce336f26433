#include "common/rpc/signal_waiter.h"

#include <pthread.h>

#include <algorithm>
#include <cerrno>

#include "absl/time/clock.h"

namespace lockstep::rpc {

SignalWaiter::SignalWaiter() {
  sigemptyset(&signals_);
  sigaddset(&signals_, SIGTERM);
  sigaddset(&signals_, SIGINT);
  pthread_sigmask(SIG_BLOCK, &signals_, nullptr);
  // A peer that closes its end while we write is an error of that call, not the end of the process.
  signal(SIGPIPE, SIG_IGN);
}

int SignalWaiter::Wait(absl::Duration timeout) {
  const absl::Time deadline = absl::Now() + timeout;
  while (true) {
    int caught = 0;
    if (timeout == absl::InfiniteDuration()) {
      caught = sigwaitinfo(&signals_, nullptr);
    } else {
      const absl::Duration left = std::max(deadline - absl::Now(), absl::ZeroDuration());
      const timespec wait = absl::ToTimespec(left);
      caught = sigtimedwait(&signals_, nullptr, &wait);
    }
    if (caught > 0) return caught;
    if (errno != EINTR) return 0;
  }
}

}  // namespace lockstep::rpc
