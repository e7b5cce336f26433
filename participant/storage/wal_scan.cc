#include "participant/storage/wal_scan.h"

#include "common/sqlite/wal_end.h"
#include "common/sqlite/wal_format.h"

namespace lockstep::participant {
namespace {

// The round that masks a commit frame, if `checksum` is what masking makes of `true_checksum`.
std::optional<RoundId> MaskingRound(uint64_t checksum, uint64_t true_checksum, Term term) {
  const uint64_t number = sqlite::MaskWalChecksum(checksum, true_checksum);
  if (number > static_cast<uint64_t>(INT64_MAX)) return std::nullopt;
  const RoundId round = RoundId::FromValue(static_cast<int64_t>(number));
  if (round.term() == 0 || round.term() > term) return std::nullopt;
  return round;
}

}  // namespace

absl::StatusOr<WalScan> ScanWal(const sqlite::File& wal, const std::string& path, Term term) {
  const auto is_masked = [term](uint64_t checksum, uint64_t true_checksum) {
    return MaskingRound(checksum, true_checksum, term).has_value();
  };
  const absl::StatusOr<std::optional<sqlite::WalEnd>> end =
      sqlite::FindWalEnd(wal, path, is_masked);
  if (!end.ok()) return end.status();
  WalScan scan;
  if (!*end) return scan;
  scan.end = (*end)->offset;
  if (!(*end)->frame) return scan;
  const sqlite::WalFrameHeader& frame = *(*end)->frame;
  if (frame.salt != (*end)->header.salt || frame.page_number == 0 ||
      frame.pages_after_commit == 0) {
    return scan;
  }
  const std::optional<RoundId> round = MaskingRound(frame.checksum, (*end)->true_checksum, term);
  if (!round) return scan;
  scan.masked = MaskedRound{.round = *round,
                            .frame = {.offset = (*end)->offset,
                                      .end = (*end)->offset + (*end)->header.frame_size(),
                                      .checksum = (*end)->true_checksum}};
  return scan;
}

}  // namespace lockstep::participant
