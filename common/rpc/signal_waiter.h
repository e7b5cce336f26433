// Waiting for SIGTERM and SIGINT in a program with threads, without a handler.
#ifndef LOCKSTEP_COMMON_RPC_SIGNAL_WAITER_H_
#define LOCKSTEP_COMMON_RPC_SIGNAL_WAITER_H_

#include <signal.h>

#include "absl/time/time.h"

namespace lockstep::rpc {

// Construct it first thing in main: threads started later inherit the blocked signals, so that only
// Wait gets them. Also ignores SIGPIPE.
class SignalWaiter {
 public:
  SignalWaiter();
  SignalWaiter(const SignalWaiter&) = delete;
  SignalWaiter& operator=(const SignalWaiter&) = delete;

  // The signal that came (SIGTERM or SIGINT), or 0 after `timeout`. One that came before is not
  // lost. One thread at a time.
  int Wait(absl::Duration timeout = absl::InfiniteDuration());

 private:
  sigset_t signals_;
};

}  // namespace lockstep::rpc

#endif  // LOCKSTEP_COMMON_RPC_SIGNAL_WAITER_H_
