// The decision log's own time.
#ifndef LOCKSTEP_COORDINATOR_LOG_CLOCK_H_
#define LOCKSTEP_COORDINATOR_LOG_CLOCK_H_

#include "absl/time/time.h"

namespace lockstep::coordinator {

// By it is told what has been kept for long enough. It passes as the steady clock does while a
// coordinator runs, from 0 (1970) when the log is made, and a run goes on where the log says that
// the one before had come: so whoever sets a machine's clock makes nothing older than it is, not
// even between two runs. What is kept is kept for longer by the time that no coordinator ran, and,
// after one that was killed, by what it had not recorded: about a minute, or as long as its disk
// was nearly full.
//
// Does not change; every thread may use it.
class LogClock {
 public:
  // It is `start` now.
  LogClock(absl::Time start, absl::Duration monotonic_now) : start_(start), begin_(monotonic_now) {}

  absl::Time At(absl::Duration monotonic) const { return start_ + (monotonic - begin_); }

 private:
  absl::Time start_;
  absl::Duration begin_;
};

}  // namespace lockstep::coordinator

#endif  // LOCKSTEP_COORDINATOR_LOG_CLOCK_H_
