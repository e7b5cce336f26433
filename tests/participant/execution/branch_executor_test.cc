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
