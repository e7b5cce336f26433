#include "common/sqlite/wal_end.h"

#include <gtest/gtest.h>

#include <iterator>
#include <string>
#include <string_view>

#include "tests/support/sim_disk.h"

namespace lockstep::sqlite {
namespace {

constexpr char kPath[] = "test.db-wal";
constexpr int kPageSize = 512;
constexpr int64_t kFrameSize = kWalFrameHeaderSize + kPageSize;
constexpr uint64_t kSalt = 0x1122334455667788;
constexpr uint64_t kRound = 5;

// The bytes of a WAL, transaction by transaction.
class WalBuilder {
 public:
  explicit WalBuilder(uint64_t salt = kSalt) {
    bytes_.resize(kWalHeaderSize, '\0');
    StoreBigEndian32(&bytes_[0], 0x377f0682);
    StoreBigEndian32(&bytes_[4], 3007000);
    StoreBigEndian32(&bytes_[8], kPageSize);
    StoreBigEndian64(&bytes_[16], salt);
    sum_ = AddToWalChecksum(/*big_endian=*/false, bytes_.data(), 24, {});
    StoreBigEndian64(&bytes_[24], sum_.AsNumber());
    header_ = *ParseWalHeader(bytes_.data());
  }

  // Adds, or writes over what stands there, a transaction whose pages are full of `content`.
  WalBuilder& Transaction(int frames, char content, bool masked = false) {
    for (int i = 1; i <= frames; ++i) Frame(i == frames ? 9 : 0, content, masked);
    return *this;
  }
  // Goes on from an earlier end, as after a rollback.
  WalBuilder& BackTo(const WalBuilder& earlier) {
    sum_ = earlier.sum_;
    end_ = earlier.end_;
    return *this;
  }

  const std::string& bytes() const { return bytes_; }
  int64_t end() const { return end_; }

 private:
  void Frame(uint32_t pages_after_commit, char content, bool masked) {
    std::string frame(kFrameSize, content);
    StoreBigEndian32(&frame[0], 3);
    StoreBigEndian32(&frame[4], pages_after_commit);
    StoreBigEndian64(&frame[8], header_.salt);
    sum_ = WalFrameChecksum(header_, frame.data(), sum_);
    const bool is_masked = masked && pages_after_commit != 0;
    StoreBigEndian64(&frame[kWalFrameChecksumOffset],
                     is_masked ? MaskWalChecksum(sum_.AsNumber(), kRound) : sum_.AsNumber());
    if (std::ssize(bytes_) < end_ + kFrameSize) bytes_.resize(end_ + kFrameSize);
    bytes_.replace(end_, kFrameSize, frame);
    end_ += kFrameSize;
  }

  std::string bytes_;
  WalHeader header_;
  WalChecksum sum_;
  int64_t end_ = kWalHeaderSize;
};

bool IsMasked(uint64_t checksum, uint64_t true_checksum) {
  return MaskWalChecksum(checksum, true_checksum) == kRound;
}

// Where the WAL ends; -1 if there is none, -2 if it is damaged.
int64_t EndOf(std::string_view wal) {
  SimDisk disk(512);
  auto file = *File::Open(disk.vfs_name(), kPath, File::Mode::kCreate);
  EXPECT_TRUE(file->Write(0, wal).ok());
  const auto end = FindWalEnd(*file, kPath, IsMasked);
  if (!end.ok()) {
    EXPECT_EQ(end.status().code(), absl::StatusCode::kDataLoss);
    EXPECT_NE(end.status().message().find(kPath), absl::string_view::npos);
    return -2;
  }
  return *end ? (*end)->offset : -1;
}

int64_t EndWithFlippedBit(std::string wal, int64_t at) {
  wal[at] = static_cast<char>(wal[at] ^ 0x10);
  return EndOf(wal);
}

TEST(WalEndTest, AFileOfZerosHasNoWal) {
  EXPECT_EQ(EndOf(""), -1);
  EXPECT_EQ(EndOf(std::string(4096, '\0')), -1);
}

TEST(WalEndTest, AWholeWalEndsBehindItsLastFrame) {
  const WalBuilder wal = WalBuilder().Transaction(2, 'a').Transaction(1, 'b');
  EXPECT_EQ(EndOf(wal.bytes()), wal.end());
  EXPECT_EQ(EndOf(wal.bytes() + std::string(3000, '\0')), wal.end());
}

TEST(WalEndTest, ADamagedHeaderIsDamage) {
  const WalBuilder wal = WalBuilder().Transaction(2, 'a');
  for (int64_t at = 0; at < kWalHeaderSize; ++at) {
    EXPECT_EQ(EndWithFlippedBit(wal.bytes(), at), -2) << at;
  }
}

TEST(WalEndTest, DamageToTheLastTransactionIsATornOne) {
  const WalBuilder before = WalBuilder().Transaction(2, 'a');
  const WalBuilder wal = WalBuilder(before).Transaction(3, 'b');
  for (int64_t at = before.end() + 2 * kFrameSize; at < wal.end(); ++at) {
    EXPECT_EQ(EndWithFlippedBit(wal.bytes(), at), before.end() + 2 * kFrameSize) << at;
  }
}

TEST(WalEndTest, R13_DamageToAnEarlierTransactionIsDamage) {
  const WalBuilder before = WalBuilder().Transaction(2, 'a').Transaction(1, 'b');
  const WalBuilder wal = WalBuilder(before).Transaction(2, 'c');
  for (int64_t at = kWalHeaderSize; at < before.end(); ++at) {
    EXPECT_EQ(EndWithFlippedBit(wal.bytes(), at), -2) << at;
  }
}

// Else a header of a rolled-back transaction in one sector, with the new one's in the next, would
// be taken for the end of a durable one.
TEST(WalEndTest, AHeaderAcrossTwoSectorsProvesNothing) {
  WalBuilder wal;
  while (wal.end() % 512 != 496) wal.Transaction(1, 'a');  // 16 of its 24 bytes are in one sector
  const int64_t at = wal.end();
  wal.Transaction(1, 'b').Transaction(1, 'c');
  EXPECT_EQ(EndWithFlippedBit(wal.bytes(), at + 100), at);
}

TEST(WalEndTest, WhatIsLeftOfARolledBackTransactionIsNoDamage) {
  const WalBuilder before = WalBuilder().Transaction(1, 'a');
  const WalBuilder rolled_back = WalBuilder(before).Transaction(6, 'b', /*masked=*/true);
  const WalBuilder wal = WalBuilder(rolled_back).BackTo(before).Transaction(2, 'c');
  EXPECT_EQ(EndOf(wal.bytes()), wal.end());
  // The new one is torn: any of its sectors may be the old one's.
  for (int64_t sector = 0; sector * 512 < wal.end(); ++sector) {
    std::string torn = wal.bytes();
    torn.replace(sector * 512, 512, rolled_back.bytes(), sector * 512, 512);
    EXPECT_NE(EndOf(torn), -2) << "sector " << sector;
  }
}

TEST(WalEndTest, AnOlderWalBehindTheEndIsNoDamage) {
  const WalBuilder older = WalBuilder(kSalt - 1).Transaction(1, 'a').Transaction(6, 'b');
  const WalBuilder newer = WalBuilder().Transaction(3, 'c');
  std::string wal = older.bytes();
  wal.replace(0, newer.end(), newer.bytes());
  EXPECT_EQ(EndOf(wal), newer.end());
  for (int64_t sector = 1; sector * 512 < newer.end(); ++sector) {
    std::string torn = wal;
    torn.replace(sector * 512, 512, older.bytes(), sector * 512, 512);
    EXPECT_NE(EndOf(torn), -2) << "sector " << sector;
  }
}

// P4: the mask is taken away without a sync, and the next round is written behind it.
TEST(WalEndTest, P4_AMaskedFrameIsTheEndAlthoughTheNextRoundContinuesIt) {
  const WalBuilder before = WalBuilder().Transaction(2, 'a');
  const WalBuilder masked = WalBuilder(before).Transaction(2, 'b', /*masked=*/true);
  const WalBuilder wal = WalBuilder(masked).Transaction(3, 'c', /*masked=*/true);
  EXPECT_EQ(EndOf(wal.bytes()), masked.end() - kFrameSize);
}

// But not if a third one was written: the second one's sync has made the mask's end durable.
TEST(WalEndTest, P4_AMaskThatCameBackIsDamage) {
  const WalBuilder masked = WalBuilder().Transaction(2, 'b', /*masked=*/true);
  const WalBuilder wal = WalBuilder(masked).Transaction(3, 'c').Transaction(1, 'd');
  EXPECT_EQ(EndOf(wal.bytes()), -2);
}

}  // namespace
}  // namespace lockstep::sqlite
