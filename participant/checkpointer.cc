#include "participant/checkpointer.h"

#include <algorithm>

#include "common/logging.h"
#include "participant/errors.h"

namespace lockstep::participant {

bool Checkpointer::IsTooLarge(const PrepareStore& store) const {
  return store.wal_bytes() >= limit_ && store.checkpoint_backlog_bytes() > 0;
}

bool Checkpointer::Run(PrepareStore* store, absl::Duration now, absl::Duration last_message) {
  if (draining_since_ || IsTooLarge(*store)) {
    Drain(store, now);
    return true;
  }
  // What a reader pins stays: another try is due only for as much again.
  const int64_t grown = store->checkpoint_backlog_bytes() - pinned_bytes_;
  const bool pause = now >= last_message + kCheckpointPause;
  if (grown < (pause ? kCheckpointInPauseBytes : kCheckpointAtOnceBytes)) return false;
  Checkpoint(store);
  return true;
}

void Checkpointer::Drain(PrepareStore* store, absl::Duration now) {
  if (!draining_since_) {
    readers_.Hold();
    draining_since_ = now;
  }
  if (!readers_.idle()) {
    if (now >= *draining_since_ + kDrainReaders) readers_.InterruptHeld();
    return;
  }
  Checkpoint(store);
  const bool complete = store->checkpoint_backlog_bytes() == 0;
  limit_ = complete ? options_.wal_limit_bytes : store->wal_bytes() + kCheckpointAtOnceBytes;
  Release();
}

void Checkpointer::Checkpoint(PrepareStore* store) {
  if (const absl::Status done = store->Checkpoint(); !done.ok()) {
    Log(LogLevel::kWarning, "a checkpoint failed, and will be tried again",
        {{"reason", FromStorage(done, "move its WAL into the database", options_.name).message}});
  }
  pinned_bytes_ = store->checkpoint_backlog_bytes();
}

void Checkpointer::Wait(absl::Duration now) {
  if (draining_since_ && now >= *draining_since_ + kDrainReaders) Release();
}

void Checkpointer::Release() {
  draining_since_.reset();
  readers_.Release();
}

absl::Duration Checkpointer::NextWake(const PrepareStore& store, absl::Duration now,
                                      absl::Duration last_message, bool round_is_held) const {
  if (round_is_held) {
    return draining_since_ ? *draining_since_ + kDrainReaders : absl::InfiniteDuration();
  }
  if (draining_since_) return now + kDrainLook;
  const int64_t grown = store.checkpoint_backlog_bytes() - pinned_bytes_;
  return grown >= kCheckpointInPauseBytes ? last_message + kCheckpointPause
                                          : absl::InfiniteDuration();
}

}  // namespace lockstep::participant
