// When the WAL is moved into the database, and how it stays bounded.
#ifndef LOCKSTEP_PARTICIPANT_CHECKPOINTER_H_
#define LOCKSTEP_PARTICIPANT_CHECKPOINTER_H_

#include <cstdint>
#include <optional>

#include "absl/time/time.h"
#include "participant/engine_options.h"
#include "participant/reader_pool.h"
#include "participant/storage/prepare_store.h"

namespace lockstep::participant {

// A checkpoint waits for a pause of this length, once the WAL has this size ...
inline constexpr absl::Duration kCheckpointPause = absl::Milliseconds(5);
inline constexpr int64_t kCheckpointInPauseBytes = int64_t{4} << 20;
// ... and for none at all once it has this one.
inline constexpr int64_t kCheckpointAtOnceBytes = int64_t{16} << 20;
// What the WAL is given at a start: it starts over then, after the round at work.
inline constexpr int64_t kWalReserveBytes = kCheckpointAtOnceBytes + (int64_t{4} << 20);
// So long the queries that run then may go on: as long as one may run by default. After that they
// are interrupted, and begin again.
inline constexpr absl::Duration kDrainReaders = absl::Seconds(5);
// How often it is looked whether they have ended.
inline constexpr absl::Duration kDrainLook = absl::Milliseconds(2);

// Runs the checkpoints, each PASSIVE and between rounds (rule P7). Thread: the actor's.
class Checkpointer {
 public:
  Checkpointer(const EngineOptions* options, ReaderPool* readers)
      : options_(*options), readers_(*readers), limit_(options->wal_limit_bytes) {}

  // What is due. Nothing is held, and no transaction is open. `now` and `last_message` are instants
  // of the monotonic clock. Whether a checkpoint was run.
  bool Run(PrepareStore* store, absl::Duration now, absl::Duration last_message);
  // Nothing may be done now, as a round is held. Queries do not wait for its end.
  void Wait(absl::Duration now);
  // When to call the one or the other again, if nothing else happens; infinite for never.
  absl::Duration NextWake(const PrepareStore& store, absl::Duration now,
                          absl::Duration last_message, bool round_is_held) const;

 private:
  bool IsTooLarge(const PrepareStore& store) const;
  void Drain(PrepareStore* store, absl::Duration now);
  void Checkpoint(PrepareStore* store);
  void Release();

  const EngineOptions& options_;
  ReaderPool& readers_;
  // Of the latest checkpoint: what it could not move.
  int64_t pinned_bytes_ = 0;
  // Above the option's after an attempt in vain, so that the next one waits.
  int64_t limit_;
  std::optional<absl::Duration> draining_since_;
};

}  // namespace lockstep::participant

#endif  // LOCKSTEP_PARTICIPANT_CHECKPOINTER_H_
