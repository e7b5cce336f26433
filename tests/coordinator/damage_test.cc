// The decision log on a disk that changed what was written long ago.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cstdio>
#include <memory>
#include <random>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "common/sqlite/connection.h"
#include "coordinator/decision_keys.h"
#include "tests/coordinator/decision_log_fixture.h"
#include "tests/support/sim_disk.h"

namespace lockstep::coordinator {
namespace {

using testing::HasSubstr;

constexpr int kSectorSize = 512;
// Between lengths of a file that ends early: it falls everywhere within pages and frames.
constexpr size_t kOddStep = 97;

class DecisionLogDamageTest : public SqliteDecisionLogTest {
 protected:
  void SetUp() override {
    WriteWhatTheFileHolds();
    WriteWhatTheWalHolds();
    ReadWhatIsThere();
    ASSERT_FALSE(HasFailure());
  }

  // Everything that a coordinator asks of the log, as text.
  absl::StatusOr<std::string> ReadAll(const SimDisk::Image& image) const {
    SimDisk disk(kSectorSize);
    disk.Put(image);
    absl::StatusOr<std::unique_ptr<SqliteDecisionLog>> log =
        SqliteDecisionLog::Open(OptionsOn(disk));
    if (!log.ok()) return log.status();
    if (absl::Status status = (*log)->SetMembers(ThreeMembers()); !status.ok()) return status;
    absl::StatusOr<RecoveredState> state = (*log)->Recover();
    if (!state.ok()) return state.status();
    std::string all =
        absl::StrCat((*log)->log_id(), " clock ", absl::FormatTime(state->clock_floor));
    for (const KeptDecision& open : state->open) {
      absl::StrAppend(&all, " open ", open.round.value());
      for (const KeptBranches& kept : open.kept) {
        absl::StrAppend(&all, " ", kept.participant, ":", kept.cut);
      }
    }
    for (const RoundId durable : state->durable_rounds) {
      absl::StrAppend(&all, " durable ", durable.value());
    }
    for (const uint64_t boot_id : state->boot_ids) absl::StrAppend(&all, " run ", boot_id);
    for (const RoundId round : rounds_) {
      if (absl::Status status = ReadRound(log->get(), round, &all); !status.ok()) return status;
    }
    // Looks for what is old, and finds nothing.
    absl::Status pruned = (*log)->Prune(absl::UnixEpoch()).status();
    if (pruned.ok()) pruned = (*log)->PruneAnswers(absl::UnixEpoch()).status();
    if (!pruned.ok()) return pruned;
    const absl::StatusOr<Term> term = (*log)->NewTerm();
    if (!term.ok()) return term.status();
    return absl::StrCat(all, " term ", *term);
  }

  // What a damaged log is read as has to be what it was, or what it was before the last
  // transaction; an error has to name the file.
  struct Counts {
    int refused = 0;
    int cut = 0;
    int harmless = 0;
  };
  void Try(const SimDisk::Image& image, const std::string& content, bool may_be_cut,
           Counts* counts) const {
    const absl::StatusOr<std::string> read = ReadAll(image);
    if (!read.ok()) {
      ++counts->refused;
      ASSERT_THAT(std::string(read.status().message()), HasSubstr("decision"));
      ASSERT_EQ(read.status().code(), absl::StatusCode::kDataLoss) << read.status();
    } else if (*read == content) {
      ++counts->harmless;
    } else {
      ++counts->cut;
      ASSERT_TRUE(may_be_cut) << *read;
      ASSERT_EQ(*read, contents_[contents_.size() - 2]);
    }
  }

  // A bit in each byte, another one from byte to byte.
  static void Flip(std::string* bytes, size_t at) {
    (*bytes)[at] = static_cast<char>((*bytes)[at] ^ (1 << (at % 8)));
  }

  SqliteDecisionLogOptions OptionsOn(const SimDisk& disk) const {
    SqliteDecisionLogOptions options = Options();
    options.vfs = disk.vfs_name();
    return options;
  }

  // Of a log that was closed: SQLite has moved the WAL into the file then.
  SimDisk::Image closed_;
  std::string closed_content_;
  // Of the same log, opened again, written to and killed.
  SimDisk::Image killed_;
  std::vector<std::string> contents_;  // after each of its last transactions
  std::vector<size_t> wal_sizes_;      // and how long the WAL was then

  std::string* closed_file() { return &closed_[path()]; }
  std::string wal_path() const { return sqlite::ChecksumVfs::WalPath(path()); }
  std::string* wal() { return &killed_[wal_path()]; }

 private:
  Decision NextDecision(SqliteDecisionLog* log, Term term) {
    const RoundId round = RoundId::Make(term, rounds_.size() + 1);
    rounds_.push_back(round);
    Decision decision = DecisionOf(round, {rounds_.size()}, kNow + absl::Seconds(rounds_.size()));
    const std::string id = RequestIdOf(round);
    decision.answers.push_back({.request_id = id,
                                .key = RequestKeyOf(log->log_id(), id),
                                .body = {1, 2},
                                .retention = {kNow + absl::Hours(1), kNow + absl::Hours(1)},
                                .round = {},
                                .answer = "answer of " + id});
    return decision;
  }

  static std::string RequestIdOf(RoundId round) {
    return "request-" + std::to_string(round.value());
  }

  static absl::Status ReadRound(SqliteDecisionLog* log, RoundId round, std::string* all) {
    const absl::StatusOr<LoggedOutcome> outcome =
        log->FindOutcome({round.term(), static_cast<uint64_t>(round.value() & 0xffff)});
    if (!outcome.ok()) return outcome.status();
    absl::StrAppend(all, " outcome ", static_cast<int>(outcome->kind), " ",
                    outcome->databases.size(), " ", absl::FormatTime(outcome->decide_time));
    const auto answer = log->FindAnswer(RequestIdOf(round), {round}, Retention());
    if (!answer.ok()) return answer.status();
    absl::StrAppend(all, " answer ", *answer ? (*answer)->answer : "none");
    return absl::OkStatus();
  }

  void WriteWhatTheFileHolds() {
    SimDisk disk(kSectorSize);
    {
      auto log = *SqliteDecisionLog::Open(OptionsOn(disk));
      ASSERT_TRUE(log->SetMembers(ThreeMembers()).ok());
      const Term term = *log->NewTerm();
      for (int i = 0; i < 4; ++i) {
        ASSERT_TRUE(log->Write(BatchOf({NextDecision(log.get(), term)})).ok());
      }
      LogBatch batch = BatchThatForgets({rounds_[0], rounds_[1]});
      batch.durable_rounds = {{0, rounds_[1]}, {2, rounds_[0]}};
      ASSERT_TRUE(log->Write(batch).ok());
      ASSERT_TRUE(log->Recover().ok());
    }
    closed_ = disk.ImageAfterKill();
  }

  void WriteWhatTheWalHolds() {
    SimDisk disk(kSectorSize);
    disk.Put(closed_);
    auto log = *SqliteDecisionLog::Open(OptionsOn(disk));
    ASSERT_TRUE(log->SetMembers(ThreeMembers()).ok());
    const Term term = *log->NewTerm();
    for (int i = 0; i < 3; ++i) {
      ASSERT_TRUE(log->Write(BatchOf({NextDecision(log.get(), term)})).ok());
      killed_ = disk.ImageAfterKill();
      wal_sizes_.push_back(wal()->size());
    }
    disk.CrashNow();
  }

  void ReadWhatIsThere() {
    closed_content_ = *ReadAll(closed_);
    for (const size_t size : wal_sizes_) {
      SimDisk::Image image = killed_;
      image[wal_path()].resize(size);
      contents_.push_back(*ReadAll(image));
    }
  }

  std::vector<RoundId> rounds_;
};

TEST_F(DecisionLogDamageTest, R16_AFlippedBitInTheFileIsRefusedByName) {
  Counts counts;
  for (size_t at = 0; at < closed_file()->size(); ++at) {
    SCOPED_TRACE(absl::StrCat("byte ", at, " of the file"));
    Flip(closed_file(), at);
    Try(closed_, closed_content_, /*may_be_cut=*/false, &counts);
    Flip(closed_file(), at);
    if (HasFatalFailure()) return;
  }
  std::printf("%zu bytes: %d refused, %d harmless\n", closed_file()->size(), counts.refused,
              counts.harmless);
  EXPECT_EQ(counts.harmless, 0);
}

TEST_F(DecisionLogDamageTest, R16_AFlippedBitInTheWalIsRefusedUnlessItTearsTheLastTransaction) {
  Counts counts;
  const size_t last = wal_sizes_[wal_sizes_.size() - 2];
  for (size_t at = 0; at < wal()->size(); ++at) {
    SCOPED_TRACE(absl::StrCat("byte ", at, " of the WAL"));
    Flip(wal(), at);
    Try(killed_, contents_.back(), /*may_be_cut=*/at >= last, &counts);
    Flip(wal(), at);
    if (HasFatalFailure()) return;
  }
  std::printf("%zu bytes: %d refused, %d cut, %d harmless\n", wal()->size(), counts.refused,
              counts.cut, counts.harmless);
  EXPECT_GE(counts.refused, static_cast<int>(last));
  EXPECT_EQ(counts.harmless, 0);
}

TEST_F(DecisionLogDamageTest, R13_AWalThatEndsWithinItsLastTransactionIsCutBeforeIt) {
  Counts counts;
  const size_t last = wal_sizes_[wal_sizes_.size() - 2];
  for (size_t size = wal()->size() - 1; size >= last + kOddStep; size -= kOddStep) {
    SCOPED_TRACE(absl::StrCat(size, " bytes of the WAL"));
    wal()->resize(size);
    Try(killed_, contents_.back(), /*may_be_cut=*/true, &counts);
    if (HasFatalFailure()) return;
  }
  EXPECT_GT(counts.cut, 0);
  EXPECT_EQ(counts.refused, 0);
  EXPECT_EQ(counts.harmless, 0);
}

TEST_F(DecisionLogDamageTest, R16_AFileThatEndsEarlyIsRefusedByName) {
  Counts counts;
  for (size_t size = closed_file()->size() - 1; size > 0; size -= std::min(size, kOddStep)) {
    SCOPED_TRACE(absl::StrCat(size, " bytes of the file"));
    closed_file()->resize(size);
    Try(closed_, closed_content_, /*may_be_cut=*/false, &counts);
    if (HasFatalFailure()) return;
  }
  EXPECT_GT(counts.refused, 0);
  EXPECT_EQ(counts.harmless, 0);
}

TEST_F(DecisionLogDamageTest, ALogThatIsRefusedStaysAsItIs) {
  SimDisk::Image image = killed_;
  Flip(&image[wal_path()], wal_sizes_[0] - 100);
  SimDisk disk(kSectorSize);
  disk.Put(image);
  EXPECT_EQ(SqliteDecisionLog::Open(OptionsOn(disk)).status().code(), absl::StatusCode::kDataLoss);
  EXPECT_EQ(disk.ImageAfterKill(), image);

  image = killed_;
  Flip(&image[path()], 3 * sqlite::ChecksumVfs::kPageSize);
  disk.Put(image);
  SqliteDecisionLog::Open(OptionsOn(disk)).status().IgnoreError();
  EXPECT_EQ(disk.ImageAfterKill(), image);
}

// The usual form of a block that a disk lost.
TEST_F(DecisionLogDamageTest, R16_ZerosInTheFileAreRefusedByName) {
  Counts counts;
  for (const size_t size : {kSectorSize, sqlite::ChecksumVfs::kPageSize}) {
    for (size_t at = 0; at < closed_file()->size(); at += size) {
      SCOPED_TRACE(absl::StrCat(size, " zeros at ", at));
      SimDisk::Image image = closed_;
      image[path()].replace(at, size, std::string(size, '\0'));
      if (image == closed_) continue;
      Try(image, closed_content_, /*may_be_cut=*/false, &counts);
      if (HasFatalFailure()) return;
    }
  }
  EXPECT_GT(counts.refused, 0);
  EXPECT_EQ(counts.harmless, 0);
}

// A process is killed before its sync, the next one finds what the page cache has, and the power is
// lost while it starts: what the killed one wrote may be gone, and what the next one wrote be
// there.
TEST_F(DecisionLogDamageTest, R13_AKillAndThenALossOfPowerWhileStartingAreNoDamage) {
  for (uint64_t seed = 1; seed <= 2000; ++seed) {
    SCOPED_TRACE(absl::StrCat("seed ", seed));
    std::mt19937_64 random(seed);
    SimDisk disk(kSectorSize);
    disk.Put(closed_);
    {
      auto log = *SqliteDecisionLog::Open(OptionsOn(disk));
      ASSERT_TRUE(log->SetMembers(ThreeMembers()).ok());
      disk.CrashBefore(static_cast<int64_t>(1 + random() % 16));
      log->Write(BatchOf({DecisionOf(RoundId::Make(1, 900), {900})})).IgnoreError();
      disk.CrashNow();
    }
    disk.KillProcess();
    disk.CrashBefore(static_cast<int64_t>(1 + random() % 16));
    {
      auto log = SqliteDecisionLog::Open(OptionsOn(disk));
      ASSERT_TRUE(log.ok()) << log.status();
      (*log)->SetMembers(ThreeMembers()).IgnoreError();
      (*log)->NewTerm().status().IgnoreError();
      disk.CrashNow();
    }
    disk.LosePower(random);
    const absl::Status start = SqliteDecisionLog::Open(OptionsOn(disk)).status();
    ASSERT_TRUE(start.ok()) << start;
  }
}

// An operator looks at the log of a coordinator that was killed.
TEST_F(DecisionLogDamageTest, ALookWithSqlitesOwnToolsLeavesTheLogAsItIs) {
  SimDisk disk(kSectorSize);
  disk.Put(killed_);
  {
    auto tool = *sqlite::Connection::Open(path(), {.vfs = disk.vfs_name()});
    ASSERT_TRUE(tool->Exec("PRAGMA locking_mode = EXCLUSIVE; SELECT * FROM head").ok());
  }
  EXPECT_EQ(disk.ImageAfterKill(), killed_);
}

TEST_F(DecisionLogDamageTest, R16_ALogThatSqlitesOwnToolsHaveChangedIsRefused) {
  SimDisk disk(kSectorSize);
  disk.Put(closed_);
  {
    auto tool = *sqlite::Connection::Open(path(), {.vfs = disk.vfs_name()});
    ASSERT_TRUE(tool->Exec("PRAGMA locking_mode = EXCLUSIVE; UPDATE decision SET open = 0").ok());
  }
  EXPECT_EQ(ReadAll(disk.ImageAfterKill()).status().code(), absl::StatusCode::kDataLoss);
}

}  // namespace
}  // namespace lockstep::coordinator
