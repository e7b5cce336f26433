// Rounds on a store that is not restarted: P3 to P7.
#include "participant/storage/prepare_store.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

#include "tests/participant/storage/store_fixture.h"

namespace lockstep::participant {
namespace {

using PrepareStoreTest = StoreFixture;

TEST_F(PrepareStoreTest, PreparedRoundIsInvisibleUntilCommitShowsIt) {
  OpenWithTable();
  LOCKSTEP_ASSERT_OK(Prepare(Round(1), "INSERT INTO t VALUES (1, 'a')"));
  EXPECT_EQ(Seen(), 0);
  EXPECT_EQ(store_->applied(), RoundId());
  ASSERT_TRUE(store_->held().has_value());
  EXPECT_EQ(store_->held()->round, Round(1));
  EXPECT_FALSE(store_->held()->in_doubt);

  LOCKSTEP_ASSERT_OK(store_->Commit());
  EXPECT_EQ(Seen(), 1);
  EXPECT_EQ(store_->applied(), Round(1));
  EXPECT_FALSE(store_->held().has_value());
}

TEST_F(PrepareStoreTest, RolledBackRoundLeavesNothingAndTheNextOneWorks) {
  OpenWithTable();
  LOCKSTEP_ASSERT_OK(Prepare(Round(1), "INSERT INTO t VALUES (1, 'a')"));
  LOCKSTEP_ASSERT_OK(RollBack(Round(1)));
  EXPECT_EQ(Seen(), 0);
  EXPECT_EQ(Number(store_->writer(), "SELECT count(*) FROM t"), 0);
  EXPECT_EQ(store_->tombstone(), Round(1));

  LOCKSTEP_ASSERT_OK(Commit(Round(2), "INSERT INTO t VALUES (2, 'b')"));
  EXPECT_EQ(Seen("SELECT k FROM t"), 2);
}

TEST_F(PrepareStoreTest, PrepareCostsOneSyncAndCommitNone) {  // P3 and P4
  OpenWithTable();
  LOCKSTEP_ASSERT_OK(Commit(Round(1), "INSERT INTO t VALUES (1, 'a')"));
  const int64_t before = store_->syncs();
  LOCKSTEP_ASSERT_OK(Prepare(Round(2), "INSERT INTO t VALUES (2, 'a')"));
  EXPECT_EQ(store_->syncs(), before + 1);
  LOCKSTEP_ASSERT_OK(store_->Commit());
  EXPECT_EQ(store_->syncs(), before + 1);
}

TEST_F(PrepareStoreTest, PrepareAfterRollbackOfTheSameRoundIsRefused) {  // R3
  OpenWithTable();
  LOCKSTEP_ASSERT_OK(store_->PersistTombstone(Round(5)));
  EXPECT_TRUE(absl::IsFailedPrecondition(Prepare(Round(5), "INSERT INTO t VALUES (1, 1)")));
  EXPECT_TRUE(absl::IsFailedPrecondition(Prepare(Round(4), "INSERT INTO t VALUES (1, 1)")));
  EXPECT_TRUE(store_->writer().autocommit());
  EXPECT_TRUE(Prepare(Round(6), "INSERT INTO t VALUES (1, 1)").ok());
}

TEST_F(PrepareStoreTest, RepeatedPrepareOfAnAppliedRoundIsRefused) {  // R3
  OpenWithTable();
  LOCKSTEP_ASSERT_OK(Commit(Round(3), "INSERT INTO t VALUES (1, 'a')"));
  EXPECT_TRUE(absl::IsFailedPrecondition(Prepare(Round(3), "INSERT INTO t VALUES (2, 'a')")));
  EXPECT_EQ(Seen(), 1);
}

TEST_F(PrepareStoreTest, PrepareOfATermThatIsNotDurableIsRefused) {  // P2
  OpenWithTable();
  EXPECT_TRUE(absl::IsFailedPrecondition(Prepare(Round(1, 2), "INSERT INTO t VALUES (1, 1)")));
  LOCKSTEP_ASSERT_OK(store_->PersistTerm(2, 0));
  EXPECT_TRUE(Prepare(Round(1, 2), "INSERT INTO t VALUES (1, 1)").ok());
}

TEST_F(PrepareStoreTest, AppliedRoundIsNeverRolledBack) {  // P6
  OpenWithTable();
  LOCKSTEP_ASSERT_OK(Commit(Round(3), "INSERT INTO t VALUES (1, 'a')"));
  EXPECT_TRUE(absl::IsFailedPrecondition(store_->PersistTombstone(Round(3))));
}

TEST_F(PrepareStoreTest, ALaterRollbackOfALowerRoundLeavesTheTombstoneWhereItIs) {  // R3, P6
  OpenWithTable();
  LOCKSTEP_ASSERT_OK(store_->PersistTombstone(Round(7)));
  LOCKSTEP_ASSERT_OK(store_->PersistTombstone(Round(3)));
  EXPECT_EQ(store_->tombstone(), Round(7));
  LOCKSTEP_ASSERT_OK(Open());
  EXPECT_EQ(store_->tombstone(), Round(7));
}

TEST_F(PrepareStoreTest, ARoundLargerThanThePageCacheIsNotSpilled) {  // P0
  options_.page_cache_bytes = 1 << 16;
  OpenWithTable();
  LOCKSTEP_ASSERT_OK(Commit(Round(1),
                            "WITH RECURSIVE n(i) AS (VALUES (1) UNION ALL SELECT i + 1 FROM n "
                            "WHERE i < 1000) INSERT INTO t SELECT i, zeroblob(1000) FROM n"));
  EXPECT_EQ(Seen(), 1000);
}

TEST_F(PrepareStoreTest, TermAndTombstoneArePersistedWhileARoundIsPrepared) {  // R4, R6
  OpenWithTable();
  LOCKSTEP_ASSERT_OK(Prepare(Round(1), "INSERT INTO t VALUES (1, 'a')"));
  LOCKSTEP_ASSERT_OK(store_->PersistTerm(2, 0));
  LOCKSTEP_ASSERT_OK(store_->PersistTombstone(Round(7)));
  ASSERT_TRUE(store_->held().has_value());
  EXPECT_EQ(store_->held()->round, Round(1));
  LOCKSTEP_ASSERT_OK(store_->Commit());
  EXPECT_EQ(Seen(), 1);
  LOCKSTEP_ASSERT_OK(Open());
  EXPECT_EQ(store_->term(), 2u);
  EXPECT_EQ(store_->tombstone(), Round(7));
  EXPECT_EQ(store_->applied(), Round(1));
  EXPECT_EQ(Seen(), 1);
}

TEST_F(PrepareStoreTest, DurableRoundMovesWithASyncThatStartedAfterTheCommit) {  // R9
  OpenWithTable();
  LOCKSTEP_ASSERT_OK(Commit(Round(1), "INSERT INTO t VALUES (1, 'a')"));
  EXPECT_EQ(store_->durable(), RoundId());
  LOCKSTEP_ASSERT_OK(Prepare(Round(2), "INSERT INTO t VALUES (2, 'a')"));
  EXPECT_EQ(store_->durable(), Round(1));
  LOCKSTEP_ASSERT_OK(store_->Commit());
  EXPECT_EQ(store_->durable(), Round(1));
  LOCKSTEP_ASSERT_OK(store_->SyncIdle());
  EXPECT_EQ(store_->durable(), Round(2));
}

TEST_F(PrepareStoreTest, CommitThatNobodyArmedIsRefusedAndWritesNothing) {
  OpenWithTable();
  LOCKSTEP_ASSERT_OK(store_->Begin());
  LOCKSTEP_ASSERT_OK(store_->writer().Exec("INSERT INTO t VALUES (1, 'a')"));
  const absl::Status status = store_->writer().Exec("COMMIT");
  const auto error = sqlite::SqliteError::FromStatus(status);
  ASSERT_TRUE(error.has_value());
  EXPECT_EQ(error->extended_code, sqlite::kConstraintCommitHook);
  LOCKSTEP_ASSERT_OK(store_->RollbackTransaction());
  EXPECT_EQ(Seen(), 0);
  // Outside a transaction, too.
  EXPECT_FALSE(store_->writer().Exec("INSERT INTO t VALUES (1, 'a')").ok());
}

TEST_F(PrepareStoreTest, PrepareOfATransactionThatSqliteGaveUpIsAnError) {
  OpenWithTable();
  LOCKSTEP_ASSERT_OK(store_->Begin());
  LOCKSTEP_ASSERT_OK(store_->writer().Exec("INSERT INTO t VALUES (1, 'a')"));
  ASSERT_FALSE(store_->writer().Exec("INSERT OR ROLLBACK INTO t VALUES (1, 'b')").ok());
  EXPECT_FALSE(store_->Prepare(Round(1), At(1), "").ok());
  EXPECT_FALSE(store_->held().has_value());
  EXPECT_TRUE(Commit(Round(2), "INSERT INTO t VALUES (1, 'c')").ok());
}

// The file layer lets every connection believe that it is the last one, which would checkpoint and
// delete the WAL.
TEST_F(PrepareStoreTest, P7_AConnectionThatIsClosedMovesNothingOutOfTheWal) {
  OpenWithTable();
  LOCKSTEP_ASSERT_OK(Commit(Round(1), "INSERT INTO t VALUES (1, 'a')"));
  const std::string before = FileOf("data.db");
  LOCKSTEP_ASSERT_OK(Prepare(Round(2), "INSERT INTO t VALUES (2, 'b')"));
  EXPECT_EQ(Seen(), 1);  // by a reader that is gone afterwards
  EXPECT_EQ(FileOf("data.db"), before);
  store_.reset();
  EXPECT_EQ(FileOf("data.db"), before);
}

TEST_F(PrepareStoreTest, SchemaChangesOfARolledBackRoundAreForgotten) {
  OpenWithTable();
  ASSERT_TRUE(Prepare(Round(1), "CREATE TABLE u (x); INSERT INTO u VALUES (1)").ok());
  LOCKSTEP_ASSERT_OK(RollBack(Round(1)));
  // Fails if the writer still believes that u is there.
  ASSERT_TRUE(Prepare(Round(2), "CREATE TABLE u (y, z); INSERT INTO u VALUES (1, 2)").ok());
  LOCKSTEP_ASSERT_OK(store_->Commit());
  EXPECT_EQ(Seen("SELECT y + z FROM u"), 3);
  ASSERT_TRUE(Prepare(Round(3), "DROP TABLE u; ALTER TABLE t ADD COLUMN w").ok());
  EXPECT_EQ(Seen("SELECT y + z FROM u"), 3);
  LOCKSTEP_ASSERT_OK(RollBack(Round(3)));
  EXPECT_EQ(Number(store_->writer(), "SELECT y + z FROM u"), 3);
}

TEST_F(PrepareStoreTest, FullTextIndexFollowsRollbackAndCommit) {
  OpenWithTable();
  LOCKSTEP_ASSERT_OK(Local("CREATE VIRTUAL TABLE f USING fts5(body)"));
  for (uint64_t round = 1; round <= 20; ++round) {
    LOCKSTEP_ASSERT_OK(Prepare(Round(round), "INSERT INTO f VALUES ('alpha beta')"));
    if (round % 2 == 0) {
      LOCKSTEP_ASSERT_OK(store_->Commit());
    } else {
      LOCKSTEP_ASSERT_OK(RollBack(Round(round)));
    }
  }
  EXPECT_EQ(Seen("SELECT count(*) FROM f WHERE f MATCH 'beta'"), 10);
  EXPECT_TRUE(Local("INSERT INTO f(f) VALUES ('integrity-check')").ok());
}

TEST_F(PrepareStoreTest, ReaderThatBeganBeforeTheCommitKeepsItsState) {
  OpenWithTable();
  auto reader = *store_->OpenReader();
  LOCKSTEP_ASSERT_OK(Prepare(Round(1), "INSERT INTO t VALUES (1, 'a')"));
  LOCKSTEP_ASSERT_OK(reader->Exec("BEGIN"));
  EXPECT_EQ(Number(*reader, "SELECT count(*) FROM t"), 0);
  LOCKSTEP_ASSERT_OK(store_->Commit());
  EXPECT_EQ(Number(*reader, "SELECT count(*) FROM t"), 0);
  LOCKSTEP_ASSERT_OK(reader->Exec("COMMIT"));
  EXPECT_EQ(Number(*reader, "SELECT count(*) FROM t"), 1);
}

TEST_F(PrepareStoreTest, ReadersCannotWrite) {
  OpenWithTable();
  auto reader = *store_->OpenReader();
  EXPECT_FALSE(reader->Exec("INSERT INTO t VALUES (1, 'a')").ok());
}

TEST_F(PrepareStoreTest, LocalTransactionIsDurableAndLeavesTheAppliedRoundAlone) {
  OpenWithTable();
  LOCKSTEP_ASSERT_OK(Commit(Round(1), "INSERT INTO t VALUES (1, 'a')"));
  const int64_t before = store_->syncs();
  LOCKSTEP_ASSERT_OK(Local("INSERT INTO t VALUES (2, 'b')"));
  EXPECT_EQ(store_->syncs(), before + 1);
  EXPECT_EQ(store_->applied(), Round(1));
  EXPECT_EQ(store_->durable(), Round(1));
  EXPECT_EQ(Seen(), 2);
}

TEST_F(PrepareStoreTest, FiniteCutIsRunAgainAndDurable) {  // R7, P5
  OpenWithTable();
  ASSERT_TRUE(
      Prepare(Round(1), "INSERT INTO t VALUES (1, 'a'); INSERT INTO t VALUES (2, 'b')").ok());
  LOCKSTEP_ASSERT_OK(store_->WriteRedo(Round(1), "keep 1"));
  LOCKSTEP_ASSERT_OK(store_->Forget());
  LOCKSTEP_ASSERT_OK(store_->Begin());
  LOCKSTEP_ASSERT_OK(store_->writer().Exec("INSERT INTO t VALUES (1, 'a')"));
  EXPECT_EQ(Seen(), 0);
  LOCKSTEP_ASSERT_OK(store_->CommitRedone(At(1)));
  EXPECT_FALSE(store_->redo().has_value());
  EXPECT_EQ(store_->applied(), Round(1));
  EXPECT_EQ(store_->durable(), Round(1));
  EXPECT_EQ(Seen(), 1);
}

TEST_F(PrepareStoreTest, RedoBlockLargerThanItsSpaceIsRefused) {
  OpenWithTable();
  LOCKSTEP_ASSERT_OK(Prepare(Round(1), "INSERT INTO t VALUES (1, 'a')"));
  const std::string large(static_cast<size_t>(options_.redo_capacity) + 1, 'x');
  EXPECT_TRUE(absl::IsResourceExhausted(store_->WriteRedo(Round(1), large)));
  ASSERT_TRUE(store_->held().has_value());
  EXPECT_TRUE(store_->WriteRedo(Round(1), large.substr(1)).ok());
}

TEST_F(PrepareStoreTest, LatestInstantNeverDecreases) {  // R23
  OpenWithTable();
  LOCKSTEP_ASSERT_OK(store_->Begin());
  LOCKSTEP_ASSERT_OK(store_->Prepare(Round(1), At(100), ""));
  EXPECT_EQ(store_->latest_instant(), At(1));
  LOCKSTEP_ASSERT_OK(store_->Commit());
  LOCKSTEP_ASSERT_OK(store_->Begin());
  LOCKSTEP_ASSERT_OK(store_->CommitLocal(At(50)));
  EXPECT_EQ(store_->latest_instant(), At(100));
  LOCKSTEP_ASSERT_OK(Open());
  EXPECT_EQ(store_->latest_instant(), At(100));
}

TEST_F(PrepareStoreTest, WriterSeesTheFrozenClockAndReadersDoNot) {  // R23
  OpenWithTable();
  store_->frozen_clock().Set(absl::FromUnixMillis(1'234'567));
  EXPECT_EQ(Number(store_->writer(), "SELECT unixepoch()"), 1234);
  EXPECT_GT(Seen("SELECT unixepoch()"), 1'600'000'000);
  store_->frozen_clock().Clear();
  EXPECT_GT(Number(store_->writer(), "SELECT unixepoch()"), 1'600'000'000);
}

// Rounds big and small, ended both ways, with checkpoints between, on every page size: the WAL
// starts over, and grows beyond one region of the wal-index.
class PageSizeTest : public StoreFixture, public testing::WithParamInterface<int> {};

TEST_P(PageSizeTest, RoundsSurviveCheckpointsAndWalsOfManyRegions) {
  options_.page_size = GetParam();
  options_.scratch = true;  // megabytes a round, and nothing here loses power
  OpenWithTable();
  const std::string fill = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n LIMIT ";
  const int64_t rows = GetParam() == 65536 ? 100 : 5000;
  int64_t expected = 0;
  for (uint64_t round = 1; round <= 8; ++round) {
    const std::string insert = fill + std::to_string(rows) + ") INSERT INTO t SELECT i + " +
                               std::to_string(round * 1'000'000) + ", zeroblob(" +
                               std::to_string(GetParam() * 3 / 4) + ") FROM n";
    LOCKSTEP_ASSERT_OK(Prepare(Round(round), insert));
    ASSERT_EQ(Seen(), expected);
    if (round % 3 == 0) {
      LOCKSTEP_ASSERT_OK(RollBack(Round(round)));
    } else {
      LOCKSTEP_ASSERT_OK(store_->Commit());
      expected += rows;
    }
    ASSERT_EQ(Seen(), expected);
    if (round % 4 == 0) {
      LOCKSTEP_ASSERT_OK(store_->Checkpoint());
      EXPECT_EQ(store_->checkpoint_backlog_bytes(), 0);
    }
  }
  if (GetParam() < 65536) {
    EXPECT_GT(store_->wal_bytes(), int64_t{4096} * GetParam());
  }
  LOCKSTEP_ASSERT_OK(Open());
  EXPECT_EQ(Seen(), expected);
  absl::StatusOr<sqlite::Statement> check = store_->writer().Prepare("PRAGMA integrity_check");
  ASSERT_TRUE(check.ok());
  ASSERT_EQ(check->Step(), sqlite::StepResult::kRow);
  EXPECT_EQ(check->Column(0), Value(std::string("ok")));
}

INSTANTIATE_TEST_SUITE_P(All, PageSizeTest, testing::Values(1024, 4096, 65536));

TEST_F(PrepareStoreTest, WalStartsOverAfterACheckpointAndARolledBackRoundDoesNotHarmIt) {
  OpenWithTable();
  for (uint64_t round = 1; round <= 30; ++round) {
    LOCKSTEP_ASSERT_OK(
        Prepare(Round(round), "INSERT INTO t VALUES (" + std::to_string(round) + ", 'a')"));
    if (round % 3 == 0) {
      LOCKSTEP_ASSERT_OK(RollBack(Round(round)));
    } else {
      LOCKSTEP_ASSERT_OK(store_->Commit());
    }
    // The next round is the first one of a WAL that has started over.
    LOCKSTEP_ASSERT_OK(store_->Checkpoint());
    EXPECT_LT(store_->wal_bytes(), 10 * 4120);
  }
  EXPECT_EQ(Seen(), 20);
  LOCKSTEP_ASSERT_OK(Open());
  EXPECT_EQ(Seen(), 20);
}

}  // namespace
}  // namespace lockstep::participant
