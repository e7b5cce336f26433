// Finds a prepared round in a WAL that SQLite has not opened yet.
#ifndef LOCKSTEP_PARTICIPANT_STORAGE_WAL_SCAN_H_
#define LOCKSTEP_PARTICIPANT_STORAGE_WAL_SCAN_H_

#include <cstdint>
#include <optional>
#include <string>

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

struct WalScan {
  int64_t end = 0;  // of the valid frames; 0 without any WAL
  std::optional<MaskedRound> masked;
};

// No masked round if the valid frames end otherwise, or if the round's term is 0 or above `term`,
// which is the highest durable one: a higher term is durable before its first frame (P2).
// DATA_LOSS, with `path`, if the frames end where no power loss can have ended them
// (sqlite::FindWalEnd): the store syncs each round before the next one begins, but for its mask.
absl::StatusOr<WalScan> ScanWal(const sqlite::File& wal, const std::string& path, Term term);

}  // namespace lockstep::participant

#endif  // LOCKSTEP_PARTICIPANT_STORAGE_WAL_SCAN_H_
