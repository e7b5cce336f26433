// The instant that SQL sees as 'now' on the writer's connection (rule R23).
#ifndef LOCKSTEP_COMMON_SQLITE_FROZEN_CLOCK_H_
#define LOCKSTEP_COMMON_SQLITE_FROZEN_CLOCK_H_

#include <optional>

#include "absl/time/time.h"

namespace lockstep::sqlite {

// Set before a branch runs, by the thread that owns the writer's connection, and read by SQLite on
// that same thread. While it is empty, 'now' is the wall clock.
class FrozenClock {
 public:
  void Set(absl::Time instant) { instant_ = instant; }
  void Clear() { instant_.reset(); }
  const std::optional<absl::Time>& instant() const { return instant_; }

 private:
  std::optional<absl::Time> instant_;
};

}  // namespace lockstep::sqlite

#endif  // LOCKSTEP_COMMON_SQLITE_FROZEN_CLOCK_H_
