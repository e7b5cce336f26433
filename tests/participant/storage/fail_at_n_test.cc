// A participant's store on a disk that fails at each of its operations in turn.
#include <gtest/gtest.h>

#include <algorithm>
#include <cstdio>
#include <random>
#include <set>
#include <string>

#include "tests/participant/storage/store_fixture.h"
#include "tests/support/fail_at_n.h"

namespace lockstep::participant {
namespace {

// Keys of the table: what is told to be there, and what may be there or not.
struct Keys {
  std::set<uint64_t> decided;  // of rounds that were prepared, and whose coordinator says commit
  std::set<uint64_t> local;    // acknowledged local transactions
  std::set<uint64_t> unknown;  // unanswered when the process ended
  bool in_doubt_is_decided = true;
};

class StoreFailAtNTest : public StoreFixture {
 protected:
  StoreFailAtNTest() {
    options_.directory = "/volume";
    options_.take_ownership = false;
    options_.redo_capacity = 1 << 12;
  }

  static std::string InsertKey(uint64_t key) {
    return "INSERT INTO t VALUES (" + std::to_string(key) + ", zeroblob(5000))";
  }

  // The coordinator decides at once what was voted YES, and delivers it.
  absl::Status Decide(uint64_t number) {
    keys_.unknown = {};
    if (absl::Status status = Prepare(Round(number), InsertKey(number)); !status.ok()) {
      return status;
    }
    if (disk_->crashed()) return absl::AbortedError("the process has ended");  // nothing was told
    keys_.decided.insert(number);
    return store_->Commit();
  }
  absl::Status Cut(uint64_t number) {
    if (absl::Status status = Prepare(Round(number), InsertKey(number)); !status.ok()) {
      return status;
    }
    if (disk_->crashed()) return absl::AbortedError("the process has ended");
    keys_.decided.insert(number);
    return FinishCut(number);
  }
  absl::Status FinishCut(uint64_t number) {
    absl::Status status = store_->WriteRedo(Round(number), "kept");
    if (status.ok()) status = store_->Forget();
    return status.ok() ? Redo(number) : status;
  }
  absl::Status Redo(uint64_t number) {
    absl::Status status = store_->Begin();
    if (status.ok()) status = store_->writer().Exec(InsertKey(number));
    return status.ok() ? store_->CommitRedone(At(1)) : status;
  }
  absl::Status RunLocal(uint64_t key) {
    keys_.unknown = {key};
    const absl::Status status = Local(InsertKey(key));
    if (disk_->crashed()) return absl::AbortedError("the process has ended");
    keys_.unknown.clear();
    if (status.ok()) keys_.local.insert(key);
    return status;
  }

  // Until the first error, or the end of the process.
  absl::Status Live() {
    if (absl::Status status = Open(); !status.ok()) return status;
    if (absl::Status status = store_->PersistTerm(1, 0); !status.ok()) return status;
    if (absl::Status status = Local("CREATE TABLE t (k INTEGER PRIMARY KEY, v)"); !status.ok()) {
      return status;
    }
    if (disk_->crashed()) return absl::AbortedError("the process has ended");
    has_table_ = true;
    if (absl::Status status = Decide(1); !status.ok()) return status;
    if (absl::Status status = RollBackOne(2); !status.ok()) return status;
    if (absl::Status status = RunLocal(100); !status.ok()) return status;
    if (absl::Status status = Cut(3); !status.ok()) return status;
    if (absl::Status status = store_->Checkpoint(); !status.ok()) return status;
    if (absl::Status status = Decide(4); !status.ok()) return status;
    if (absl::Status status = store_->SyncIdle(); !status.ok()) return status;
    if (absl::Status status = EndInDoubt(5, [&] { return store_->CommitInDoubt(); });
        !status.ok()) {
      return status;
    }
    if (absl::Status status = EndInDoubt(6, [&] { return FinishCut(6); }); !status.ok()) {
      return status;
    }
    keys_.in_doubt_is_decided = false;
    if (absl::Status status = EndInDoubt(7, [&] { return RollBack(Round(7)); }); !status.ok()) {
      return status;
    }
    return RunLocal(101);
  }
  // A round that a restart finds prepared.
  template <typename End>
  absl::Status EndInDoubt(uint64_t number, const End& end) {
    if (absl::Status status = Prepare(Round(number), InsertKey(number)); !status.ok()) {
      return status;
    }
    if (disk_->crashed()) return absl::AbortedError("the process has ended");
    if (keys_.in_doubt_is_decided) keys_.decided.insert(number);
    if (absl::Status status = Open(); !status.ok()) return status;
    EXPECT_TRUE(disk_->crashed() || store_->held());
    return store_->held() ? end() : absl::AbortedError("the process has ended");
  }
  absl::Status RollBackOne(uint64_t number) {
    if (absl::Status status = Prepare(Round(number), InsertKey(number)); !status.ok()) {
      return status;
    }
    return RollBack(Round(number));
  }

  // A start on the healed disk, with a coordinator that repeats what it decided.
  void Recover() {
    LOCKSTEP_ASSERT_OK(Open());
    if (!has_table_) return;
    if (store_->redo()) {
      LOCKSTEP_ASSERT_OK(Redo(store_->redo()->round.number()));
    }
    while (store_->held()) {
      if (keys_.decided.contains(store_->held()->round.number())) {
        LOCKSTEP_ASSERT_OK(store_->CommitInDoubt());
      } else {
        LOCKSTEP_ASSERT_OK(RollBack(store_->held()->round));
      }
    }
    for (const auto& keys : {keys_.decided, keys_.local}) {
      for (const uint64_t key : keys) {
        ASSERT_EQ(CountOf(key), 1) << "key " << key << " is lost";
      }
    }
    const int64_t unknown = keys_.unknown.empty() ? 0 : CountOf(*keys_.unknown.begin());
    EXPECT_EQ(Number(store_->writer(), "SELECT count(*) FROM t"),
              static_cast<int64_t>(keys_.decided.size() + keys_.local.size()) + unknown);
    EXPECT_EQ(Number(store_->writer(),
                     "SELECT count(*) FROM pragma_integrity_check WHERE integrity_check = 'ok'"),
              1);
    // And it goes on.
    const uint64_t next = std::max(keys_.decided.empty() ? 0 : *keys_.decided.rbegin(), 10UL) + 1;
    LOCKSTEP_ASSERT_OK(Commit(Round(next), InsertKey(next)));
    keys_.decided.insert(next);
    if (unknown > 0) keys_.local.insert(*keys_.unknown.begin());
    keys_.unknown.clear();
  }
  int64_t CountOf(uint64_t key) {
    return Number(store_->writer(), "SELECT count(*) FROM t WHERE k = " + std::to_string(key));
  }

  SimDisk* disk_ = nullptr;
  Keys keys_;
  bool has_table_ = false;
};

TEST_F(StoreFailAtNTest, R5_WhereverTheDiskFailsWhatWasToldIsThereAndNothingIsHalfDone) {  // P9
  int64_t recoveries = 0;
  const int64_t faults = FailAtEach([&](const DiskFault& fault) {
    for (const bool power_loss : {false, true}) {
      SimDisk disk(512);
      disk_ = &disk;
      keys_ = {};
      has_table_ = false;
      options_.base_vfs = disk.vfs_name();
      // From here on it is a ghost, whose work is dropped.
      options_.on_fatal = [&disk](const std::string& why) {
        EXPECT_FALSE(why.empty());
        disk.CrashNow();
      };
      disk.Fail(fault);
      const absl::Status ended = Live();
      const bool failed = disk.failed();
      EXPECT_TRUE(failed || ended.ok()) << ended;
      disk.CrashNow();
      store_.reset();
      disk.Heal();
      std::mt19937_64 random(static_cast<uint64_t>(fault.nth));
      power_loss ? disk.LosePower(random) : disk.KillProcess();
      options_.on_fatal = [](const std::string& why) { ADD_FAILURE() << why; };
      SCOPED_TRACE(power_loss ? "and the power was lost" : "and the process ended");
      Recover();
      ++recoveries;
      store_.reset();
      if (!failed) return false;
      if (power_loss) continue;
      // What was read after a sync that failed is only known to be in the page cache.
      SCOPED_TRACE("and the next one's power was lost");
      disk.CrashNow();
      disk.LosePower(random);
      Recover();
      ++recoveries;
      store_.reset();
    }
    return true;
  });
  std::printf("%ld faults of the participant's disk, %ld recoveries\n", static_cast<long>(faults),
              static_cast<long>(recoveries));
  EXPECT_GT(faults, 400);
}

// Running it again overwrites what was prepared.
TEST_F(StoreFailAtNTest, R9_ACutWhoseSyncFailedIsDurableBeforeItsRoundIsRunAgain) {
  constexpr uint64_t kImages = 20;  // of each power loss
  int64_t cut_off = 0;
  for (int64_t nth = 1;; ++nth) {
    SCOPED_TRACE("before operation " + std::to_string(nth));
    SimDisk disk(512);
    disk_ = &disk;
    keys_ = {};
    options_.base_vfs = disk.vfs_name();
    options_.on_fatal = [&disk](const std::string&) { disk.CrashNow(); };
    LOCKSTEP_ASSERT_OK(Open());
    LOCKSTEP_ASSERT_OK(store_->PersistTerm(1, 0));
    LOCKSTEP_ASSERT_OK(Local("CREATE TABLE t (k INTEGER PRIMARY KEY, v)"));
    has_table_ = true;
    LOCKSTEP_ASSERT_OK(Prepare(Round(1), InsertKey(1)));
    keys_.decided.insert(1);
    disk.FailNextSync();
    store_->WriteRedo(Round(1), "kept").IgnoreError();
    ASSERT_TRUE(disk.crashed());
    store_.reset();
    disk.Heal();
    disk.KillProcess();
    disk.CrashBefore(nth);
    if (Open().ok() && store_->redo()) Redo(1).IgnoreError();
    const bool crashed = disk.crashed();
    disk.CrashNow();
    store_.reset();
    if (!crashed) break;
    ++cut_off;
    disk.KillProcess();
    const Keys keys = keys_;
    for (uint64_t image = 1; image <= kImages; ++image) {
      std::mt19937_64 random(image);
      SimDisk later(512);
      later.Put(disk.ImageAfterPowerLoss(random));
      options_.base_vfs = later.vfs_name();
      keys_ = keys;
      Recover();
      store_.reset();
    }
  }
  EXPECT_GT(cut_off, 10);
}

}  // namespace
}  // namespace lockstep::participant
