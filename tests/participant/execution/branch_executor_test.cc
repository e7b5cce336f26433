#include "participant/execution/branch_executor.h"

#include "tests/participant/execution/fixture.h"

namespace lockstep::participant {
namespace {

using ::testing::HasSubstr;

Row OnlyRow(const ExecutedBranch& executed) {
  return executed.vote.results.at(0).statements.back().rows.at(0);
}

TEST(BranchExecutorTest, AYesLeavesItsChangesInTheTransaction) {
  TestDatabase database;
  EXPECT_YES(database.Run("CREATE TABLE account(id INTEGER PRIMARY KEY, balance INTEGER)"));
  const ExecutedBranch executed =
      database.RunBound("INSERT INTO account VALUES(?, ?)", {int64_t{7}, int64_t{100}});
  EXPECT_YES(executed);
  EXPECT_EQ(executed.vote.results.at(0).statements.at(0).rows_affected, 1);
  EXPECT_EQ(executed.vote.results.at(0).statements.at(0).last_insert_rowid, 7);
  EXPECT_EQ(database.Read("SELECT balance FROM account"), Value(int64_t{100}));
}

TEST(BranchExecutorTest, ANoLeavesNothingAndOtherBranchesStay) {
  TestDatabase database;
  database.Run("CREATE TABLE account(id INTEGER PRIMARY KEY)");
  database.Begin();
  EXPECT_YES(database.Execute("INSERT INTO account VALUES(1)"));
  const ExecutedBranch no = database.Execute(TestDatabase::BranchOf(
      {{"INSERT INTO account VALUES(2)", {}, {}}, {"INSERT INTO account VALUES(1)", {}, {}}}));
  EXPECT_NO(no, Reason::kConstraintViolation);
  EXPECT_FALSE(no.transaction_lost);
  EXPECT_EQ(no.vote.error->statement, 1);
  EXPECT_EQ(no.vote.error->operation, 0);
  EXPECT_EQ(no.vote.error->sqlite_code, 19);
  EXPECT_EQ(no.vote.error->sqlite_extended_code, 1555);
  EXPECT_EQ(no.vote.error->node_id, "bank-1");
  EXPECT_THAT(no.vote.error->message, HasSubstr("account.id"));
  EXPECT_YES(database.Execute("INSERT INTO account VALUES(3)"));
  database.Commit();
  EXPECT_EQ(database.Read("SELECT group_concat(id) FROM account"), Value(std::string("1,3")));
}

Branch Guarded(const std::string& sql, const Guard& guard) {
  Statement statement{sql, {}, {}};
  statement.guard = guard;
  return TestDatabase::BranchOf(std::vector<Statement>{statement});
}

TEST(BranchExecutorTest, AGuardCountsRowsAffectedOrReturned) {
  TestDatabase database;
  database.Run("CREATE TABLE account(id INTEGER PRIMARY KEY, balance INTEGER)");
  EXPECT_YES(database.Run(Guarded("INSERT INTO account VALUES(1, 5), (2, 5), (3, 0)", {3, 3})));
  EXPECT_YES(database.Run(Guarded("SELECT id FROM account WHERE balance > 0", {2, 2})));
  EXPECT_YES(database.Run(Guarded("SELECT id FROM account WHERE balance > 9", {0, 0})));
  EXPECT_YES(database.Run(Guarded("UPDATE account SET balance = 1 WHERE id = 4", {0, 0})));
  EXPECT_YES(database.Run(Guarded("DELETE FROM account WHERE id > 1 RETURNING id", {1, 2})));
  EXPECT_YES(database.Run(
      Guarded("INSERT INTO account VALUES(1, 0) ON CONFLICT DO NOTHING RETURNING id", {0, 0})));
  EXPECT_YES(database.Run(Guarded("CREATE TABLE other(id)", {0, 0})));
}

TEST(BranchExecutorTest, AGuardThatFailsIsANoWithBothNumbersAndLeavesNothing) {
  TestDatabase database;
  database.Run("CREATE TABLE account(id INTEGER PRIMARY KEY, balance INTEGER)");
  database.Run("INSERT INTO account VALUES(1, 5), (2, 5)");
  const struct {
    Guard guard;
    const char* expected;
  } kCases[] = {{{3, 3}, "3"},
                {{3, Guard().max_rows}, "3.."},
                {{0, 1}, "..1"},
                {{0, 0}, "0"},
                {{3, 9}, "3..9"}};
  for (const auto& [guard, expected] : kCases) {
    for (const char* sql : {"UPDATE account SET balance = 0", "SELECT * FROM account",
                            "DELETE FROM account RETURNING *"}) {
      const ExecutedBranch no = database.Run(Guarded(sql, guard));
      EXPECT_NO(no, Reason::kGuardFailed);
      EXPECT_FALSE(no.transaction_lost);
      EXPECT_EQ(no.vote.error->expected_rows, expected);
      EXPECT_EQ(no.vote.error->actual_rows, 2);
      EXPECT_EQ(no.vote.error->statement, 0);
    }
  }
  EXPECT_EQ(database.Read("SELECT sum(balance) FROM account"), Value(int64_t{10}));
}

// A backup keeps no rows, and re-execution none at all: both judge as the master did.
TEST(BranchExecutorTest, AGuardCountsRowsThatNobodyWants) {
  TestDatabase database;
  database.Run("CREATE TABLE account(id)");
  database.Run("INSERT INTO account VALUES(1), (2)");
  Branch branch = Guarded("SELECT * FROM account", {2, 2});
  branch.want_rows = false;
  EXPECT_YES(database.Run(branch));
  database.Begin();
  EXPECT_YES(database.Execute(branch, ExecutionMode::kAgain));
  branch.operations[0].statements[0].guard = Guard{3, 3};
  EXPECT_NO(database.Execute(branch), Reason::kGuardFailed);
}

// The executor does not see a round that is rolled back after its votes.
TEST(BranchExecutorTest, CachedStatementsOutliveARoundThatIsRolledBack) {
  TestDatabase database;
  EXPECT_YES(database.Run("CREATE TABLE t(a, b)"));
  EXPECT_YES(database.Run("INSERT INTO t VALUES(1, 2)"));
  database.Begin();
  EXPECT_YES(database.Execute("ALTER TABLE t ADD COLUMN c"));
  EXPECT_EQ(OnlyRow(database.Execute("SELECT * FROM t")).size(), 3u);
  database.Rollback();
  const ExecutedBranch narrow = database.Run("SELECT * FROM t");
  EXPECT_EQ(OnlyRow(narrow).size(), 2u);
  EXPECT_EQ(narrow.vote.results[0].statements[0].columns.size(), 2u);
}

TEST(BranchExecutorTest, AStatementWithoutRowsStillHasItsColumns) {
  TestDatabase database;
  const ExecutedBranch executed = database.Run("SELECT 1 AS one WHERE 0");
  EXPECT_EQ(executed.vote.results[0].statements[0].columns, (std::vector<Column>{{"one", ""}}));
}

TEST(BranchExecutorTest, EachStatementTellsWhatItAffected) {
  TestDatabase database;
  EXPECT_YES(database.Run("CREATE TABLE t(id INTEGER PRIMARY KEY, a)"));
  EXPECT_YES(database.Run("CREATE TABLE log(a)"));
  EXPECT_YES(
      database.Run("CREATE TRIGGER g AFTER INSERT ON t BEGIN "
                   "INSERT INTO log VALUES(1), (2), (3); END"));
  const ExecutedBranch executed =
      database.Run(TestDatabase::BranchOf({{"INSERT INTO t VALUES(5, 1), (6, 1)", {}, {}},
                                           {"SELECT * FROM t", {}, {}},
                                           {"UPDATE t SET a = 2 WHERE id = 99", {}, {}},
                                           {"UPDATE t SET a = 2", {}, {}},
                                           {"CREATE TABLE copy AS SELECT * FROM t", {}, {}},
                                           {"DELETE FROM t WHERE id = 5 RETURNING id", {}, {}}}));
  EXPECT_YES(executed);
  std::vector<int64_t> affected;
  for (const StatementResult& result : executed.vote.results[0].statements) {
    affected.push_back(result.rows_affected);
    EXPECT_EQ(result.last_insert_rowid, 6);
  }
  EXPECT_THAT(affected, ::testing::ElementsAre(2, 0, 0, 2, 0, 1));
}

TEST(BranchExecutorTest, OperationsKeepTheirPlaces) {
  TestDatabase database;
  Branch branch = TestDatabase::BranchOf("SELECT 1");
  branch.operations[0].operation = 2;
  branch.operations.push_back({5, {{"SELECT 2", {}, {}}, {"SELECT nonsense", {}, {}}}});
  const ExecutedBranch no = database.Run(branch);
  EXPECT_NO(no, Reason::kSqlInvalid);
  EXPECT_EQ(no.vote.error->operation, 5);
  EXPECT_EQ(no.vote.error->statement, 1);
  EXPECT_EQ(no.vote.error->transaction_id, "1-1");
  EXPECT_EQ(no.vote.error->database, "bank");
  EXPECT_TRUE(no.vote.results.empty());
  branch.operations[1].statements.pop_back();
  const ExecutedBranch yes = database.Run(branch);
  ASSERT_EQ(yes.vote.results.size(), 2u);
  EXPECT_EQ(yes.vote.results[0].operation, 2);
  EXPECT_EQ(yes.vote.results[1].operation, 5);
}

TEST(BranchExecutorTest, AFileWithoutATableOfLockstepsOwnIsRefused) {
  const auto connection = sqlite::Connection::Open(":memory:", {}).value();
  sqlite::FrozenClock sql_clock;
  ManualClock clock;
  EXPECT_FALSE(
      BranchExecutor::Create(connection.get(), &sql_clock, &clock, {"bank", "bank-1"}, {}).ok());
}

TEST(BranchExecutorTest, RowsComeOnlyWhenWanted) {
  TestDatabase database;
  Branch branch = TestDatabase::BranchOf("SELECT 1 AS one, 'x' AS two");
  EXPECT_EQ(OnlyRow(database.Run(branch)), (Row{int64_t{1}, std::string("x")}));
  branch.want_rows = false;
  const ExecutedBranch without = database.Run(branch);
  EXPECT_TRUE(without.vote.results.at(0).statements.at(0).rows.empty());
  EXPECT_TRUE(without.vote.results.at(0).statements.at(0).columns.empty());
}

}  // namespace
}  // namespace lockstep::participant
