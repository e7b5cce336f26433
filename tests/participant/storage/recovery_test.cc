// Starts of a store: P8, and what a volume must be.
#include <fcntl.h>
#include <gtest/gtest.h>
#include <sqlite3.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <string>
#include <string_view>

#include "participant/storage/prepare_store.h"
#include "tests/participant/storage/store_fixture.h"

namespace lockstep::participant {
namespace {

class StoreRecoveryTest : public StoreFixture {
 protected:
  // Runs `work` on the store in another process, which then kills itself.
  template <typename Work>
  void InKilledProcess(Work work) {
    store_.reset();
    const pid_t child = fork();
    ASSERT_GE(child, 0);
    if (child == 0) {
      if (Open().ok() && work()) kill(getpid(), SIGKILL);
      _exit(1);
    }
    int status = 0;
    ASSERT_EQ(waitpid(child, &status, 0), child);
    ASSERT_TRUE(WIFSIGNALED(status)) << "the work failed before the kill";
  }
  std::string Refusal() {
    const absl::Status status = Open();
    return status.ok() ? "accepted" : std::string(status.message());
  }
};

TEST_F(StoreRecoveryTest, KilledWhilePreparedItIsInDoubtWithItsRecordAndCommits) {
  OpenWithTable();
  InKilledProcess(
      [this] { return Prepare(Round(7), "INSERT INTO t VALUES (1, 'a')", "the branches").ok(); });
  LOCKSTEP_ASSERT_OK(Open());
  ASSERT_TRUE(store_->held().has_value());
  EXPECT_EQ(store_->held()->round, Round(7));
  EXPECT_TRUE(store_->held()->in_doubt);
  EXPECT_TRUE(store_->held()->has_record);
  EXPECT_EQ(store_->held()->record, "the branches");
  EXPECT_EQ(Seen(), 0);

  LOCKSTEP_ASSERT_OK(store_->CommitInDoubt());
  EXPECT_FALSE(store_->held().has_value());
  EXPECT_EQ(store_->applied(), Round(7));
  EXPECT_EQ(store_->durable(), Round(7));
  EXPECT_EQ(Seen(), 1);
  LOCKSTEP_ASSERT_OK(Commit(Round(8), "INSERT INTO t VALUES (2, 'b')"));
  LOCKSTEP_ASSERT_OK(Open());
  EXPECT_EQ(Seen(), 2);
}

TEST_F(StoreRecoveryTest, KilledWhilePreparedItIsForgottenWhenAborted) {
  OpenWithTable();
  InKilledProcess([this] { return Prepare(Round(7), "INSERT INTO t VALUES (1, 'a')").ok(); });
  LOCKSTEP_ASSERT_OK(Open());
  LOCKSTEP_ASSERT_OK(RollBack(Round(7)));
  EXPECT_EQ(Seen(), 0);
  LOCKSTEP_ASSERT_OK(Commit(Round(8), "INSERT INTO t VALUES (2, 'b')"));
  LOCKSTEP_ASSERT_OK(Open());
  EXPECT_EQ(Seen("SELECT k FROM t"), 2);
  EXPECT_EQ(store_->tombstone(), Round(7));
}

TEST_F(StoreRecoveryTest, MaskedRoundIsInDoubtWhateverTheTombstoneSays) {  // R4
  OpenWithTable();
  InKilledProcess([this] {
    return Prepare(Round(7), "INSERT INTO t VALUES (1, 'a')").ok() &&
           store_->PersistTombstone(Round(9)).ok();
  });
  LOCKSTEP_ASSERT_OK(Open());
  EXPECT_EQ(store_->tombstone(), Round(9));
  ASSERT_TRUE(store_->held().has_value());
  EXPECT_EQ(store_->held()->round, Round(7));
}

TEST_F(StoreRecoveryTest, RoundWithoutItsRecordIsInDoubtWithoutIt) {
  OpenWithTable();
  InKilledProcess([this] {
    return Prepare(Round(7), "INSERT INTO t VALUES (1, 'a')", std::string(100, 'x')).ok();
  });
  // The record is the file's end: damage its body.
  Overwrite("data.db-wal", FileOf("data.db-wal").size() - 50, "y");
  LOCKSTEP_ASSERT_OK(Open());
  ASSERT_TRUE(store_->held().has_value());
  EXPECT_FALSE(store_->held()->has_record);
  LOCKSTEP_ASSERT_OK(store_->CommitInDoubt());
  EXPECT_EQ(Seen(), 1);
}

TEST_F(StoreRecoveryTest, ARecordThatBelongsToOtherFramesOfTheRoundIsNotItsRecord) {  // R5
  OpenWithTable();
  InKilledProcess(
      [this] { return Prepare(Round(7), "INSERT INTO t VALUES (1, 'a')", "the first try").ok(); });
  const std::string first = FileOf("data.db-wal");
  InKilledProcess([this] {
    return store_->Forget().ok() &&
           Prepare(Round(7), "INSERT INTO t VALUES (1, 'b')", "the second try").ok();
  });
  // The second try's record never reached the disk: the first one's is still in its place.
  const size_t record = first.rfind("LSPR") - 4;
  Overwrite("data.db-wal", record, std::string_view(first).substr(record));
  LOCKSTEP_ASSERT_OK(Open());
  ASSERT_TRUE(store_->held().has_value());
  EXPECT_EQ(store_->held()->round, Round(7));
  EXPECT_FALSE(store_->held()->has_record);
}

TEST_F(StoreRecoveryTest, AMaskOfATermThatIsNotDurableIsIgnored) {  // P2
  const std::string side = options_.directory + "/data.side";
  const std::string side_of_term_1 = directory_ + "/data.side";
  OpenWithTable();
  std::filesystem::copy_file(side, side_of_term_1);
  InKilledProcess([this] {
    return store_->PersistTerm(2, 0).ok() &&
           Prepare(Round(7, 2), "INSERT INTO t VALUES (1, 'a')").ok();
  });
  std::filesystem::copy_file(side_of_term_1, side,
                             std::filesystem::copy_options::overwrite_existing);
  LOCKSTEP_ASSERT_OK(Open());
  EXPECT_FALSE(store_->held().has_value());
  EXPECT_EQ(Seen(), 0);
}

TEST_F(StoreRecoveryTest, InDoubtSurvivesAnotherStartAndANewTerm) {
  OpenWithTable();
  InKilledProcess([this] { return Prepare(Round(7), "INSERT INTO t VALUES (1, 'a')").ok(); });
  InKilledProcess([this] { return store_->PersistTerm(5, 0).ok() && store_->held().has_value(); });
  LOCKSTEP_ASSERT_OK(Open());
  EXPECT_EQ(store_->term(), 5u);
  ASSERT_TRUE(store_->held().has_value());
  EXPECT_EQ(store_->held()->round, Round(7));
}

TEST_F(StoreRecoveryTest, CutThatWasMadeDurableIsFinishedAlone) {  // R7
  OpenWithTable();
  InKilledProcess([this] {
    return Prepare(Round(7), "INSERT INTO t VALUES (1, 'a'); INSERT INTO t VALUES (2, 'b')").ok() &&
           store_->WriteRedo(Round(7), "keep 1").ok();
  });
  LOCKSTEP_ASSERT_OK(Open());
  EXPECT_FALSE(store_->held().has_value());
  ASSERT_TRUE(store_->redo().has_value());
  EXPECT_EQ(store_->redo()->round, Round(7));
  EXPECT_EQ(store_->redo()->body, "keep 1");
  LOCKSTEP_ASSERT_OK(store_->Begin());
  LOCKSTEP_ASSERT_OK(store_->writer().Exec("INSERT INTO t VALUES (1, 'a')"));
  LOCKSTEP_ASSERT_OK(store_->CommitRedone(At(1)));
  LOCKSTEP_ASSERT_OK(Open());
  EXPECT_FALSE(store_->redo().has_value());
  EXPECT_EQ(store_->applied(), Round(7));
  EXPECT_EQ(Seen(), 1);
}

TEST_F(StoreRecoveryTest, CutOfARoundInDoubtIsPossibleWithItsRecord) {
  OpenWithTable();
  InKilledProcess([this] { return Prepare(Round(7), "INSERT INTO t VALUES (1, 'a')").ok(); });
  LOCKSTEP_ASSERT_OK(Open());
  LOCKSTEP_ASSERT_OK(store_->WriteRedo(Round(7), "keep 1"));
  LOCKSTEP_ASSERT_OK(store_->Forget());
  LOCKSTEP_ASSERT_OK(store_->Begin());
  LOCKSTEP_ASSERT_OK(store_->writer().Exec("INSERT INTO t VALUES (5, 'a')"));
  LOCKSTEP_ASSERT_OK(store_->CommitRedone(At(1)));
  EXPECT_EQ(Seen("SELECT k FROM t"), 5);
}

TEST_F(StoreRecoveryTest, BeforeReopenIsCalledWhileTheWriterIsStillOpen) {
  OpenWithTable();
  InKilledProcess([this] { return Prepare(Round(7), "INSERT INTO t VALUES (1, 'a')").ok(); });
  std::unique_ptr<sqlite::Connection> reader;
  options_.before_reopen = [&reader] { reader.reset(); };
  LOCKSTEP_ASSERT_OK(Open());
  reader = *store_->OpenReader();
  EXPECT_EQ(Number(*reader, "SELECT count(*) FROM t"), 0);
  LOCKSTEP_ASSERT_OK(store_->CommitInDoubt());
  EXPECT_EQ(reader, nullptr);
  EXPECT_EQ(Seen(), 1);
}

// Its Commit was not durable when the next round overwrote its record, and power was lost before
// that one's sync returned: it never voted.
TEST_F(StoreRecoveryTest, TheRoundBehindTheOneThatWasInDoubtIsInDoubtThen) {  // P8
  OpenWithTable();
  InKilledProcess([this] { return Prepare(Round(1), "INSERT INTO t VALUES (1, 'a')").ok(); });
  const std::string masked = FileOf("data.db-wal");
  LOCKSTEP_ASSERT_OK(Open());
  LOCKSTEP_ASSERT_OK(store_->CommitInDoubt());
  const std::string committed = FileOf("data.db-wal");
  InKilledProcess([this] { return Prepare(Round(2), "INSERT INTO t VALUES (2, 'b')").ok(); });
  const auto mask = std::mismatch(masked.begin(), masked.end(), committed.begin()).first;
  const auto at = static_cast<size_t>(mask - masked.begin());
  ASSERT_LT(at, masked.size());
  Overwrite("data.db-wal", at, std::string_view(masked).substr(at, 8));

  LOCKSTEP_ASSERT_OK(Open());
  ASSERT_TRUE(store_->held().has_value());
  EXPECT_EQ(store_->held()->round, Round(1));
  EXPECT_FALSE(store_->held()->has_record);
  LOCKSTEP_ASSERT_OK(store_->CommitInDoubt());
  ASSERT_TRUE(store_->held().has_value());
  EXPECT_EQ(store_->held()->round, Round(2));
  EXPECT_TRUE(store_->held()->in_doubt);
  LOCKSTEP_ASSERT_OK(store_->Forget());
  LOCKSTEP_ASSERT_OK(Commit(Round(3), "INSERT INTO t VALUES (3, 'c')"));
  EXPECT_EQ(Seen("SELECT sum(k) FROM t"), 4);
}

TEST_F(StoreRecoveryTest, RegularCloseKeepsThePreparedRound) {
  OpenWithTable();
  LOCKSTEP_ASSERT_OK(Prepare(Round(7), "INSERT INTO t VALUES (1, 'a')"));
  { auto reader = *store_->OpenReader(); }
  LOCKSTEP_ASSERT_OK(Open());
  EXPECT_TRUE(store_->held().has_value());
}

TEST_F(StoreRecoveryTest, IdentityIsKeptAndAnotherNodesVolumeIsRefusedWithBothNames) {  // R22
  LOCKSTEP_ASSERT_OK(Open());
  LOCKSTEP_ASSERT_OK(store_->SetIdentity("log-1", 2, 3));
  LOCKSTEP_ASSERT_OK(Open());
  EXPECT_EQ(store_->identity().log_id, "log-1");
  EXPECT_EQ(store_->identity().role, 2);
  EXPECT_EQ(store_->identity().replicas, 3u);
  options_.node_id = "bank-2";
  const std::string refusal = Refusal();
  EXPECT_NE(refusal.find("bank-1"), std::string::npos) << refusal;
  EXPECT_NE(refusal.find("bank-2"), std::string::npos) << refusal;
}

TEST_F(StoreRecoveryTest, VolumeWithoutItsSideFileIsRefused) {  // R22
  OpenWithTable();
  store_.reset();
  std::filesystem::remove(options_.directory + "/data.side");
  EXPECT_NE(Refusal().find("data.side is missing"), std::string::npos);
  // The refusal made nothing.
  EXPECT_FALSE(std::filesystem::exists(options_.directory + "/data.side"));
}

TEST_F(StoreRecoveryTest, VolumeWithoutItsDatabaseIsRefused) {  // R22
  OpenWithTable();
  store_.reset();
  std::filesystem::remove(options_.directory + "/data.db");
  std::filesystem::remove(options_.directory + "/data.db-wal");
  EXPECT_NE(Refusal().find("the database is missing"), std::string::npos);
}

TEST_F(StoreRecoveryTest, DatabaseOfOtherOriginIsRefusedAndLeftAlone) {
  std::filesystem::create_directories(options_.directory);
  const std::string path = options_.directory + "/data.db";
  sqlite3* db = nullptr;
  ASSERT_EQ(sqlite3_open(path.c_str(), &db), SQLITE_OK);
  ASSERT_EQ(sqlite3_exec(db, "CREATE TABLE mine (x)", nullptr, nullptr, nullptr), SQLITE_OK);
  sqlite3_close(db);
  EXPECT_NE(Refusal().find("was not made by Lockstep"), std::string::npos);
  EXPECT_FALSE(std::filesystem::exists(options_.directory + "/data.side"));
}

TEST_F(StoreRecoveryTest, NewerFormatsAreRefusedNamingBoth) {
  OpenWithTable();
  LOCKSTEP_ASSERT_OK(Local("UPDATE lockstep_state SET format_version = 9"));
  EXPECT_NE(Refusal().find("format 9, but this program knows only up to 1"), std::string::npos);
}

TEST_F(StoreRecoveryTest, NewerSideFileIsRefusedNamingBoth) {
  OpenWithTable();
  store_.reset();
  Overwrite("data.side", 7, "\3");  // the low byte of slot 0's version
  EXPECT_NE(Refusal().find("format 3, but this program knows only up to 1"), std::string::npos);
}

TEST_F(StoreRecoveryTest, AnotherProcessGetsBusyAndASecondStoreIsRefused) {
  OpenWithTable();
  LOCKSTEP_ASSERT_OK(Prepare(Round(1), "INSERT INTO t VALUES (1, 'a')"));
  const std::string path = options_.directory + "/data.db";
  // Opening and closing the file here would drop a lock of POSIX's older kind.
  close(open(path.c_str(), O_RDWR));
  const pid_t child = fork();
  ASSERT_GE(child, 0);
  if (child == 0) {
    sqlite3* db = nullptr;
    if (sqlite3_open(path.c_str(), &db) != SQLITE_OK) _exit(1);
    const int read = sqlite3_exec(db, "SELECT count(*) FROM t", nullptr, nullptr, nullptr);
    const int write = sqlite3_exec(db, "DELETE FROM t", nullptr, nullptr, nullptr);
    _exit(read == SQLITE_BUSY && write == SQLITE_BUSY ? 42 : 2);
  }
  int status = 0;
  ASSERT_EQ(waitpid(child, &status, 0), child);
  EXPECT_EQ(WEXITSTATUS(status), 42);
  const absl::Status second = PrepareStore::Open(options_).status();
  EXPECT_NE(std::string(second.message()).find("another process"), std::string::npos);
  LOCKSTEP_ASSERT_OK(store_->Commit());
  EXPECT_EQ(Seen(), 1);
}

TEST_F(StoreRecoveryTest, SelfTestPassesAndLeavesNothingBehind) {
  OpenWithTable();
  EXPECT_EQ(SelfTest(options_.directory), absl::OkStatus());
  EXPECT_FALSE(std::filesystem::exists(options_.directory + "/self-test"));
}

TEST_F(StoreRecoveryTest, SelfTestFailsWhereAPreparedRoundCanBeSeenOrIsNotFoundAgain) {
  ASSERT_TRUE(Open().ok());
  EXPECT_FALSE(SelfTest(options_.directory, {.no_mask = true}).ok());
  EXPECT_FALSE(SelfTest(options_.directory, {.no_hidden_header = true}).ok());
}

TEST_F(StoreRecoveryTest, AWalThatWasEnlargedInAdvanceIsReadAsTheFramesInItSay) {  // P8
  options_.wal_reserve = int64_t{1} << 20;
  OpenWithTable();
  EXPECT_GE(std::filesystem::file_size(options_.directory + "/data.db-wal"), 1u << 20);
  LOCKSTEP_ASSERT_OK(Prepare(Round(1), "INSERT INTO t VALUES (1, 'a')"));
  EXPECT_EQ(std::filesystem::file_size(options_.directory + "/data.db-wal"), 1u << 20);
  LOCKSTEP_ASSERT_OK(Open());
  ASSERT_TRUE(store_->held());
  EXPECT_EQ(store_->held()->round, Round(1));
  EXPECT_TRUE(store_->held()->has_record);
  LOCKSTEP_ASSERT_OK(store_->CommitInDoubt());
  EXPECT_EQ(store_->applied(), Round(1));
}

TEST_F(StoreRecoveryTest, LargerRedoCapacityEnlargesTheSideFile) {
  OpenWithTable();
  options_.redo_capacity *= 4;
  LOCKSTEP_ASSERT_OK(Open());
  LOCKSTEP_ASSERT_OK(Prepare(Round(1), "INSERT INTO t VALUES (1, 'a')"));
  EXPECT_TRUE(
      store_->WriteRedo(Round(1), std::string(static_cast<size_t>(options_.redo_capacity), 'x'))
          .ok());
}

}  // namespace
}  // namespace lockstep::participant
