#include "common/rpc/signal_waiter.h"

#include <gtest/gtest.h>
#include <signal.h>
#include <unistd.h>

namespace lockstep::rpc {
namespace {

// In a child process: the waiter changes the signals of the whole process.
TEST(SignalWaiterTest, ASignalThatCameBeforeIsNotLost) {
  EXPECT_EXIT(
      {
        SignalWaiter waiter;
        if (waiter.Wait(absl::ZeroDuration()) != 0) _exit(1);
        kill(getpid(), SIGTERM);
        if (waiter.Wait() != SIGTERM) _exit(2);
        kill(getpid(), SIGINT);
        if (waiter.Wait(absl::Seconds(20)) != SIGINT) _exit(3);
        kill(getpid(), SIGPIPE);
        _exit(0);
      },
      testing::ExitedWithCode(0), "");
}

}  // namespace
}  // namespace lockstep::rpc
