// A clock that stands still until a test moves it.
#ifndef LOCKSTEP_TESTS_SUPPORT_MANUAL_CLOCK_H_
#define LOCKSTEP_TESTS_SUPPORT_MANUAL_CLOCK_H_

#include <mutex>

#include "absl/time/time.h"
#include "common/check.h"
#include "common/clock.h"

namespace lockstep {

// Every method may be called from every thread. Starts at 2026-01-01 00:00 UTC; the monotonic clock
// at one hour, so that code which takes zero for "never" is found out.
class ManualClock final : public Clock {
 public:
  ManualClock() = default;
  explicit ManualClock(absl::Time wall) : wall_(wall) {}

  absl::Time WallNow() const override {
    std::lock_guard lock(mutex_);
    return wall_;
  }
  absl::Duration MonotonicNow() const override {
    std::lock_guard lock(mutex_);
    return monotonic_;
  }

  // Moves both clocks on. Requires by >= 0.
  void Advance(absl::Duration by) {
    LOCKSTEP_CHECK(by >= absl::ZeroDuration(), "time does not go back; see SetWall");
    std::lock_guard lock(mutex_);
    wall_ += by;
    monotonic_ += by;
  }

  // Sets the wall clock alone, back too, as an operator or NTP does.
  void SetWall(absl::Time wall) {
    std::lock_guard lock(mutex_);
    wall_ = wall;
  }

 private:
  mutable std::mutex mutex_;
  absl::Time wall_ = absl::FromUnixSeconds(1'767'225'600);
  absl::Duration monotonic_ = absl::Hours(1);
};

}  // namespace lockstep

#endif  // LOCKSTEP_TESTS_SUPPORT_MANUAL_CLOCK_H_
