// How far time has come in the life of a decision log.
#ifndef LOCKSTEP_COORDINATOR_LOG_TIMES_H_
#define LOCKSTEP_COORDINATOR_LOG_TIMES_H_

#include <algorithm>

#include "absl/time/time.h"

namespace lockstep::coordinator {

// An instant by LogClock, and the latest that it may be then by any wall clock that was seen,
// before which no expire_time is taken. That one passes at least as fast, across restarts too: so
// what the former has made old has expired by the latter.
struct LogTimes {
  absl::Time log = absl::UnixEpoch();
  absl::Time latest_wall = absl::UnixEpoch();
};

// The latest of them that are known. One thread uses it.
class KnownTimes {
 public:
  KnownTimes() = default;
  explicit KnownTimes(const LogTimes& times) : times_(times) {}

  const LogTimes& get() const { return times_; }

  // It is `now` by LogClock, or was; the wall clock has passed as well.
  void See(absl::Time now) {
    if (now <= times_.log) return;
    times_.latest_wall += now - times_.log;
    times_.log = now;
  }
  // `times` may lie before what is known: both have passed since. Returns how far a wall clock has
  // leapt beside that.
  absl::Duration See(const LogTimes& times) {
    See(times.log);
    const absl::Time before = times_.latest_wall;
    times_.latest_wall = std::max(before, times.latest_wall + (times_.log - times.log));
    return times_.latest_wall - before;
  }

 private:
  LogTimes times_;
};

}  // namespace lockstep::coordinator

#endif  // LOCKSTEP_COORDINATOR_LOG_TIMES_H_
