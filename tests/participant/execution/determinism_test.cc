// Replicas and re-executions see the same (rule R23).
#include "tests/participant/execution/fixture.h"

namespace lockstep::participant {
namespace {

constexpr char kDraw[] =
    "INSERT INTO drawn VALUES(random(), randomblob(16), last_insert_rowid(), changes(), "
    "total_changes())";

std::vector<Row> Rows(const ExecutedBranch& executed) {
  EXPECT_YES(executed);
  std::vector<Row> rows;
  for (const StatementResult& result : executed.vote.results.at(0).statements) {
    rows.insert(rows.end(), result.rows.begin(), result.rows.end());
  }
  return rows;
}

void MakeTables(TestDatabase* database) {
  EXPECT_YES(database->Run("CREATE TABLE drawn(r, b, rowid_before, changes, total)"));
  EXPECT_YES(database->Run("CREATE TABLE t(id INTEGER PRIMARY KEY, a)"));
}

// Other history on the same connection, rolled back work and failures included.
void DoOtherThings(TestDatabase* database) {
  EXPECT_YES(database->Run("INSERT INTO t(a) VALUES(1), (2), (3)"));
  EXPECT_YES(database->Run("UPDATE t SET a = random()"));
  database->Begin();
  EXPECT_YES(database->Execute("INSERT INTO t VALUES(900, 1), (901, 2)"));
  database->Rollback();
  EXPECT_NO(database->Run("INSERT INTO t VALUES(1, 1)"), Reason::kConstraintViolation);
  EXPECT_YES(database->Run("DELETE FROM t"));
  EXPECT_YES(database->Run("DELETE FROM drawn"));
}

TEST(DeterminismTest, TheSeedAloneDecidesWhatIsDrawn) {
  TestDatabase database;
  Branch branch = TestDatabase::BranchOf("SELECT random(), random(), hex(randomblob(20))");
  const std::vector<Row> first = Rows(database.Run(branch));
  EXPECT_NE(first[0][0], first[0][1]);
  EXPECT_EQ(Rows(database.Run(branch)), first);
  branch.seed = 43;
  EXPECT_NE(Rows(database.Run(branch)), first);
}

TEST(DeterminismTest, TheSequenceGoesOnFromStatementToStatement) {
  TestDatabase database;
  const std::vector<Row> rows = Rows(database.Run(
      TestDatabase::BranchOf({{"SELECT random()", {}, {}}, {"SELECT random()", {}, {}}})));
  EXPECT_NE(rows[0], rows[1]);
}

// Known for good: a replica with another version of Lockstep has to draw the same.
TEST(DeterminismTest, TheSequenceNeverChanges) {
  TestDatabase database;
  Branch branch = TestDatabase::BranchOf("SELECT random(), hex(randomblob(9))");
  branch.seed = 1;
  EXPECT_EQ(Rows(database.Run(branch)).at(0),
            (Row{int64_t{-1227844342346046657}, std::string("67EC8E65A18DEBBE5E")}));
}

TEST(DeterminismTest, DefaultsAndTriggersDrawFromTheSameSequence) {
  std::vector<Value> seen;
  for (int run = 0; run < 2; ++run) {
    TestDatabase database;
    EXPECT_YES(
        database.Run("CREATE TABLE d(id INTEGER PRIMARY KEY, r DEFAULT (random()), "
                     "b DEFAULT (randomblob(4)))"));
    EXPECT_YES(database.Run("CREATE TABLE log(r)"));
    EXPECT_YES(database.Run(
        "CREATE TRIGGER g AFTER INSERT ON d BEGIN INSERT INTO log VALUES(random()); END"));
    if (run == 1) database.Run("SELECT random(), random()");
    EXPECT_YES(database.Run("INSERT INTO d(id) VALUES(1), (2)"));
    seen.push_back(database.Read("SELECT group_concat(r) || hex(group_concat(b)) FROM d"));
    seen.push_back(database.Read("SELECT group_concat(r) FROM log"));
  }
  EXPECT_EQ(seen[0], seen[2]);
  EXPECT_EQ(seen[1], seen[3]);
}

TEST(DeterminismTest, CountersStartClean) {
  TestDatabase database;
  MakeTables(&database);
  DoOtherThings(&database);
  const char* read = "SELECT last_insert_rowid(), changes(), total_changes()";
  EXPECT_EQ(Rows(database.Run(read)).at(0), (Row{int64_t{0}, int64_t{0}, int64_t{0}}));
  EXPECT_EQ(Rows(database.Run(TestDatabase::BranchOf(
                {{"INSERT INTO t VALUES(7, 1), (8, 1)", {}, {}}, {read, {}, {}}}))),
            (std::vector<Row>{{int64_t{8}, int64_t{2}, int64_t{2}}}));
  EXPECT_EQ(Rows(database.Run(TestDatabase::BranchOf(
                {{"UPDATE t SET a = 1 WHERE id = 99", {}, {}}, {read, {}, {}}}))),
            (std::vector<Row>{{int64_t{0}, int64_t{0}, int64_t{0}}}));
}

TEST(DeterminismTest, CountersStartCleanInTriggersAndDefaults) {
  TestDatabase database;
  MakeTables(&database);
  EXPECT_YES(database.Run("CREATE TABLE log(c DEFAULT (changes()), n)"));
  EXPECT_YES(database.Run(
      "CREATE TRIGGER g BEFORE INSERT ON t BEGIN INSERT INTO log(n) SELECT changes(); END"));
  DoOtherThings(&database);
  EXPECT_YES(database.Run("DELETE FROM log"));
  EXPECT_YES(database.Run("INSERT INTO t VALUES(1, 1)"));
  EXPECT_EQ(database.Read("SELECT c || ' ' || n FROM log"), Value(std::string("0 0")));
}

TEST(DeterminismTest, ReExecutionGivesTheSameDigestWhateverRanBefore) {
  const Branch branch = TestDatabase::BranchOf(
      {{kDraw, {}, {}}, {"INSERT INTO t(a) SELECT random() FROM drawn", {}, {}}, {kDraw, {}, {}}});
  TestDatabase one;
  MakeTables(&one);
  const ExecutedBranch first = one.Run(branch);
  EXPECT_YES(first);

  TestDatabase other;
  MakeTables(&other);
  DoOtherThings(&other);
  other.Begin();
  const ExecutedBranch again = other.Execute(branch, ExecutionMode::kAgain);
  EXPECT_YES(again);
  EXPECT_EQ(again.vote.digest, first.vote.digest);
  EXPECT_TRUE(again.vote.results.at(0).statements.at(0).rows.empty());
  other.Rollback();
}

TEST(DeterminismTest, TheClockIsSetBeforeTheStatements) {
  TestDatabase database;
  Branch branch = TestDatabase::BranchOf("SELECT 1");
  branch.clock = absl::FromUnixSeconds(1'234'567'890);
  EXPECT_YES(database.Run(branch));
  EXPECT_EQ(database.sql_clock().instant(), absl::FromUnixSeconds(1'234'567'890));
}

}  // namespace
}  // namespace lockstep::participant
