// A disk that refuses a write or a sync: every write of every step, one after the other.
#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <vector>

#include "participant/storage/prepare_store.h"
#include "tests/participant/storage/store_fixture.h"
#include "tests/support/sim_disk.h"

namespace lockstep::participant {
namespace {

class DiskFailureTest : public StoreFixture {
 protected:
  DiskFailureTest() {
    options_.directory = "/volume";
    options_.base_vfs = disk_.vfs_name();
    options_.take_ownership = false;
    options_.on_fatal = [this](const std::string& why) { fatal_.push_back(why); };
  }
  ~DiskFailureTest() override { store_.reset(); }

  std::string Insert(uint64_t key) {
    return "INSERT INTO t VALUES (" + std::to_string(key) + ", zeroblob(400000))";
  }

  // What the process does on its way out is not done.
  void End(SimDisk* disk) {
    disk->CrashNow();
    store_.reset();
  }

  SimDisk disk_{512};
  std::vector<std::string> fatal_;
};

TEST_F(DiskFailureTest, FullDiskAtAnyWriteOfAPrepareLeavesNothingPrepared) {  // P3
  OpenWithTable();
  uint64_t number = 0;
  int64_t failures = 0;
  while (true) {
    disk_.FailWrite(failures + 1);
    ++number;
    const absl::Status status = Prepare(Round(number), Insert(number));
    if (!disk_.failed()) {
      LOCKSTEP_ASSERT_OK(status);
      break;
    }
    ++failures;
    EXPECT_TRUE(absl::IsResourceExhausted(status)) << status;
    ASSERT_FALSE(store_->held().has_value());
    ASSERT_TRUE(store_->writer().autocommit());
    ASSERT_EQ(Seen(), 0);
  }
  EXPECT_GT(failures, 3);  // frames in several writes, and the record
  disk_.FailWrite(0);
  LOCKSTEP_ASSERT_OK(store_->Commit());
  EXPECT_EQ(Seen(), 1);
  LOCKSTEP_ASSERT_OK(Open());
  EXPECT_FALSE(store_->held().has_value());
  EXPECT_EQ(Seen(), 1);
  EXPECT_TRUE(fatal_.empty());
}

TEST_F(DiskFailureTest, FullDiskAtCommitLeavesTheRoundPrepared) {
  OpenWithTable();
  LOCKSTEP_ASSERT_OK(Prepare(Round(1), Insert(1)));
  disk_.FailWrite(1);
  EXPECT_TRUE(absl::IsResourceExhausted(store_->Commit()));
  ASSERT_TRUE(store_->held().has_value());
  EXPECT_EQ(Seen(), 0);
  LOCKSTEP_ASSERT_OK(store_->Commit());
  EXPECT_EQ(Seen(), 1);
}

TEST_F(DiskFailureTest, FullDiskAtAnyWriteOfALocalTransactionLeavesNothing) {
  OpenWithTable();
  for (int64_t nth = 1;; ++nth) {
    disk_.FailWrite(nth);
    const absl::Status status = Local(Insert(static_cast<uint64_t>(nth)));
    if (!disk_.failed()) break;
    EXPECT_FALSE(status.ok());
    ASSERT_EQ(Seen(), 0);
  }
  disk_.FailWrite(0);
  EXPECT_EQ(Seen(), 1);
  EXPECT_TRUE(fatal_.empty());
}

TEST_F(DiskFailureTest, FullDiskAtAnyWriteOfACutIsRepeatedUntilItFits) {  // P5
  OpenWithTable();
  LOCKSTEP_ASSERT_OK(Prepare(Round(1), Insert(1)));
  disk_.FailWrite(1);
  EXPECT_FALSE(store_->WriteRedo(Round(1), "kept").ok());
  ASSERT_TRUE(store_->held().has_value());
  ASSERT_FALSE(store_->redo().has_value());
  LOCKSTEP_ASSERT_OK(store_->WriteRedo(Round(1), "kept"));
  LOCKSTEP_ASSERT_OK(store_->Forget());
  for (int64_t nth = 1;; ++nth) {
    LOCKSTEP_ASSERT_OK(store_->Begin());
    LOCKSTEP_ASSERT_OK(store_->writer().Exec(Insert(1)));
    disk_.FailWrite(nth);
    const absl::Status status = store_->CommitRedone(At(1));
    if (!disk_.failed()) break;
    EXPECT_FALSE(status.ok());
    ASSERT_TRUE(store_->redo().has_value());
    ASSERT_EQ(Seen(), 0);
  }
  disk_.FailWrite(0);
  EXPECT_EQ(Seen(), 1);
  EXPECT_EQ(store_->durable(), Round(1));
}

TEST_F(DiskFailureTest, FullDiskAtTermOrTombstoneKeepsTheOldOne) {
  OpenWithTable();
  disk_.FailWrite(1);
  EXPECT_FALSE(store_->PersistTerm(9, 0).ok());
  EXPECT_EQ(store_->term(), 1u);
  disk_.FailWrite(1);
  EXPECT_FALSE(store_->PersistTombstone(Round(9)).ok());
  EXPECT_EQ(store_->tombstone(), RoundId());
  LOCKSTEP_ASSERT_OK(store_->PersistTerm(9, 0));
  LOCKSTEP_ASSERT_OK(Open());
  EXPECT_EQ(store_->term(), 9u);
}

// Narayana took a scan that had failed for one that found nothing, and rolled back (JBTM-2885).
TEST_F(DiskFailureTest, AStartThatCannotReadIsRefusedAndTakesNothingForGone) {  // R8, R16
  OpenWithTable();
  LOCKSTEP_ASSERT_OK(Commit(Round(1), Insert(1)));
  LOCKSTEP_ASSERT_OK(Prepare(Round(2), Insert(2)));
  int64_t refused = 0;
  for (int64_t nth = 1;; ++nth) {
    store_.reset();
    disk_.BreakRead(nth);
    const absl::Status status = Open();
    const bool failed = disk_.failed();
    disk_.BreakRead(0);
    // An I/O error may also have ended the process, which this test outlives.
    if (!status.ok() || !fatal_.empty()) {
      fatal_.clear();
      ++refused;
      continue;
    }
    ASSERT_TRUE(store_->held().has_value()) << "read " << nth;
    EXPECT_EQ(store_->held()->round, Round(2));
    EXPECT_TRUE(store_->held()->has_record) << "read " << nth;
    EXPECT_EQ(Seen(), 1);
    if (!failed) break;
  }
  EXPECT_GT(refused, 10);
}

// A failed sync ends the process: what is on the disk is unknown, and a second try would "succeed"
// without it (fsyncgate, PostgreSQL).
TEST_F(DiskFailureTest, FailedSyncOfAPrepareIsFatal) {
  OpenWithTable();
  disk_.FailNextSync();
  Prepare(Round(1), Insert(1)).IgnoreError();
  ASSERT_EQ(fatal_.size(), 1u);
  EXPECT_NE(fatal_[0].find("sync"), std::string::npos);
}

TEST_F(DiskFailureTest, FailedSyncOfTheSideFileIsFatal) {
  OpenWithTable();
  disk_.FailNextSync();
  store_->PersistTerm(2, 0).IgnoreError();
  ASSERT_EQ(fatal_.size(), 1u);
  disk_.FailNextSync();
  store_->PersistTombstone(Round(3)).IgnoreError();
  EXPECT_EQ(fatal_.size(), 2u);
}

TEST_F(DiskFailureTest, FailedSyncOfACheckpointIsFatal) {
  OpenWithTable();
  disk_.FailNextSync();
  store_->Checkpoint().IgnoreError();
  EXPECT_EQ(fatal_.size(), 1u);
}

TEST_F(DiskFailureTest, FailedSyncOfALocalTransactionAndOfAnIdleSyncAreFatal) {
  OpenWithTable();
  disk_.FailNextSync();
  Local(Insert(1)).IgnoreError();
  ASSERT_EQ(fatal_.size(), 1u);
  LOCKSTEP_ASSERT_OK(Commit(Round(1), Insert(2)));
  disk_.FailNextSync();
  store_->SyncIdle().IgnoreError();
  EXPECT_EQ(fatal_.size(), 2u);
}

TEST_F(DiskFailureTest, FailedSyncAtTheStartIsFatal) {  // R9
  OpenWithTable();
  store_.reset();
  disk_.FailNextSync();
  EXPECT_FALSE(Open().ok());
  EXPECT_EQ(fatal_.size(), 1u);
}

// What is read after it is in the page cache alone, and a later sync does not change that.
TEST_F(DiskFailureTest, R9_ATermWhoseSyncFailedIsDurableOnceAStartHasReadIt) {
  constexpr int kPowerLosses = 20;
  for (int i = 0; i < kPowerLosses; ++i) {
    std::mt19937_64 random(static_cast<uint64_t>(i));
    SimDisk disk(512);
    options_.base_vfs = disk.vfs_name();
    OpenWithTable();
    disk.FailNextSync();
    store_->PersistTerm(2, 0).IgnoreError();
    End(&disk);
    disk.KillProcess();
    LOCKSTEP_ASSERT_OK(Open());
    ASSERT_EQ(store_->term(), 2u);
    const RoundId round = RoundId::Make(2, 1);
    LOCKSTEP_ASSERT_OK(Prepare(round, Insert(1)));
    End(&disk);
    disk.LosePower(random);
    LOCKSTEP_ASSERT_OK(Open());
    EXPECT_EQ(store_->term(), 2u);
    ASSERT_TRUE(store_->held().has_value()) << "a round that was voted YES is lost";
    EXPECT_EQ(store_->held()->round, round);
    EXPECT_TRUE(store_->held()->has_record);
    store_.reset();
  }
}

TEST_F(DiskFailureTest, R9_AStartAfterASyncThatFailedCanBeCutOffAnywhere) {
  int64_t cut_off = 0;
  for (int64_t nth = 1;; ++nth) {
    std::mt19937_64 random(static_cast<uint64_t>(nth));
    SimDisk disk(512);
    options_.base_vfs = disk.vfs_name();
    OpenWithTable();
    LOCKSTEP_ASSERT_OK(Commit(Round(1), Insert(1)));
    disk.FailNextSync();
    Prepare(Round(2), Insert(2)).IgnoreError();
    End(&disk);
    disk.KillProcess();
    disk.CrashBefore(nth);
    Open().IgnoreError();
    const bool crashed = disk.crashed();
    End(&disk);
    if (!crashed) break;
    ++cut_off;
    disk.LosePower(random);
    LOCKSTEP_ASSERT_OK(Open());
    // Its COMMIT was not synced, and the coordinator repeats it.
    if (store_->held() && store_->held()->round == Round(1)) {
      LOCKSTEP_ASSERT_OK(store_->CommitInDoubt());
    }
    if (store_->held()) LOCKSTEP_ASSERT_OK(RollBack(Round(2)));
    EXPECT_EQ(Seen(), 1);
    LOCKSTEP_ASSERT_OK(Commit(Round(3), Insert(3)));
    EXPECT_EQ(Seen(), 2);
    store_.reset();
  }
  EXPECT_GT(cut_off, 5);
}

// P8 and P9, for the set-up: cut off anywhere, it is simply done again.
TEST_F(DiskFailureTest, SetUpCanBeCutOffAnywhere) {
  std::mt19937_64 random(5);
  for (int sector_size : {512, 4096}) {
    for (int64_t nth = 1;; ++nth) {
      SimDisk disk(sector_size);
      options_.base_vfs = disk.vfs_name();
      disk.CrashBefore(nth);
      Open().IgnoreError();
      store_.reset();
      if (!disk.crashed()) break;
      disk.LosePower(random);
      LOCKSTEP_ASSERT_OK(Open());
      EXPECT_EQ(store_->applied(), RoundId());
      EXPECT_EQ(store_->identity().node_id, "bank-1");
      store_.reset();
    }
  }
}

}  // namespace
}  // namespace lockstep::participant
