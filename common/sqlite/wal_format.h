// The bytes of SQLite's write-ahead log, as far as native PREPARE has to know them. Pure code.
//
//   header (32):  magic, version, page size, checkpoint sequence, salt 1, salt 2, checksum (8)
//   frame k at 32 + k * (24 + page size):
//     header (24): page number, pages after commit (0: no commit), salt 1, salt 2, checksum (8)
//     page
//
// All numbers are big-endian. A frame's checksum covers everything from the WAL's header on, so it
// verifies only behind the frames that it was written behind.
#ifndef LOCKSTEP_COMMON_SQLITE_WAL_FORMAT_H_
#define LOCKSTEP_COMMON_SQLITE_WAL_FORMAT_H_

#include <cstddef>
#include <cstdint>
#include <optional>

namespace lockstep::sqlite {

inline constexpr int kWalHeaderSize = 32;
inline constexpr int kWalFrameHeaderSize = 24;
// Where a frame's checksum stands in its header: 8 bytes, 8-aligned in the file, so in one sector.
inline constexpr int kWalFrameChecksumOffset = 16;

uint32_t LoadBigEndian32(const void* bytes);
uint64_t LoadBigEndian64(const void* bytes);
void StoreBigEndian32(void* bytes, uint32_t value);
void StoreBigEndian64(void* bytes, uint64_t value);

// SQLite's running checksum; AsNumber is how it stands in the file.
struct WalChecksum {
  uint32_t s1 = 0;
  uint32_t s2 = 0;

  uint64_t AsNumber() const { return (uint64_t{s1} << 32) | s2; }
  static WalChecksum OfNumber(uint64_t number) {
    return {static_cast<uint32_t>(number >> 32), static_cast<uint32_t>(number)};
  }
  friend bool operator==(const WalChecksum&, const WalChecksum&) = default;
};

struct WalHeader {
  bool big_endian_checksum = false;
  uint32_t page_size = 0;
  uint64_t salt = 0;
  WalChecksum checksum;

  int64_t frame_size() const { return int64_t{kWalFrameHeaderSize} + page_size; }
};

struct WalFrameHeader {
  uint32_t page_number = 0;
  uint32_t pages_after_commit = 0;
  uint64_t salt = 0;
  uint64_t checksum = 0;
};

// Requires kWalHeaderSize bytes. Nothing if SQLite would not accept them.
std::optional<WalHeader> ParseWalHeader(const char* bytes);

// Requires kWalFrameHeaderSize bytes.
WalFrameHeader ParseWalFrameHeader(const char* bytes);

// Requires size to be a multiple of 8.
WalChecksum AddToWalChecksum(bool big_endian, const char* bytes, size_t size, WalChecksum sum);

// The checksum that a frame must have behind frames with checksum `before`. Requires a whole frame.
WalChecksum WalFrameChecksum(const WalHeader& header, const char* frame, WalChecksum before);

// Hides a commit frame's checksum, and the round's number in the hidden one (P2): its
// own inverse, for `number` as well as for `checksum`. Numbers are below 2^63, so the result never
// equals `checksum`.
constexpr uint64_t MaskWalChecksum(uint64_t checksum, uint64_t number) {
  constexpr uint64_t kMask = 0xb7e151628aed2a6b;
  static_assert(kMask >> 63 == 1);
  return checksum ^ kMask ^ number;
}

}  // namespace lockstep::sqlite

#endif  // LOCKSTEP_COMMON_SQLITE_WAL_FORMAT_H_
