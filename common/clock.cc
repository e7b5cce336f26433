#include "common/clock.h"

#include <chrono>

#include "absl/time/clock.h"

namespace lockstep {

absl::Time SystemClock::WallNow() const { return absl::Now(); }

absl::Duration SystemClock::MonotonicNow() const {
  return absl::FromChrono(std::chrono::steady_clock::now().time_since_epoch());
}

}  // namespace lockstep
