// Values go in and come out as they are, and what cannot is refused.
#include <cmath>
#include <limits>

#include "tests/participant/execution/fixture.h"

namespace lockstep::participant {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

bool SameBits(const Value& a, const Value& b) {
  if (a.index() != b.index()) return false;
  if (const double* real = std::get_if<double>(&a)) {
    return *real == std::get<double>(b) && std::signbit(*real) == std::signbit(std::get<double>(b));
  }
  return a == b;
}

std::vector<Value> Values() {
  return {std::monostate(),
          int64_t{0},
          int64_t{-1},
          std::numeric_limits<int64_t>::min(),
          std::numeric_limits<int64_t>::max(),
          (int64_t{1} << 53) + 1,
          0.0,
          -0.0,
          1.5,
          3.0,
          std::numeric_limits<double>::infinity(),
          -std::numeric_limits<double>::infinity(),
          std::numeric_limits<double>::denorm_min(),
          std::numeric_limits<double>::max(),
          std::string(),
          std::string("a\0b\0", 4),
          std::string("\xF0\x9F\x90\xA2 turtle"),
          std::string(5000, 'x'),
          Blob{""},
          Blob{std::string("\0\xff\x80", 3)},
          Blob{std::string(70'000, '\xfe')}};
}

TEST(ValuesTest, EveryValueComesBackAsItWasBound) {
  TestDatabase database;
  EXPECT_YES(database.Run("CREATE TABLE t(id INTEGER PRIMARY KEY, v)"));
  const std::vector<Value> values = Values();
  for (size_t i = 0; i < values.size(); ++i) {
    SCOPED_TRACE(i);
    const ExecutedBranch echoed = database.RunBound("SELECT ?1", {values[i]});
    EXPECT_YES(echoed);
    EXPECT_TRUE(SameBits(echoed.vote.results[0].statements[0].rows[0][0], values[i]));
    const ExecutedBranch stored = database.RunBound("INSERT INTO t VALUES(?1, ?2) RETURNING v",
                                                    {static_cast<int64_t>(i), values[i]});
    EXPECT_YES(stored);
    EXPECT_EQ(stored.vote.results[0].statements[0].rows_affected, 1);
    EXPECT_TRUE(SameBits(stored.vote.results[0].statements[0].rows[0][0], values[i]));
    const ExecutedBranch read =
        database.RunBound("SELECT v FROM t WHERE id = ?", {static_cast<int64_t>(i)});
    EXPECT_TRUE(SameBits(read.vote.results[0].statements[0].rows[0][0], values[i]));
  }
}

TEST(ValuesTest, NanIsRefused) {
  TestDatabase database;
  EXPECT_NO(database.RunBound("SELECT ?", {std::nan("")}), Reason::kRequestInvalid);
}

TEST(ValuesTest, TextThatIsNotUtf8CannotBeAnswered) {
  TestDatabase database;
  const ExecutedBranch executed = database.Run("SELECT 1, CAST(x'61ff' AS TEXT) AS broken");
  EXPECT_NO(executed, Reason::kResultNotText);
  EXPECT_THAT(executed.vote.error->message, HasSubstr("column 1"));
  EXPECT_YES(database.Run("SELECT CAST(CAST(x'61ff' AS TEXT) AS BLOB)"));
  Branch branch = TestDatabase::BranchOf("SELECT CAST(x'61ff' AS TEXT)");
  branch.want_rows = false;
  EXPECT_YES(database.Run(branch));
}

TEST(ValuesTest, NamesOfColumnsAndMessagesAreMadeValid) {
  TestDatabase database;
  EXPECT_YES(database.Run("CREATE TABLE t(a)"));
  EXPECT_YES(database.Run(
      "CREATE TRIGGER g BEFORE INSERT ON t BEGIN SELECT RAISE(ABORT, 'caf\xC3\xA9'); END"));
  const ExecutedBranch executed = database.Run("INSERT INTO t VALUES(1)");
  EXPECT_THAT(executed.vote.error->message, HasSubstr("caf\xC3\xA9"));
}

TEST(ValuesTest, ParametersOfAllKindsOfNames) {
  TestDatabase database;
  const auto run = [&](const std::string& sql, std::vector<Value> params,
                       std::vector<std::pair<std::string, Value>> named) {
    return database.Run(
        TestDatabase::BranchOf(std::vector<Statement>{{sql, std::move(params), std::move(named)}}));
  };
  const Value one = int64_t{1};
  const Value two = int64_t{2};
  EXPECT_EQ(run("SELECT ?2, ?1", {one, two}, {}).vote.results[0].statements[0].rows[0],
            (Row{two, one}));
  EXPECT_EQ(run("SELECT :a, @b, $c, @a", {}, {{"c", two}, {"a", one}, {"b", std::string("b")}})
                .vote.results[0]
                .statements[0]
                .rows[0],
            (Row{one, std::string("b"), two, one}));
  EXPECT_NO(run("SELECT ?", {}, {}), Reason::kSqlInvalid);
  EXPECT_NO(run("SELECT 1", {one}, {}), Reason::kSqlInvalid);
  EXPECT_NO(run("SELECT ?, ?", {one}, {}), Reason::kSqlInvalid);
  EXPECT_NO(run("SELECT :a", {}, {{"b", one}}), Reason::kSqlInvalid);
  EXPECT_NO(run("SELECT :a", {}, {{"a", one}, {"b", one}}), Reason::kSqlInvalid);
  EXPECT_NO(run("SELECT ?", {}, {{"a", one}}), Reason::kSqlInvalid);
  EXPECT_NO(run("SELECT :a", {one}, {{"a", one}}), Reason::kRequestInvalid);
}

TEST(ValuesTest, ACachedStatementForgetsTheValuesOfTheCallBefore) {
  TestDatabase database;
  for (const Value& value : Values()) {
    EXPECT_YES(database.RunBound("SELECT ?1", {value}));
  }
  EXPECT_NO(database.RunBound("SELECT ?1", {}), Reason::kSqlInvalid);
}

TEST(ValuesTest, ColumnsHaveNamesAndDeclaredTypes) {
  TestDatabase database;
  EXPECT_YES(database.Run("CREATE TABLE t(id INTEGER PRIMARY KEY, price DECIMAL(10, 2), x)"));
  const ExecutedBranch executed = database.Run("SELECT id, price AS p, x, 1 + 1 AS two FROM t");
  EXPECT_EQ(
      executed.vote.results[0].statements[0].columns,
      (std::vector<Column>{{"id", "INTEGER"}, {"p", "DECIMAL(10, 2)"}, {"x", ""}, {"two", ""}}));
}

TEST(ValuesTest, LimitsOfValuesRowsAndBytes) {
  ExecutionLimits limits;
  limits.max_value_bytes = 1000;
  limits.max_rows = 3;
  limits.max_result_bytes = 2000;
  TestDatabase database(limits);
  EXPECT_YES(database.RunBound("SELECT length(?)", {std::string(1000, 'x')}));
  EXPECT_NO(database.RunBound("SELECT length(?)", {std::string(1001, 'x')}),
            Reason::kLimitExceeded);
  EXPECT_NO(database.Run("SELECT zeroblob(100000000)"), Reason::kLimitExceeded);
  EXPECT_NO(database.Run("SELECT length(randomblob(100000000))"), Reason::kLimitExceeded);
  EXPECT_YES(database.Run("VALUES (1), (2), (3)"));
  EXPECT_NO(database.Run("VALUES (1), (2), (3), (4)"), Reason::kLimitExceeded);
  EXPECT_YES(database.Run("SELECT zeroblob(1900)"));
  EXPECT_NO(database.Run("SELECT zeroblob(2000)"), Reason::kLimitExceeded);
  EXPECT_NO(database.Run(TestDatabase::BranchOf(
                {{"SELECT zeroblob(1200)", {}, {}}, {"SELECT zeroblob(1200)", {}, {}}})),
            Reason::kLimitExceeded);
}

TEST(ValuesTest, LimitsBeyondSqlitesOwnAreNoLimits) {
  ExecutionLimits limits;
  limits.max_value_bytes = int64_t{1} << 40;
  limits.max_sql_bytes = int64_t{1} << 40;
  TestDatabase database(limits);
  EXPECT_YES(database.RunBound("SELECT length(?)", {std::string(20'000'000, 'x')}));
}

// A limit may have been lowered since the branch voted YES.
TEST(ValuesTest, ReExecutionKnowsNoLimitsOfValuesAndTexts) {
  ExecutionLimits limits;
  limits.max_value_bytes = 1000;
  limits.max_sql_bytes = 100;
  TestDatabase database(limits);
  const Branch branch = TestDatabase::BranchOf({{"SELECT length(?)", {std::string(1001, 'x')}, {}},
                                                {"SELECT 1" + std::string(2000, ' '), {}, {}},
                                                {"SELECT length(zeroblob(20000000))", {}, {}}});
  EXPECT_NO(database.Run(branch), Reason::kLimitExceeded);
  database.Begin();
  EXPECT_YES(database.Execute(branch, ExecutionMode::kAgain));
  EXPECT_NO(database.Execute("SELECT length(randomblob(20000000))"), Reason::kLimitExceeded);
  database.Rollback();
}

// Both were stored while higher limits held.
TEST(ValuesTest, ALoweredLimitLeavesWhatIsStoredReadable) {
  ExecutionLimits limits;
  limits.max_value_bytes = 1000;
  limits.max_sql_bytes = 100;
  TestDatabase database(limits);
  database.Exec("CREATE TABLE t(a); INSERT INTO t VALUES(zeroblob(8388608))");
  database.Exec("CREATE TABLE wide(a DEFAULT '" + std::string(90'000, 'x') + "')");
  EXPECT_YES(database.Run("SELECT length(a || 'x') FROM t"));
  EXPECT_NO(database.Run(TestDatabase::BranchOf(
                {{"CREATE TABLE u(a)", {}, {}}, {"SELECT * FROM nothing", {}, {}}})),
            Reason::kSqlInvalid);
  // The schema was read again.
  EXPECT_YES(database.Run("INSERT INTO wide DEFAULT VALUES"));
}

TEST(ValuesTest, ValuesOfParametersNeverAppearInMessages) {
  TestDatabase database;
  EXPECT_YES(database.Run("CREATE TABLE t(id INTEGER PRIMARY KEY, a UNIQUE, b CHECK(b <> 'x'))"));
  EXPECT_YES(database.Run("CREATE VIRTUAL TABLE f USING fts5(body)"));
  const Value secret = std::string("SECRET");
  EXPECT_YES(database.RunBound("INSERT INTO t(a) VALUES(?)", {secret}));
  for (const char* sql :
       {"INSERT INTO t(a) VALUES(?)", "INSERT INTO t(id) VALUES(?)", "SELECT json(?)",
        "SELECT json_extract('{}', ?)", "SELECT * FROM f WHERE f MATCH ? || ' \"'",
        "SELECT * FROM f WHERE f MATCH '{' || ?", "SELECT * FROM f WHERE f MATCH ? || ':x'",
        "INSERT INTO f(f) VALUES(?)", "INSERT INTO f(f, rank) VALUES('rank', ?)"}) {
    SCOPED_TRACE(sql);
    const ExecutedBranch executed = database.RunBound(sql, {secret});
    ASSERT_EQ(executed.vote.kind, VoteKind::kNo);
    EXPECT_THAT(executed.vote.error->message, Not(HasSubstr("SECRET")));
  }
}

}  // namespace
}  // namespace lockstep::participant
