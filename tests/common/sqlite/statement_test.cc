#include "common/sqlite/statement.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "common/sqlite/connection.h"
#include "common/sqlite/statement_cache.h"

namespace lockstep::sqlite {
namespace {

class StatementTest : public ::testing::Test {
 protected:
  Statement Prepare(const std::string& sql) { return connection_->Prepare(sql).value(); }

  std::unique_ptr<Connection> connection_ = Connection::Open(":memory:", {}).value();
};

std::vector<Value> Values() {
  return {std::monostate(),
          std::numeric_limits<int64_t>::min(),
          std::numeric_limits<int64_t>::max(),
          -0.0,
          std::numeric_limits<double>::infinity(),
          std::string(),
          std::string("a\0b", 3),
          Blob{""},
          Blob{std::string("\0\xff", 2)}};
}

TEST_F(StatementTest, ValuesGoInAndOutExactlyWithAndWithoutACopy) {
  Statement statement = Prepare("SELECT ?1");
  for (const Value& value : Values()) {
    for (const bool copy : {false, true}) {
      ASSERT_EQ(copy ? statement.Bind(1, value) : statement.BindStatic(1, value), kOk);
      ASSERT_EQ(statement.Step(), StepResult::kRow);
      EXPECT_EQ(statement.Column(0), value) << "index " << value.index();
      if (const double* real = std::get_if<double>(&value)) {
        EXPECT_EQ(std::signbit(std::get<double>(statement.Column(0))), std::signbit(*real));
      }
      statement.Reset();
    }
  }
}

TEST_F(StatementTest, BindCopies) {
  Statement statement = Prepare("SELECT ?1");
  {
    Value value = std::string("gone before the step, and longer than any small string");
    ASSERT_EQ(statement.Bind(1, value), kOk);
  }
  ASSERT_EQ(statement.Step(), StepResult::kRow);
  EXPECT_EQ(statement.Column(0),
            Value(std::string("gone before the step, and longer than any small string")));
}

TEST_F(StatementTest, TellsItsParametersAndColumns) {
  ASSERT_TRUE(connection_->Exec("CREATE TABLE t(id INTEGER PRIMARY KEY)").ok());
  const Statement statement = Prepare("SELECT id AS a, ?, :b, @c, $d, ?9 FROM t");
  EXPECT_EQ(statement.parameter_count(), 9);
  EXPECT_EQ(statement.parameter_name(1), "");
  EXPECT_EQ(statement.parameter_name(2), ":b");
  EXPECT_EQ(statement.parameter_name(3), "@c");
  EXPECT_EQ(statement.parameter_name(4), "$d");
  EXPECT_EQ(statement.parameter_name(5), "");
  EXPECT_EQ(statement.column_count(), 6);
  EXPECT_EQ(statement.column_name(0), "a");
  EXPECT_EQ(statement.column_declared_type(0), "INTEGER");
  EXPECT_EQ(statement.column_declared_type(1), "");
  EXPECT_TRUE(statement.readonly());
  EXPECT_FALSE(statement.is_explain());
  EXPECT_TRUE(Prepare("EXPLAIN DELETE FROM t").is_explain());
  EXPECT_FALSE(Prepare("DELETE FROM t").readonly());
}

TEST_F(StatementTest, AnErrorIsToldAndResetMakesItUsableAgain) {
  ASSERT_TRUE(connection_->Exec("CREATE TABLE t(a UNIQUE); INSERT INTO t VALUES(1)").ok());
  Statement statement = Prepare("INSERT INTO t VALUES(?)");
  ASSERT_EQ(statement.Bind(1, int64_t{1}), kOk);
  ASSERT_EQ(statement.Step(), StepResult::kFailed);
  EXPECT_EQ(statement.error().extended_code, 2067);
  statement.Reset();
  ASSERT_EQ(statement.Bind(1, int64_t{2}), kOk);
  EXPECT_TRUE(statement.Run().ok());
  EXPECT_FALSE(statement.Run().ok());
  EXPECT_EQ(statement.Bind(2, int64_t{2}), kRange);
}

TEST_F(StatementTest, MovesLeaveNothingBehind) {
  Statement first = Prepare("SELECT 1");
  Statement second = std::move(first);
  EXPECT_TRUE(first.empty());  // NOLINT: what a move leaves is part of the contract
  first = Prepare("SELECT 2");
  second = std::move(first);
  ASSERT_EQ(second.Step(), StepResult::kRow);
  EXPECT_EQ(second.ColumnInt(0), 2);
}

TEST_F(StatementTest, TheCacheFindsByTextAndForgetsTheOldest) {
  StatementCache cache(40'000);
  EXPECT_EQ(cache.Find("SELECT 1"), nullptr);
  CachedStatement* one = cache.Insert("SELECT 1", Prepare("SELECT 1"), 5);
  EXPECT_EQ(one->tags, 5u);
  EXPECT_EQ(cache.Find("SELECT 1"), one);
  for (int i = 0; i < 1000; ++i) {
    const std::string sql = "SELECT ?1 + " + std::to_string(i + 10);
    EXPECT_EQ(cache.Insert(sql, Prepare(sql), 0)->parameter_count, 1);
    EXPECT_NE(cache.Find("SELECT 1"), nullptr);  // used all the time
    EXPECT_LE(cache.bytes(), 40'000);
  }
  EXPECT_EQ(cache.Find("SELECT ?1 + 10"), nullptr);
  EXPECT_NE(cache.Find("SELECT ?1 + 1009"), nullptr);
  EXPECT_LT(cache.size(), 100u);
  cache.Clear();
  EXPECT_EQ(cache.size(), 0u);
  EXPECT_EQ(cache.bytes(), 0);
  EXPECT_EQ(cache.Find("SELECT 1"), nullptr);
}

TEST_F(StatementTest, ACacheThatIsTooSmallKeepsTheLastStatement) {
  StatementCache cache(1);
  cache.Insert("SELECT 1", Prepare("SELECT 1"), 0);
  CachedStatement* two = cache.Insert("SELECT 2", Prepare("SELECT 2"), 0);
  EXPECT_EQ(cache.size(), 1u);
  EXPECT_EQ(cache.Find("SELECT 2"), two);
}

}  // namespace
}  // namespace lockstep::sqlite
