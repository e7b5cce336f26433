// What a participant's engine is told, and its fixed times and sizes.
#ifndef LOCKSTEP_PARTICIPANT_ENGINE_OPTIONS_H_
#define LOCKSTEP_PARTICIPANT_ENGINE_OPTIONS_H_

#include <cstddef>
#include <cstdint>
#include <string>

#include "absl/time/time.h"
#include "participant/execution/limits.h"
#include "participant/node_report.h"
#include "participant/storage/store_options.h"

namespace lockstep::participant {

// So long after the last commit its sync is made up for, if no other came: or the coordinator would
// keep the last decision for ever (rule P4).
inline constexpr absl::Duration kIdleSyncAfter = absl::Milliseconds(200);
// Between two attempts to re-execute a round (rule R7).
inline constexpr absl::Duration kReexecutionRetry = absl::Seconds(1);
// Local transactions that share one sync.
inline constexpr size_t kLocalGroup = 64;
// Local transactions run for this long at most before other messages are looked at.
inline constexpr absl::Duration kLocalTurn = absl::Milliseconds(20);

struct RoundLimits {
  // Of the branches' bytes in one round's record.
  size_t record_bytes = size_t{64} << 20;
  // Of changed pages in one round; the rest of the round is deferred.
  int64_t cache_bytes = int64_t{64} << 20;
  // Of result rows in one round's votes; the rest of the round is deferred.
  size_t answer_bytes = size_t{32} << 20;
};

struct EngineOptions {
  NodeIdentity name;
  StoreOptions store;
  bool standalone = false;
  int readers = 4;
  // The WAL starts over only when a checkpoint has moved all of it and no query reads it. Queries
  // that overlap for ever would let it grow for ever: from this size on none begins until that is
  // done.
  int64_t wal_limit_bytes = int64_t{64} << 20;
  ExecutionLimits execution;
  RoundLimits round;
};

}  // namespace lockstep::participant

#endif  // LOCKSTEP_PARTICIPANT_ENGINE_OPTIONS_H_
