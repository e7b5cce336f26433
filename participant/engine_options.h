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
// A checkpoint waits for a pause of this length, once the WAL has this size ...
inline constexpr absl::Duration kCheckpointPause = absl::Milliseconds(5);
inline constexpr int64_t kCheckpointInPauseBytes = int64_t{4} << 20;
// ... and for none at all once it has this one.
inline constexpr int64_t kCheckpointAtOnceBytes = int64_t{16} << 20;
// What the WAL is given at a start: it starts over at kCheckpointAtOnceBytes, after the round at
// work.
inline constexpr int64_t kWalReserveBytes = kCheckpointAtOnceBytes + (int64_t{4} << 20);
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
  // Of local transactions that wait for a prepared round to end.
  size_t waiting_locals = 1000;
  int readers = 4;
  ExecutionLimits execution;
  RoundLimits round;
};

}  // namespace lockstep::participant

#endif  // LOCKSTEP_PARTICIPANT_ENGINE_OPTIONS_H_
