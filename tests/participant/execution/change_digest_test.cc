#include "participant/execution/change_digest.h"

#include <cmath>
#include <limits>
#include <set>

#include "tests/participant/execution/fixture.h"

namespace lockstep::participant {
namespace {

uint64_t DigestOf(TestDatabase* database, const Branch& branch) {
  database->Begin();
  const ExecutedBranch executed = database->Execute(branch);
  EXPECT_YES(executed);
  database->Rollback();
  return executed.vote.digest;
}

uint64_t DigestOf(TestDatabase* database, const std::string& sql) {
  return DigestOf(database, TestDatabase::BranchOf(sql));
}

class ChangeDigestTest : public ::testing::Test {
 protected:
  ChangeDigestTest() {
    for (const char* sql :
         {"CREATE TABLE t(id INTEGER PRIMARY KEY, a, b)", "CREATE TABLE u(a, b)",
          "CREATE TABLE w(k PRIMARY KEY, v) WITHOUT ROWID",
          "INSERT INTO t VALUES(1, 'x', 1), (2, 'y', 2)", "INSERT INTO w VALUES('k', 'v')"}) {
      EXPECT_YES(database_.Run(sql));
    }
  }

  TestDatabase database_;
};

TEST_F(ChangeDigestTest, EqualChangesHaveEqualDigestsOnDifferentReplicas) {
  const std::string sql = "UPDATE t SET b = b + 1";
  const uint64_t digest = DigestOf(&database_, sql);
  TestDatabase other;
  EXPECT_YES(other.Run("CREATE TABLE t(id INTEGER PRIMARY KEY, a, b)"));
  EXPECT_YES(other.Run("INSERT INTO t VALUES(2, 'y', 2), (1, 'x', 1)"));
  EXPECT_EQ(DigestOf(&other, sql), digest);
  // It is the changes that count, not the text.
  EXPECT_EQ(DigestOf(&other, "UPDATE t SET b = 1 + b WHERE a > ''"), digest);
}

TEST_F(ChangeDigestTest, WhatChangesNothingHasTheSameDigest) {
  const uint64_t nothing = DigestOf(&database_, "SELECT 1");
  EXPECT_EQ(DigestOf(&database_, "SELECT * FROM t"), nothing);
  EXPECT_EQ(DigestOf(&database_, "DELETE FROM t WHERE id = 99"), nothing);
  EXPECT_NE(DigestOf(&database_, "DELETE FROM t WHERE id = 1"), nothing);
}

TEST_F(ChangeDigestTest, UnlikeChangesHaveUnlikeDigests) {
  const std::vector<std::string> changes = {"SELECT 1",
                                            "INSERT INTO t VALUES(7, 1, 2)",
                                            "INSERT INTO t VALUES(8, 1, 2)",
                                            "INSERT INTO t VALUES(7, 2, 1)",
                                            "INSERT INTO t VALUES(7, '1', 2)",
                                            "INSERT INTO t VALUES(7, x'31', 2)",
                                            "INSERT INTO t VALUES(7, 1.0, 2)",
                                            "INSERT INTO t VALUES(7, 1, NULL)",
                                            "INSERT INTO t VALUES(7, '', 2)",
                                            "INSERT INTO t VALUES(7, x'', 2)",
                                            "INSERT INTO t VALUES(7, 'ab', 'c')",
                                            "INSERT INTO t VALUES(7, 'a', 'bc')",
                                            "INSERT INTO u VALUES(7, 1)",
                                            "INSERT INTO u VALUES(1, 7)",
                                            "INSERT INTO t VALUES(7, 1, 2), (8, 1, 2)",
                                            "INSERT INTO t VALUES(8, 1, 2), (7, 1, 2)",
                                            "DELETE FROM t WHERE id = 1",
                                            "DELETE FROM t WHERE id = 2",
                                            "DELETE FROM t",
                                            "UPDATE t SET a = 'z' WHERE id = 1",
                                            "UPDATE t SET a = 'z' WHERE id = 2",
                                            "UPDATE t SET id = 5 WHERE id = 1",
                                            "REPLACE INTO t VALUES(1, 'x', 1)",
                                            "UPDATE w SET v = 'n'",
                                            "UPDATE w SET k = 'n'",
                                            "DELETE FROM w",
                                            "INSERT INTO w VALUES('l', 'v')",
                                            "CREATE TABLE n(a)",
                                            "CREATE TABLE n(a, b)",
                                            "CREATE TABLE o(a)",
                                            "CREATE INDEX i ON t(a)",
                                            "DROP TABLE u",
                                            "ALTER TABLE t ADD COLUMN c",
                                            "INSERT INTO t(a) VALUES(zeroblob(5000))",
                                            "INSERT INTO t(a) VALUES(zeroblob(5001))",
                                            "INSERT INTO t(a) VALUES(zeroblob(100000))"};
  std::set<uint64_t> digests;
  for (const std::string& change : changes) {
    EXPECT_TRUE(digests.insert(DigestOf(&database_, change)).second) << change;
  }
}

TEST_F(ChangeDigestTest, EveryValueCountsToTheBit) {
  std::set<uint64_t> digests;
  const std::vector<Value> values = {0.0,
                                     -0.0,
                                     std::numeric_limits<double>::infinity(),
                                     -std::numeric_limits<double>::infinity(),
                                     std::nextafter(1.0, 2.0),
                                     1.0,
                                     int64_t{1},
                                     std::numeric_limits<int64_t>::min(),
                                     std::numeric_limits<int64_t>::max(),
                                     std::string("a\0b", 3),
                                     std::string("a"),
                                     Blob{std::string("a\0b", 3)},
                                     std::monostate()};
  for (size_t i = 0; i < values.size(); ++i) {
    const Branch branch =
        TestDatabase::BranchOf({{"INSERT INTO t VALUES(7, ?, 0)", {values[i]}, {}}});
    const bool fresh = digests.insert(DigestOf(&database_, branch)).second;
    EXPECT_TRUE(fresh) << "value " << i;
  }
}

TEST_F(ChangeDigestTest, TriggersCascadesAndShadowTablesCount) {
  EXPECT_YES(database_.Run("CREATE TABLE parent(id INTEGER PRIMARY KEY)"));
  EXPECT_YES(database_.Run("CREATE TABLE child(p REFERENCES parent ON DELETE CASCADE)"));
  EXPECT_YES(database_.Run("INSERT INTO parent VALUES(1)"));
  const uint64_t alone = DigestOf(&database_, "DELETE FROM parent");
  EXPECT_YES(database_.Run("INSERT INTO child VALUES(1)"));
  EXPECT_NE(DigestOf(&database_, "DELETE FROM parent"), alone);

  const uint64_t before = DigestOf(&database_, "INSERT INTO u VALUES(1, 1)");
  EXPECT_YES(database_.Run(
      "CREATE TRIGGER g AFTER INSERT ON u BEGIN UPDATE t SET b = 0 WHERE id = 1; END"));
  EXPECT_NE(DigestOf(&database_, "INSERT INTO u VALUES(1, 1)"), before);

  EXPECT_YES(database_.Run("CREATE VIRTUAL TABLE f USING fts5(body)"));
  EXPECT_NE(DigestOf(&database_, "INSERT INTO f VALUES('one')"),
            DigestOf(&database_, "INSERT INTO f VALUES('two')"));
}

TEST_F(ChangeDigestTest, StoredColumnsBehindGeneratedOnesCount) {
  EXPECT_YES(database_.Run("CREATE TABLE g(a, v AS (a || 'x'), s AS (a * 2) STORED, b)"));
  EXPECT_NE(DigestOf(&database_, "INSERT INTO g(a, b) VALUES(1, 1)"),
            DigestOf(&database_, "INSERT INTO g(a, b) VALUES(1, 2)"));
  EXPECT_YES(database_.Run("INSERT INTO g(a, b) VALUES(1, 1)"));
  EXPECT_NE(DigestOf(&database_, "UPDATE g SET b = 3"), DigestOf(&database_, "UPDATE g SET b = 4"));
}

// Deleting what differed parts nobody, but shows that they had parted.
TEST_F(ChangeDigestTest, OldValuesCount) {
  const uint64_t deleted = DigestOf(&database_, "DELETE FROM t WHERE id = 1");
  const uint64_t updated = DigestOf(&database_, "UPDATE t SET a = 'same', b = 0 WHERE id = 1");
  EXPECT_YES(database_.Run("UPDATE t SET b = 77 WHERE id = 1"));
  EXPECT_NE(DigestOf(&database_, "DELETE FROM t WHERE id = 1"), deleted);
  EXPECT_NE(DigestOf(&database_, "UPDATE t SET a = 'same', b = 0 WHERE id = 1"), updated);
}

// This one keeps nothing but its index, which FTS5 writes late.
TEST_F(ChangeDigestTest, VirtualTablesAreFlushedBeforeTheDigest) {
  EXPECT_YES(
      database_.Run("CREATE VIRTUAL TABLE f USING fts5(body, content = '', columnsize = 0)"));
  EXPECT_NE(DigestOf(&database_, "INSERT INTO f(rowid, body) VALUES(1, 'one')"),
            DigestOf(&database_, "INSERT INTO f(rowid, body) VALUES(1, 'two')"));
}

// What a virtual table has not written yet must not show up in the digest of the branch behind.
TEST_F(ChangeDigestTest, AVirtualTableDoesNotLeakIntoTheNextBranch) {
  EXPECT_YES(database_.Run("CREATE VIRTUAL TABLE f USING fts5(body)"));
  const uint64_t nothing = DigestOf(&database_, "SELECT 1");
  database_.Begin();
  EXPECT_YES(database_.Execute("INSERT INTO f VALUES('hello')"));
  EXPECT_EQ(database_.Execute("SELECT 1").vote.digest, nothing);
  database_.Commit();
}

TEST_F(ChangeDigestTest, ALongBranchStreams) {
  const std::string rows =
      "WITH RECURSIVE n(i) AS (SELECT 10 UNION ALL SELECT i + 1 FROM n LIMIT 3000) "
      "INSERT INTO t SELECT i, 'text ' || i, i FROM n";
  const uint64_t digest = DigestOf(&database_, rows);
  EXPECT_EQ(DigestOf(&database_, rows), digest);
  std::vector<Statement> one_by_one;
  for (int64_t i = 10; i < 3010; ++i) {
    one_by_one.push_back(
        {"INSERT INTO t VALUES(?, ?, ?)", {i, "text " + std::to_string(i), i}, {}});
  }
  EXPECT_EQ(DigestOf(&database_, TestDatabase::BranchOf(one_by_one)), digest);
  one_by_one.back().params[2] = int64_t{-1};
  EXPECT_NE(DigestOf(&database_, TestDatabase::BranchOf(one_by_one)), digest);
}

TEST_F(ChangeDigestTest, RowsOfCreateTableAsCount) {
  for (const char* sql :
       {"CREATE TABLE c AS SELECT a FROM t", "CREATE TABLE IF NOT EXISTS c AS SELECT a FROM t",
        "create table main . \"c d\" as select a from t"}) {
    SCOPED_TRACE(sql);
    const uint64_t digest = DigestOf(&database_, sql);
    EXPECT_EQ(DigestOf(&database_, sql), digest);
    EXPECT_YES(database_.Run("UPDATE t SET a = a || '.' WHERE id = 2"));
    EXPECT_NE(DigestOf(&database_, sql), digest);
  }
  // Where a view has that name it is the view that is read, and in the sandbox as everything is.
  EXPECT_YES(database_.Run("CREATE VIEW v AS SELECT * FROM lockstep_state"));
  EXPECT_NO(database_.Run("CREATE TABLE IF NOT EXISTS v AS SELECT 1"),
            Reason::kStatementNotAllowed);
}

// A statement that was prepared when there was a table to drop is cached, and a rollback of the
// round makes it do nothing: the digest is that of a replica that never saw the table.
TEST_F(ChangeDigestTest, WhatIsCachedDoesNotCount) {
  TestDatabase fresh;
  const std::string drop = "DROP TABLE IF EXISTS extra";
  const uint64_t expected = DigestOf(&fresh, drop);
  TestDatabase other;
  EXPECT_EQ(DigestOf(&other, drop), expected);
  other.Begin();
  EXPECT_YES(other.Execute("CREATE TABLE extra(a)"));
  EXPECT_NE(other.Execute(drop).vote.digest, 0u);
  EXPECT_EQ(other.Execute(drop).vote.digest, expected);
  EXPECT_YES(other.Execute("CREATE TABLE extra(a)"));
  EXPECT_YES(other.Execute("SELECT * FROM extra"));
  other.Rollback();
  EXPECT_EQ(DigestOf(&other, drop), expected);
  // And the other way: cached when there was nothing to drop.
  EXPECT_YES(other.Run("CREATE TABLE extra(a)"));
  EXPECT_YES(fresh.Run("CREATE TABLE extra(a)"));
  EXPECT_EQ(DigestOf(&other, drop), DigestOf(&fresh, drop));
  EXPECT_EQ(other.Read("SELECT count(*) FROM extra"), Value(int64_t{0}));
}

// Known for good: replicas with two versions of Lockstep compare their digests.
TEST_F(ChangeDigestTest, TheDigestNeverChanges) {
  EXPECT_EQ(DigestOf(&database_, "INSERT INTO t VALUES(7, 'x', 2.5)"), 1166883967984958758u);
  EXPECT_EQ(DigestOf(&database_, "SELECT 1"), 0x2d06800538d394c2u);  // XXH3 of nothing
}

TEST_F(ChangeDigestTest, ChangesOutsideOfBranchesDoNotCount) {
  const uint64_t digest = DigestOf(&database_, "INSERT INTO u VALUES(1, 1)");
  database_.Begin();
  database_.Exec("UPDATE t SET b = 100");
  EXPECT_EQ(database_.Execute("INSERT INTO u VALUES(1, 1)").vote.digest, digest);
  database_.Rollback();
}

}  // namespace
}  // namespace lockstep::participant
