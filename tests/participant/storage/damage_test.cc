// A participant's files on a disk that changed what was written long ago.
#include <gtest/gtest.h>

#include <algorithm>
#include <cstdio>
#include <functional>
#include <map>
#include <string>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "tests/participant/storage/store_fixture.h"
#include "tests/support/sim_disk.h"

namespace lockstep::participant {
namespace {

constexpr char kWal[] = "/volume/data.db-wal";
constexpr size_t kFrameSize = 512 + 24;
constexpr char kSide[] = "/volume/data.side";

class StoreDamageTest : public StoreFixture {
 protected:
  StoreDamageTest() {
    options_.directory = "/volume";
    options_.take_ownership = false;
    options_.redo_capacity = 1 << 12;
    options_.page_size = kFrameSize - 24;
    options_.wal_reserve = 0;
  }

  void SetUp() override {
    SimDisk disk(512);
    options_.base_vfs = disk.vfs_name();
    ASSERT_NO_FATAL_FAILURE(Live(disk));
    disk.CrashNow();
    store_.reset();
    for (const size_t size : ends_) {
      SimDisk::Image image = files_;
      image[kWal].resize(size);
      contents_.push_back(*ReadAll(image));
    }
  }

  // What the store says of itself and of its rows.
  absl::StatusOr<std::string> ReadAll(const SimDisk::Image& image) {
    SimDisk disk(512);
    disk.Put(image);
    options_.base_vfs = disk.vfs_name();
    if (absl::Status status = Open(); !status.ok()) return status;
    std::string all =
        absl::StrCat("term ", store_->term(), " tombstone ", store_->tombstone().number(),
                     " applied ", store_->applied().number(), " rows ",
                     Number(store_->writer(), "SELECT group_concat(k) FROM t"), " ",
                     Number(store_->writer(), "SELECT sum(k) FROM t"), " ",
                     Number(store_->writer(), "SELECT sum(length(v)) FROM t"));
    if (store_->redo()) absl::StrAppend(&all, " redo ", store_->redo()->round.number());
    if (store_->held()) {
      absl::StrAppend(&all, " held ", store_->held()->round.number(),
                      store_->held()->has_record ? " with " : " without ", store_->held()->record);
    }
    store_.reset();
    return all;
  }

  // Flips a bit in each byte and tells what became of the store, and how often.
  using Verdict = std::function<std::string(const absl::StatusOr<std::string>& read)>;
  std::map<std::string, int> FlipEach(const std::string& name, size_t from, size_t to,
                                      const Verdict& verdict) {
    std::map<std::string, int> counts;
    SimDisk::Image image = files_;
    for (size_t at = from; at < to; ++at) {
      char& byte = image[name][at];
      const char good = byte;
      byte = static_cast<char>(byte ^ (1 << (at % 8)));
      const std::string what = verdict(ReadAll(image));
      ++counts[what];
      EXPECT_FALSE(what.starts_with("WRONG")) << "byte " << at << ": " << what;
      byte = good;
      if (HasFailure()) break;
    }
    for (const auto& [what, count] : counts) {
      std::printf("%s from %zu to %zu: %d %s\n", name.c_str(), from, to, count, what.c_str());
    }
    return counts;
  }

  std::string Judge(const absl::StatusOr<std::string>& read) const {
    if (!read.ok()) {
      const bool is_named = absl::StrContains(read.status().message(), "data.db-wal") ||
                            absl::StrContains(read.status().message(), "the WAL") ||
                            absl::StrContains(read.status().message(), "side file");
      return is_named ? "refused" : absl::StrCat("WRONG: ", read.status().ToString());
    }
    const auto found = std::find(contents_.begin(), contents_.end(), *read);
    if (found == contents_.end() - 1) return "harmless";
    if (found == contents_.end() - 2) return "cut";
    // Which round it is is a hint then (P2): its coordinator decides what becomes of it.
    const std::string& before = contents_[contents_.size() - 2];
    if (read->starts_with(before + " held ") && read->ends_with(" without ")) {
      return "without record";
    }
    return "WRONG: " + *read;
  }

  // Where the whole frames of a WAL of this size end.
  static size_t FrameBefore(size_t size) { return 32 + (size - 32) / kFrameSize * kFrameSize; }

  SimDisk::Image files_;               // after a kill with a round prepared
  std::vector<size_t> ends_;           // of the WAL after each transaction
  size_t record_ = 0;                  // where the prepare record begins
  std::vector<std::string> contents_;  // what is read then

 private:
  void Live(const SimDisk& disk) {
    ASSERT_NO_FATAL_FAILURE(OpenWithTable());
    LOCKSTEP_ASSERT_OK(store_->Checkpoint());
    for (uint64_t number = 1; number <= 3; ++number) {
      ASSERT_NO_FATAL_FAILURE(PrepareKey(number));
      LOCKSTEP_ASSERT_OK(store_->Commit());
      // A sync, as the next round makes it.
      LOCKSTEP_ASSERT_OK(store_->SyncIdle());
      Note(disk);
    }
    LOCKSTEP_ASSERT_OK(store_->PersistTombstone(Round(4)));
    ASSERT_NO_FATAL_FAILURE(PrepareKey(5));
    Note(disk);
    record_ = files_[kWal].rfind(std::string("\0\0\0\0LSPR", 8));
    ASSERT_EQ(record_, FrameBefore(record_));
  }
  void PrepareKey(uint64_t number) {
    LOCKSTEP_ASSERT_OK(Prepare(
        Round(number), absl::StrCat("INSERT INTO t VALUES (", number, ", zeroblob(1200))")));
  }
  void Note(const SimDisk& disk) {
    files_ = disk.ImageAfterKill();
    ends_.push_back(files_[kWal].size());
  }
};

TEST_F(StoreDamageTest, R5_AFlippedBitInTheWalIsRefusedUnlessItTearsTheRoundThatIsPrepared) {
  const auto verdict = [this](const auto& read) { return Judge(read); };
  const size_t prepared = FrameBefore(ends_[ends_.size() - 2]);
  auto counts = FlipEach(kWal, 0, prepared, verdict);
  EXPECT_EQ(counts["refused"], static_cast<int>(prepared));
  counts = FlipEach(kWal, prepared, record_, verdict);
  EXPECT_FALSE(counts.contains("harmless"));
}

TEST_F(StoreDamageTest, R5_ADamagedPrepareRecordIsNoneAndTheRoundStaysInDoubt) {
  const auto verdict = [this](const auto& read) { return Judge(read); };
  const auto counts = FlipEach(kWal, record_, files_[kWal].size(), verdict);
  EXPECT_GT(counts.at("without record"), 0);
  EXPECT_FALSE(counts.contains("cut"));
}

TEST_F(StoreDamageTest, R5_AWalThatEndsWithinThePreparedRoundIsCutBeforeIt) {
  SimDisk::Image image = files_;
  for (size_t size = record_ - 1; size >= FrameBefore(ends_[ends_.size() - 2]); --size) {
    image[kWal].resize(size);
    ASSERT_EQ(Judge(ReadAll(image)), "cut") << size << " bytes of the WAL";
  }
}

TEST_F(StoreDamageTest, R6_AFlippedBitInTheSideFilesStateIsRefused) {
  const auto verdict = [this](const auto& read) -> std::string {
    const bool is_seen = absl::StrContains(read.status().message(), "does not bear its checksum");
    return is_seen ? "seen in its slot" : Judge(read);
  };
  for (const size_t slot : {0, 4096}) {
    const auto counts = FlipEach(kSide, slot, slot + 48, verdict);
    EXPECT_EQ(counts.at("refused"), 4) << "as a format that is too new";
    EXPECT_EQ(counts.at("seen in its slot"), 44);
  }
}

TEST_F(StoreDamageTest, R3_AStateThatIsLostFromTheSideFileIsMissed) {
  for (const size_t slot : {0, 4096}) {
    SimDisk::Image image = files_;
    image[kSide].replace(slot, 512, std::string(512, '\0'));
    EXPECT_EQ(Judge(ReadAll(image)), "refused") << "slot at " << slot;
  }
}

}  // namespace
}  // namespace lockstep::participant
