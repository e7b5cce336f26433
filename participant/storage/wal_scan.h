// Finds a prepared round in a WAL that SQLite has not opened yet.
#ifndef LOCKSTEP_PARTICIPANT_STORAGE_WAL_SCAN_H_
#define LOCKSTEP_PARTICIPANT_STORAGE_WAL_SCAN_H_

#include <cstdint>
#include <optional>

#include "absl/status/statusor.h"
#include "common/round_id.h"
#include "common/sqlite/file.h"
#include "common/sqlite/wal_writer.h"

namespace lockstep::participant {

// A commit frame right behind the valid frames, whose checksum is not right but would be if it was
// masked for `round`. A hint: a torn frame yields a random round.
struct MaskedRound {
  RoundId round;
  sqlite::CommitFrame frame;
};

// Nothing if the valid frames end otherwise, or if the round's term is 0 or above `term`, which is
// the highest durable one: a higher term is durable before its first frame (P2).
absl::StatusOr<std::optional<MaskedRound>> ScanWal(const sqlite::File& wal, Term term);

}  // namespace lockstep::participant

#endif  // LOCKSTEP_PARTICIPANT_STORAGE_WAL_SCAN_H_
