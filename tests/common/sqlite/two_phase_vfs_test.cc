// The file layer below native PREPARE, without the store above it.
#include "common/sqlite/two_phase_vfs.h"

#include <gtest/gtest.h>
#include <sqlite3.h>

#include <memory>
#include <string>
#include <vector>

#include "common/sqlite/connection.h"
#include "common/sqlite/file.h"
#include "common/sqlite/wal_format.h"
#include "tests/support/sim_disk.h"

namespace lockstep::sqlite {
namespace {

constexpr char kPath[] = "/data.db";

class TwoPhaseVfsTest : public testing::Test {
 protected:
  TwoPhaseVfsTest() {
    TwoPhaseVfsOptions options;
    options.base_vfs = disk_.vfs_name();
    options.clock = &clock_;
    options.on_fatal = [this](const std::string& why) { fatal_.push_back(why); };
    vfs_ = *TwoPhaseVfs::Register(options);
    writer_ = *Connection::Open(kPath, {.vfs = vfs_->writer_name()});
    EXPECT_TRUE(writer_->Set(Switch::kNoCheckpointOnClose, true).ok());
    Run("PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL; PRAGMA wal_autocheckpoint = 0;"
        "PRAGMA cache_spill = OFF");
    vfs_->ArmPlain();
    Run("CREATE TABLE t (x)");
    vfs_->Disarm(true);
  }

  void Run(const std::string& sql) {
    const absl::Status status = writer_->Exec(sql);
    EXPECT_TRUE(status.ok()) << status;
  }
  std::string ReadWal() {
    auto file = *File::Open(disk_.vfs_name(), std::string(kPath) + "-wal", File::Mode::kExisting);
    std::string bytes(static_cast<size_t>(*file->Size()), '\0');
    EXPECT_TRUE(file->Read(0, bytes.data(), static_cast<int>(bytes.size())).ok());
    return bytes;
  }

  SimDisk disk_{512};
  FrozenClock clock_;
  std::vector<std::string> fatal_;
  std::unique_ptr<TwoPhaseVfs> vfs_;
  std::unique_ptr<Connection> writer_;
};

TEST_F(TwoPhaseVfsTest, MaskedCommitDiffersFromAPlainOneInEightBytesThatNameTheRound) {
  constexpr uint64_t kId = 0x0000100000000007;
  vfs_->ArmMasked(kId);
  Run("INSERT INTO t VALUES (1)");
  const std::optional<CommitFrame> frame = vfs_->Disarm(true);
  vfs_->Hide();
  ASSERT_TRUE(frame.has_value());

  const std::string wal = ReadWal();
  const std::optional<WalHeader> header = ParseWalHeader(wal.data());
  ASSERT_TRUE(header.has_value());
  EXPECT_EQ((frame->offset - kWalHeaderSize) % header->frame_size(), 0);
  EXPECT_EQ(frame->end, frame->offset + header->frame_size());
  EXPECT_EQ((frame->offset + kWalFrameChecksumOffset) % 8, 0);  // so it lies in one sector
  WalChecksum sum = header->checksum;
  for (int64_t at = kWalHeaderSize; at <= frame->offset; at += header->frame_size()) {
    sum = WalFrameChecksum(*header, wal.data() + at, sum);
    const uint64_t stored = ParseWalFrameHeader(wal.data() + at).checksum;
    if (at < frame->offset) {
      EXPECT_EQ(stored, sum.AsNumber());
    } else {
      EXPECT_EQ(sum.AsNumber(), frame->checksum);
      EXPECT_EQ(MaskWalChecksum(stored, sum.AsNumber()), kId);
    }
  }
  ASSERT_TRUE(vfs_->Unmask(*frame).ok());
  EXPECT_EQ(ParseWalFrameHeader(ReadWal().data() + frame->offset).checksum, frame->checksum);
  vfs_->Publish();
}

TEST_F(TwoPhaseVfsTest, FrameOutsideAnArmedCommitEndsTheProcess) {  // P0
  EXPECT_TRUE(fatal_.empty());
  EXPECT_FALSE(writer_->Exec("INSERT INTO t VALUES (1)").ok());
  ASSERT_FALSE(fatal_.empty());
  EXPECT_NE(fatal_[0].find("outside an armed COMMIT"), std::string::npos);
}

TEST_F(TwoPhaseVfsTest, SpilledCacheEndsTheProcess) {  // P0
  Run("PRAGMA cache_size = 2; PRAGMA cache_spill = 1; BEGIN");
  writer_
      ->Exec(
          "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n LIMIT 500) "
          "INSERT INTO t SELECT zeroblob(3000) FROM n")
      .IgnoreError();
  EXPECT_FALSE(fatal_.empty());
}

TEST_F(TwoPhaseVfsTest, WalIsNeverDeleted) {
  sqlite3_vfs* shim = sqlite3_vfs_find(vfs_->writer_name().c_str());
  ASSERT_NE(shim->xDelete(shim, "/data.db-wal", 1), SQLITE_OK);
  // SQLite's own default at the last close, too.
  EXPECT_TRUE(writer_->Set(Switch::kNoCheckpointOnClose, false).ok());
  writer_.reset();
  EXPECT_TRUE(*File::Exists(disk_.vfs_name(), "/data.db-wal"));
}

TEST_F(TwoPhaseVfsTest, WalIsNeverTruncated) {  // P7
  const size_t before = ReadWal().size();
  sqlite3_wal_checkpoint_v2(writer_->handle(), "main", SQLITE_CHECKPOINT_TRUNCATE, nullptr,
                            nullptr);
  EXPECT_EQ(ReadWal().size(), before);
}

TEST_F(TwoPhaseVfsTest, DeviceCharacteristicsAreTheDisks) {  // P10
  sqlite3_file* file = nullptr;
  ASSERT_EQ(sqlite3_file_control(writer_->handle(), "main", SQLITE_FCNTL_FILE_POINTER, &file),
            SQLITE_OK);
  EXPECT_EQ(file->pMethods->xDeviceCharacteristics(file), SQLITE_IOCAP_POWERSAFE_OVERWRITE);
  EXPECT_EQ(file->pMethods->xSectorSize(file), 512);
}

TEST_F(TwoPhaseVfsTest, FailedSyncOfTheWalEndsTheProcess) {
  disk_.FailNextSync();
  vfs_->SyncWal();
  EXPECT_EQ(fatal_.size(), 1u);
}

TEST_F(TwoPhaseVfsTest, FramesOfOneCommitReachTheFileInFewWrites) {
  vfs_->ArmPlain();
  const int64_t before = disk_.operations();
  Run("INSERT INTO t VALUES (zeroblob(40000))");
  vfs_->Disarm(true);
  EXPECT_EQ(disk_.operations() - before, 1);
}

TEST_F(TwoPhaseVfsTest, RefusedCommitIsForgottenByEverybody) {
  Run("BEGIN; INSERT INTO t VALUES (1)");
  vfs_->ArmMasked(7);
  disk_.FailWrite(1);
  EXPECT_FALSE(writer_->Exec("COMMIT").ok());
  EXPECT_FALSE(vfs_->Disarm(false).has_value());
  // The gate is open again.
  auto reader = *Connection::Open(kPath, {.vfs = vfs_->reader_name(), .read_only = true});
  EXPECT_TRUE(reader->Set(Switch::kNoCheckpointOnClose, true).ok());
  EXPECT_TRUE(reader->Exec("SELECT * FROM t").ok());
}

TEST(WalFormatTest, MaskIsItsOwnInverseAndNeverNothing) {  // P2
  for (const uint64_t number : {uint64_t{0}, uint64_t{1}, (uint64_t{1} << 63) - 1}) {
    const uint64_t masked = MaskWalChecksum(0x0123456789abcdef, number);
    EXPECT_NE(masked, 0x0123456789abcdefu);
    EXPECT_EQ(MaskWalChecksum(masked, number), 0x0123456789abcdefu);
    EXPECT_EQ(MaskWalChecksum(masked, 0x0123456789abcdef), number);
  }
}

TEST(WalFormatTest, HeaderThatSqliteWouldNotAcceptIsNone) {
  char header[kWalHeaderSize] = {};
  EXPECT_FALSE(ParseWalHeader(header).has_value());
  StoreBigEndian32(header, 0x377f0682);
  StoreBigEndian32(header + 4, 3007000);
  StoreBigEndian32(header + 8, 4096);
  StoreBigEndian64(header + 24, AddToWalChecksum(false, header, 24, {}).AsNumber());
  ASSERT_TRUE(ParseWalHeader(header).has_value());
  EXPECT_EQ(ParseWalHeader(header)->page_size, 4096u);
  header[20] ^= 1;  // a salt that the checksum does not cover
  EXPECT_FALSE(ParseWalHeader(header).has_value());
}

TEST(WalFormatTest, BigEndianChecksumReadsTheSameNumbersFromSwappedWords) {
  const char words[8] = {1, 2, 3, 4, 5, 6, 7, 8};
  const char swapped[8] = {4, 3, 2, 1, 8, 7, 6, 5};
  EXPECT_EQ(AddToWalChecksum(false, words, 8, {}), AddToWalChecksum(true, swapped, 8, {}));
}

}  // namespace
}  // namespace lockstep::sqlite
