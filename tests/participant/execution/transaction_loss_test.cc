// What destroys the transaction of everybody in the round (a round is one SQLite transaction), and
// what does not.
#include "tests/participant/execution/fixture.h"

namespace lockstep::participant {
namespace {

using ::testing::HasSubstr;

constexpr char kEndlessSelect[] =
    "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT count(*) FROM n";
constexpr char kEndlessInsert[] =
    "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) "
    "INSERT INTO t(a) SELECT i FROM n";

class TransactionLossTest : public ::testing::Test {
 protected:
  TransactionLossTest() {
    EXPECT_YES(database_.Run("CREATE TABLE t(id INTEGER PRIMARY KEY, a)"));
    EXPECT_YES(database_.Run("CREATE TABLE counted(id INTEGER PRIMARY KEY AUTOINCREMENT, a)"));
  }

  // After a lost branch the actor begins again and re-executes: all of it must work.
  void ExpectUsableAfterwards() {
    ASSERT_TRUE(database_.writer().autocommit());
    EXPECT_EQ(database_.Read("SELECT count(*) FROM t"), Value(int64_t{0}));
    EXPECT_YES(database_.Run("INSERT INTO t(a) VALUES('again')"));
    EXPECT_EQ(database_.Read("SELECT count(*) FROM t"), Value(int64_t{1}));
  }

  static ExecutionLimits ShortBudget() {
    ExecutionLimits limits;
    limits.statement_budget = absl::Milliseconds(100);
    return limits;
  }

  TestDatabase database_{ShortBudget(), std::make_unique<RunningClock>(absl::Milliseconds(1))};
};

TEST_F(TransactionLossTest, AnInterruptedWriteIsReportedAndHasTheBudgetForReason) {
  database_.Begin();
  EXPECT_YES(database_.Execute("INSERT INTO t(a) VALUES('before')"));
  const ExecutedBranch executed = database_.Execute(kEndlessInsert);
  EXPECT_NO(executed, Reason::kStatementTooLongRunning);
  EXPECT_TRUE(executed.transaction_lost);
  EXPECT_EQ(executed.vote.error->sqlite_code, 9);
  EXPECT_EQ(executed.vote.error->statement, 0);
  ExpectUsableAfterwards();
}

TEST_F(TransactionLossTest, AnInterruptedSelectLeavesTheTransaction) {
  database_.Begin();
  EXPECT_YES(database_.Execute("INSERT INTO t(a) VALUES('before')"));
  const ExecutedBranch executed = database_.Execute(kEndlessSelect);
  EXPECT_NO(executed, Reason::kStatementTooLongRunning);
  EXPECT_FALSE(executed.transaction_lost);
  database_.Commit();
  EXPECT_EQ(database_.Read("SELECT count(*) FROM t"), Value(int64_t{1}));
}

TEST_F(TransactionLossTest, TheTimeOfTheBranchEndsItsStatementWithTimeout) {
  Branch branch = TestDatabase::BranchOf(kEndlessSelect);
  branch.time_left = absl::Milliseconds(50);
  EXPECT_NO(database_.Run(branch), Reason::kTimeout);
}

TEST_F(TransactionLossTest, ABranchWithoutTimeIsNotStarted) {
  Branch branch = TestDatabase::BranchOf("INSERT INTO t(a) VALUES('x')");
  branch.time_left = absl::ZeroDuration();
  EXPECT_NO(database_.Run(branch), Reason::kTimeout);
  branch.time_left = absl::Milliseconds(2);  // ends before the second statement
  branch.operations[0].statements.push_back(branch.operations[0].statements[0]);
  const ExecutedBranch executed = database_.Run(branch);
  EXPECT_NO(executed, Reason::kTimeout);
  EXPECT_EQ(executed.vote.error->statement, 1);
}

TEST_F(TransactionLossTest, ReExecutionKnowsNoBudgetAndNoDeadline) {
  Branch branch = TestDatabase::BranchOf(
      "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n LIMIT 200000) "
      "INSERT INTO t(a) SELECT i FROM n");
  branch.time_left = absl::Milliseconds(5);
  EXPECT_NO(database_.Run(branch), Reason::kTimeout);
  database_.Begin();
  EXPECT_YES(database_.Execute(branch, ExecutionMode::kAgain));
  database_.Rollback();
}

TEST_F(TransactionLossTest, AutoincrementAtTheLargestRowidIsReported) {
  // As the owner: no client can bring a table there, see below.
  database_.Exec("INSERT INTO counted VALUES(9223372036854775807, 'last')");
  database_.Begin();
  const ExecutedBranch executed = database_.Execute("INSERT INTO counted(a) VALUES('next')");
  EXPECT_NO(executed, Reason::kDiskFull);
  EXPECT_TRUE(executed.transaction_lost);
  ExpectUsableAfterwards();
}

TEST_F(TransactionLossTest, NoClientReachesTheLargestRowid) {
  for (const char* sql : {"CREATE VIRTUAL TABLE f USING fts5(body)",
                          "CREATE VIRTUAL TABLE r USING rtree(id, x0, x1)", "CREATE TABLE log(a)",
                          "CREATE TRIGGER g AFTER INSERT ON log BEGIN "
                          "INSERT INTO t(id) VALUES(new.a); END"}) {
    EXPECT_YES(database_.Run(sql));
  }
  for (const char* sql : {"INSERT INTO t VALUES(9223372036854775807, 'x')",
                          "INSERT INTO counted VALUES(9223372036854775807, 'x')",
                          "UPDATE t SET id = 9223372036854775807 WHERE id = 1",
                          "REPLACE INTO t(rowid, a) VALUES(9223372036854775807, 'x')",
                          "INSERT INTO t SELECT 9223372036854775807, a FROM t",
                          "INSERT INTO t VALUES(1, 2) ON CONFLICT(id) DO UPDATE SET "
                          "id = 9223372036854775807",
                          "UPDATE t SET id = n.x FROM (SELECT 0x7fffffffffffffff AS x) AS n",
                          "INSERT INTO log VALUES(9223372036854775807)",
                          "INSERT INTO log(rowid, a) VALUES(9223372036854775807, 5)",
                          "INSERT INTO f(rowid, body) VALUES(9223372036854775807, 'x')",
                          "INSERT INTO r VALUES(9223372036854775807, 0, 1)",
                          "INSERT INTO sqlite_sequence VALUES('counted', 9223372036854775807)",
                          "INSERT INTO sqlite_sequence VALUES('counted', '9223372036854775807')",
                          "INSERT INTO sqlite_sequence VALUES('counted', 1e300)",
                          "UPDATE sqlite_sequence SET seq = 9223372036854775807"}) {
    SCOPED_TRACE(sql);
    database_.Begin();
    EXPECT_YES(database_.Execute("INSERT INTO t VALUES(1, 'x')"));
    EXPECT_YES(database_.Execute("INSERT INTO counted VALUES(1, 'x')"));
    const ExecutedBranch executed = database_.Execute(sql);
    EXPECT_NO(executed, Reason::kStatementNotAllowed);
    EXPECT_FALSE(executed.transaction_lost);
    database_.Rollback();
  }
  EXPECT_YES(database_.Run("INSERT INTO t VALUES(9223372036854775806, 'x')"));
  EXPECT_NO(database_.Run("INSERT INTO t(a) VALUES('x')"), Reason::kStatementNotAllowed);
}

TEST_F(TransactionLossTest, TheLargestKeyWithoutRowidIsAllowed) {
  EXPECT_YES(database_.Run("CREATE TABLE w(id INTEGER PRIMARY KEY) WITHOUT ROWID"));
  EXPECT_YES(database_.Run("INSERT INTO w VALUES(9223372036854775807)"));
}

TEST_F(TransactionLossTest, ARollbackInTheSchemaOfAnOlderFileIsReported) {
  database_.Exec(
      "CREATE TABLE bad(a UNIQUE ON CONFLICT ROLLBACK);"
      "CREATE TRIGGER g BEFORE INSERT ON counted BEGIN SELECT RAISE(ROLLBACK, 'gone'); END");
  database_.Begin();
  EXPECT_YES(database_.Execute("INSERT INTO bad VALUES(1)"));
  const ExecutedBranch clause = database_.Execute("INSERT INTO bad VALUES(1)");
  EXPECT_NO(clause, Reason::kConstraintViolation);
  EXPECT_TRUE(clause.transaction_lost);

  database_.Begin();
  const ExecutedBranch raise = database_.Execute("INSERT INTO counted(a) VALUES(1)");
  EXPECT_NO(raise, Reason::kConstraintViolation);
  EXPECT_TRUE(raise.transaction_lost);
  EXPECT_THAT(raise.vote.error->message, HasSubstr("gone"));
  ExpectUsableAfterwards();
}

TEST_F(TransactionLossTest, OrdinaryFailuresLeaveTheTransaction) {
  EXPECT_YES(database_.Run("CREATE TABLE k(a UNIQUE, b CHECK(b > 0))"));
  EXPECT_YES(
      database_.Run("CREATE TRIGGER g BEFORE DELETE ON k BEGIN SELECT RAISE(ABORT, 'kept'); END"));
  EXPECT_YES(database_.Run("INSERT INTO k VALUES(1, 1)"));
  for (const char* sql : {"INSERT INTO k VALUES(1, 1)", "INSERT OR FAIL INTO k VALUES(1, 1)",
                          "INSERT INTO k VALUES(2, 0)", "DELETE FROM k"}) {
    SCOPED_TRACE(sql);
    database_.Begin();
    const ExecutedBranch executed = database_.Execute(sql);
    EXPECT_NO(executed, Reason::kConstraintViolation);
    EXPECT_FALSE(executed.transaction_lost);
    database_.Commit();
  }
}

TEST_F(TransactionLossTest, AFailedStatementLeavesNothingOfWhatItDidBefore) {
  database_.Begin();
  EXPECT_YES(database_.Execute("INSERT INTO t VALUES(3, 'x')"));
  EXPECT_NO(database_.Execute("INSERT OR FAIL INTO t VALUES(2, 'x'), (3, 'y'), (4, 'z')"),
            Reason::kConstraintViolation);
  database_.Commit();
  EXPECT_EQ(database_.Read("SELECT group_concat(id) FROM t"), Value(std::string("3")));
}

TEST_F(TransactionLossTest, TooManyChangedPagesEndTheStatement) {
  ExecutionLimits limits;
  limits.max_changed_bytes = 4 << 20;
  TestDatabase small(limits);
  EXPECT_YES(small.Run("CREATE TABLE t(id INTEGER PRIMARY KEY, a)"));
  small.Begin();
  const ExecutedBranch executed = small.Execute(
      "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n LIMIT 100000) "
      "INSERT INTO t(a) SELECT zeroblob(1000) FROM n");
  EXPECT_NO(executed, Reason::kLimitExceeded);
  EXPECT_TRUE(executed.transaction_lost);  // it was writing
  small.Begin();
  // Noticed after a statement that was not asked on its way.
  const ExecutedBranch large = small.Execute("INSERT INTO t(a) VALUES(zeroblob(5000000))");
  EXPECT_NO(large, Reason::kLimitExceeded);
  EXPECT_FALSE(large.transaction_lost);
  small.Rollback();
}

// Nothing that it changes, and nothing that stays: what a sorter or a table in memory takes.
TEST_F(TransactionLossTest, TooMuchMemoryForSortingEndsTheStatement) {
  ExecutionLimits limits;
  limits.max_changed_bytes = 4 << 20;
  limits.max_working_bytes = 8 << 20;
  TestDatabase small(limits);
  EXPECT_YES(small.Run("CREATE TABLE t(id INTEGER PRIMARY KEY, a)"));
  const std::string rows =
      "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n LIMIT 100000) ";
  small.Begin();
  EXPECT_YES(small.Execute("INSERT INTO t(a) VALUES('before')"));
  for (const char* hog :
       {"SELECT count(*) FROM (SELECT DISTINCT i || hex(zeroblob(500)) FROM n)",
        "SELECT i FROM n ORDER BY i || hex(zeroblob(500)) DESC LIMIT 1 OFFSET 90000",
        "SELECT min(i) FROM n GROUP BY i || hex(zeroblob(500)) LIMIT 1",
        "SELECT max(r) FROM (SELECT row_number() OVER (ORDER BY hex(zeroblob(500)) "
        "|| i) AS r FROM n)"}) {
    SCOPED_TRACE(hog);
    const ExecutedBranch reading = small.Execute(rows + hog);
    EXPECT_NO(reading, Reason::kLimitExceeded);
    EXPECT_THAT(Explain(reading), HasSubstr("max_working_bytes"));
    EXPECT_FALSE(reading.transaction_lost);
  }
  const ExecutedBranch writing =
      small.Execute(rows +
                    "INSERT INTO t(a) SELECT max(x) FROM (SELECT DISTINCT i || "
                    "hex(zeroblob(500)) AS x FROM n)");
  EXPECT_NO(writing, Reason::kLimitExceeded);
  EXPECT_FALSE(writing.transaction_lost);
  small.Commit();
  EXPECT_YES(small.Run("INSERT INTO t(a) VALUES('after')"));
  EXPECT_EQ(small.Read("SELECT count(*) FROM t"), Value(int64_t{2}));
}

TEST_F(TransactionLossTest, ADeferredForeignKeyFailsItsBranchAlone) {
  EXPECT_YES(database_.Run("CREATE TABLE parent(id INTEGER PRIMARY KEY)"));
  EXPECT_YES(
      database_.Run("CREATE TABLE child(p REFERENCES parent(id) DEFERRABLE INITIALLY DEFERRED)"));
  database_.Begin();
  const ExecutedBranch executed = database_.Execute("INSERT INTO child VALUES(7)");
  EXPECT_NO(executed, Reason::kConstraintViolation);
  EXPECT_EQ(executed.vote.error->sqlite_extended_code, 787);
  EXPECT_YES(database_.Execute(TestDatabase::BranchOf(
      {{"INSERT INTO child VALUES(8)", {}, {}}, {"INSERT INTO parent VALUES(8)", {}, {}}})));
  EXPECT_NO(database_.Execute("DELETE FROM parent"), Reason::kConstraintViolation);
  database_.Commit();
  EXPECT_EQ(database_.Read("SELECT p FROM child"), Value(int64_t{8}));
}

TEST_F(TransactionLossTest, DdlOfANoIsUndone) {
  database_.Begin();
  EXPECT_YES(database_.Execute("SELECT * FROM t"));
  EXPECT_NO(database_.Execute(TestDatabase::BranchOf({{"ALTER TABLE t ADD COLUMN b", {}, {}},
                                                      {"CREATE TABLE u(a)", {}, {}},
                                                      {"INSERT INTO t(a, b) VALUES(1, 2)", {}, {}},
                                                      {"SELECT * FROM nothing", {}, {}}})),
            Reason::kSqlInvalid);
  const ExecutedBranch executed = database_.Execute("SELECT * FROM t");
  EXPECT_EQ(executed.vote.results.at(0).statements.at(0).columns.size(), 2u);
  EXPECT_NO(database_.Execute("SELECT * FROM u"), Reason::kSqlInvalid);
  database_.Commit();
}

}  // namespace
}  // namespace lockstep::participant
