// Where a WAL ends, and whether a power loss can have ended it there.
#ifndef LOCKSTEP_COMMON_SQLITE_WAL_END_H_
#define LOCKSTEP_COMMON_SQLITE_WAL_END_H_

#include <cstdint>
#include <functional>
#include <optional>
#include <string>

#include "absl/status/statusor.h"
#include "common/sqlite/file.h"
#include "common/sqlite/wal_format.h"

namespace lockstep::sqlite {

// The first frame that is not valid: here SQLite ends its recovery.
struct WalEnd {
  WalHeader header;
  int64_t offset = 0;
  // What stands there, and the checksum that it would have to have. Nothing if that is no whole
  // frame.
  std::optional<WalFrameHeader> frame;
  uint64_t true_checksum = 0;
};

// Whether a commit frame that has `checksum` instead of `true_checksum` is right for its writer.
using IsMaskedChecksum = std::function<bool(uint64_t checksum, uint64_t true_checksum)>;

// Reads a WAL to its end. Nothing if there is none: the file is empty, or its header was never
// written.
//
// Requires a writer that syncs the frames of one transaction before it writes those of the next.
// Then a power loss damages the last transaction only, in any way, and SQLite rightly drops it.
// Frames that continue a commit behind the end were written after that commit was durable, so
// something else has damaged it, and SQLite would drop durable transactions without a word:
// DATA_LOSS, with `path` and the place. So is a header that is neither whole nor empty: a disk
// writes the sector that it is in as one. Damage to the last transaction itself looks like a power
// loss; so does damage to the last frame of the one before it, if that frame's header is in two
// sectors or no longer says that it ends a transaction. A start has to make the WAL durable up to
// here before it writes to it: a writer that is gone may have left there what is not.
absl::StatusOr<std::optional<WalEnd>> FindWalEnd(
    const File& wal, const std::string& path,
    const IsMaskedChecksum& is_masked = [](uint64_t, uint64_t) { return false; });

}  // namespace lockstep::sqlite

#endif  // LOCKSTEP_COMMON_SQLITE_WAL_END_H_
