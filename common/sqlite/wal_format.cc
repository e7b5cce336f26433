#include "common/sqlite/wal_format.h"

#include <bit>
#include <cstring>

#include "common/check.h"

namespace lockstep::sqlite {
namespace {

constexpr uint32_t kWalMagic = 0x377f0682;  // plus 1: checksums read the file as big-endian words
constexpr uint32_t kWalVersion = 3007000;

static_assert(std::endian::native == std::endian::little, "the WAL checksum assumes it");

template <bool kSwap>
WalChecksum AddWords(const char* bytes, size_t size, WalChecksum sum) {
  for (size_t i = 0; i < size; i += 8) {
    uint32_t word[2];
    std::memcpy(word, bytes + i, 8);
    if (kSwap) {
      word[0] = __builtin_bswap32(word[0]);
      word[1] = __builtin_bswap32(word[1]);
    }
    sum.s1 += word[0] + sum.s2;
    sum.s2 += word[1] + sum.s1;
  }
  return sum;
}

}  // namespace

uint32_t LoadBigEndian32(const void* bytes) {
  uint32_t value;
  std::memcpy(&value, bytes, sizeof(value));
  return __builtin_bswap32(value);
}

uint64_t LoadBigEndian64(const void* bytes) {
  uint64_t value;
  std::memcpy(&value, bytes, sizeof(value));
  return __builtin_bswap64(value);
}

void StoreBigEndian32(void* bytes, uint32_t value) {
  value = __builtin_bswap32(value);
  std::memcpy(bytes, &value, sizeof(value));
}

void StoreBigEndian64(void* bytes, uint64_t value) {
  value = __builtin_bswap64(value);
  std::memcpy(bytes, &value, sizeof(value));
}

WalChecksum AddToWalChecksum(bool big_endian, const char* bytes, size_t size, WalChecksum sum) {
  LOCKSTEP_CHECK(size % 8 == 0, "a WAL checksum covers whole pairs of words");
  return big_endian ? AddWords<true>(bytes, size, sum) : AddWords<false>(bytes, size, sum);
}

std::optional<WalHeader> ParseWalHeader(const char* bytes) {
  const uint32_t magic = LoadBigEndian32(bytes);
  if ((magic & ~1u) != kWalMagic || LoadBigEndian32(bytes + 4) != kWalVersion) return std::nullopt;
  WalHeader header;
  header.big_endian_checksum = (magic & 1) != 0;
  header.page_size = LoadBigEndian32(bytes + 8);
  if (!std::has_single_bit(header.page_size) || header.page_size < 512 ||
      header.page_size > 65536) {
    return std::nullopt;
  }
  header.salt = LoadBigEndian64(bytes + 16);
  header.checksum = AddToWalChecksum(header.big_endian_checksum, bytes, 24, {});
  if (header.checksum.AsNumber() != LoadBigEndian64(bytes + 24)) return std::nullopt;
  return header;
}

WalFrameHeader ParseWalFrameHeader(const char* bytes) {
  return {.page_number = LoadBigEndian32(bytes),
          .pages_after_commit = LoadBigEndian32(bytes + 4),
          .salt = LoadBigEndian64(bytes + 8),
          .checksum = LoadBigEndian64(bytes + kWalFrameChecksumOffset)};
}

WalChecksum WalFrameChecksum(const WalHeader& header, const char* frame, WalChecksum before) {
  // The salts and the checksum itself are left out, as SQLite does.
  WalChecksum sum = AddToWalChecksum(header.big_endian_checksum, frame, 8, before);
  return AddToWalChecksum(header.big_endian_checksum, frame + kWalFrameHeaderSize, header.page_size,
                          sum);
}

}  // namespace lockstep::sqlite
