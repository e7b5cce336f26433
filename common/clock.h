// Time, passed in: nothing but a Clock asks the system what time it is, so that tests decide it.
#ifndef LOCKSTEP_COMMON_CLOCK_H_
#define LOCKSTEP_COMMON_CLOCK_H_

#include "absl/time/time.h"

namespace lockstep {

// Every method may be called from every thread.
class Clock {
 public:
  virtual ~Clock() = default;

  // What people call the time. May leap, back too, when the machine's clock is set.
  virtual absl::Time WallNow() const = 0;

  // Time since an arbitrary start. Never decreases; the one for timeouts and measurements.
  virtual absl::Duration MonotonicNow() const = 0;

 protected:
  Clock() = default;
  Clock(const Clock&) = default;
  Clock& operator=(const Clock&) = default;
};

// The machine's own clocks. Has no state.
class SystemClock final : public Clock {
 public:
  absl::Time WallNow() const override;
  absl::Duration MonotonicNow() const override;
};

}  // namespace lockstep

#endif  // LOCKSTEP_COMMON_CLOCK_H_
