// Statements that would take the stack, the memory or the time of everybody.
#include <array>
#include <thread>

#include "tests/participant/execution/fixture.h"

namespace lockstep::participant {
namespace {

std::string Number(int i) { return std::to_string(i); }

// Longer chains than any stack holds.
constexpr int kLong = 20'000;
constexpr int kLongOfTables = 3'000;
constexpr int kLongOfTriggers = 5'000;

class RunawayTest : public ::testing::Test {
 protected:
  static ExecutionLimits Limits() {
    ExecutionLimits limits;
    limits.statement_budget =
        absl::Seconds(5);  // far above what the others take, in slow builds too
    return limits;
  }

  // Objects without rows from 1 to `last`, put into the schema: thousands of statements would
  // take minutes. `sql` gives the text of one from its number, i.
  void MakeMany(int last, const std::string& type, const std::string& name,
                const std::string& table, const std::string& sql) {
    ASSERT_TRUE(database_.writer().Set(sqlite::Switch::kDefensive, false).ok());
    database_.Exec("PRAGMA writable_schema = ON");
    database_.Exec("WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < " +
                   Number(last) + ") INSERT INTO sqlite_schema SELECT '" + type + "', " + name +
                   ", " + table + ", 0, " + sql + " FROM n");
    database_.Exec("PRAGMA writable_schema = RESET");
    ASSERT_TRUE(database_.writer().Set(sqlite::Switch::kDefensive, true).ok());
  }

  // Statements of the owner, in one transaction. `each` gives that of a number.
  template <typename Each>
  void Make(int first, int count, Each each) {
    database_.Begin();
    for (int i = first; i < count; ++i) database_.Exec(each(i));
    database_.Commit();
  }

  // Refused, at the latest by the budget, and the connection is as before.
  void ExpectEnds(const std::string& sql) {
    SCOPED_TRACE(sql.substr(0, 100));
    EXPECT_EQ(database_.Run(sql).vote.kind, VoteKind::kNo);
    EXPECT_YES(database_.Run("INSERT INTO after VALUES(1)"));
  }
  // Refused since it is nested too deeply.
  void ExpectTooDeep(const std::string& sql) {
    ExpectEnds(sql);
    EXPECT_THAT(Explain(database_.Run(sql)), ::testing::HasSubstr("nested too deeply"));
  }

  void SetUp() override { EXPECT_YES(database_.Run("CREATE TABLE after(a)")); }

  TestDatabase database_{Limits(), std::make_unique<SystemClock>()};
};

class NestedViewsTest : public RunawayTest {
 protected:
  void SetUp() override {
    RunawayTest::SetUp();
    EXPECT_YES(database_.Run("CREATE VIEW v0 AS SELECT 1 AS a"));
    MakeMany(kLong - 1, "view", "'v' || i", "'v' || i",
             "'CREATE VIEW v' || i || ' AS SELECT a FROM v' || (i - 1) || ' LIMIT 5'");
  }
};

TEST_F(NestedViewsTest, AreRefusedBeforeTheStackEnds) {
  ExpectTooDeep("SELECT * FROM v19999");
  ExpectTooDeep("INSERT INTO after SELECT a FROM v19999");
  ExpectTooDeep("CREATE TABLE x AS SELECT * FROM v19999");
  EXPECT_YES(database_.Run("SELECT * FROM v50"));
}

TEST_F(NestedViewsTest, AreRefusedWhereNobodyNamesThem) {
  ExpectEnds("ALTER TABLE after RENAME TO elsewhere");  // each view by itself
  ExpectTooDeep("SELECT * FROM pragma_table_info('v19999')");
  EXPECT_YES(database_.Run("DROP VIEW v10000"));
}

TEST_F(RunawayTest, ViewsThatDoubleEnd) {
  EXPECT_YES(database_.Run("CREATE VIEW v0 AS SELECT 1 AS a"));
  Make(1, 60, [](int i) {
    const std::string below = "v" + Number(i - 1);
    return "CREATE VIEW v" + Number(i) + " AS SELECT x.a FROM " + below + " x, " + below + " y";
  });
  ExpectEnds("SELECT * FROM v59");
}

TEST_F(RunawayTest, ChainsOfTriggersAreRefusedBeforeTheStackEnds) {
  EXPECT_YES(database_.Run("CREATE TABLE v0(a)"));
  MakeMany(kLongOfTriggers, "view", "'v' || i", "'v' || i",
           "'CREATE VIEW v' || i || ' AS SELECT 1 AS a'");
  MakeMany(kLongOfTriggers, "trigger", "'g' || i", "'v' || i",
           "'CREATE TRIGGER g' || i || ' INSTEAD OF INSERT ON v' || i || ' BEGIN INSERT INTO v' || "
           "(i - 1) || ' VALUES(new.a); END'");
  ExpectTooDeep("INSERT INTO v5000 VALUES(1)");
  EXPECT_YES(database_.Run("INSERT INTO v50 VALUES(1)"));
  EXPECT_EQ(database_.Read("SELECT count(*) FROM v0"), Value(int64_t{1}));
}

TEST_F(RunawayTest, ChainsOfCascadesAreRefusedBeforeTheStackEnds) {
  database_.Exec("CREATE TABLE t0(a INTEGER PRIMARY KEY)");
  Make(1, kLongOfTables, [](int i) {
    return "CREATE TABLE t" + Number(i) + "(a INTEGER PRIMARY KEY REFERENCES t" + Number(i - 1) +
           " ON DELETE CASCADE)";
  });
  ExpectTooDeep("DELETE FROM t0 WHERE a = 1");
  EXPECT_YES(database_.Run("DELETE FROM t2950 WHERE a = 1"));
}

std::string Nested(const std::string& open, const std::string& inside, const std::string& close,
                   size_t bytes) {
  std::string opened;
  std::string closed;
  while (opened.size() + closed.size() < bytes) {
    opened += open;
    closed += close;
  }
  return opened + inside + closed;
}

TEST_F(RunawayTest, NothingThatATextNestsReachesTheEndOfTheStack) {
  const std::array<std::string, 7> texts = {
      Nested("SELECT * FROM (", "SELECT 1", ")", 99'000),
      "SELECT " + Nested("(SELECT ", "1", ")", 99'000),
      "SELECT " + Nested("abs(", "1", ")", 99'000),
      "SELECT " + Nested("CASE WHEN 1 THEN ", "1", " END", 99'000),
      "SELECT " + Nested("NOT ", "1", "", 99'000),
      "SELECT " + Nested("1 IN (SELECT ", "1", ")", 99'000),
      "SELECT 1" + Nested(" UNION SELECT 1", "", "", 99'000),
  };
  for (const std::string& text : texts) {
    SCOPED_TRACE(text.substr(0, 100));
    EXPECT_EQ(database_.Run(text).vote.kind, VoteKind::kNo);
    EXPECT_YES(database_.Run("INSERT INTO after VALUES(1)"));
  }
}

// What the other limits allow fits into the stack that a statement has.
TEST_F(RunawayTest, TheStackHoldsWhatTheOtherLimitsAllow) {
  EXPECT_YES(database_.Run("SELECT 1" + Nested("+1", "", "", 980)));
  EXPECT_YES(database_.Run("SELECT 1" + Nested(" UNION SELECT 1", "", "", 198 * 15)));
  Make(0, 101, [](int i) { return "CREATE TABLE t" + Number(i) + "(a)"; });
  Make(0, 100, [](int i) {
    return "CREATE TRIGGER g" + Number(i) + " AFTER INSERT ON t" + Number(i) +
           " BEGIN INSERT INTO t" + Number(i + 1) + " VALUES(new.a); END";
  });
  EXPECT_YES(database_.Run("INSERT INTO t2 VALUES(1)"));
  EXPECT_YES(database_.Run("CREATE VIEW v0 AS SELECT a FROM t1"));
  Make(1, 101, [](int i) {
    return "CREATE VIEW v" + Number(i) + " AS SELECT a FROM v" + Number(i - 1) + " LIMIT 5";
  });
  EXPECT_YES(database_.Run("SELECT * FROM v100"));
}

constexpr char kSortOfLargeValues[] =
    "WITH RECURSIVE r(n) AS (VALUES(1) UNION ALL SELECT n + 1 FROM r LIMIT 3000) "
    "SELECT length(b) FROM (SELECT n, zeroblob(8000000) AS b FROM r ORDER BY b, n)";

TEST(MemoryTest, AStatementGetsNoMoreThanOneMayTake) {
  ExecutionLimits limits;
  limits.max_changed_bytes = int64_t{8} << 20;
  limits.max_working_bytes = int64_t{32} << 20;
  TestDatabase database(limits);
  const ExecutedBranch sorted = database.Run(kSortOfLargeValues);
  EXPECT_NO(sorted, Reason::kLimitExceeded);
  EXPECT_THAT(Explain(sorted), ::testing::HasSubstr("max_working_bytes"));
  EXPECT_NO(database.Run("WITH RECURSIVE r(n) AS (VALUES(1) UNION ALL SELECT n + 1 FROM r LIMIT "
                         "9000) SELECT count(DISTINCT n || hex(zeroblob(4000))) FROM r"),
            Reason::kLimitExceeded);
  EXPECT_NO(database.Run("WITH RECURSIVE r(n) AS (VALUES(1) UNION ALL SELECT n + 1 FROM r LIMIT "
                         "9000) SELECT length(group_concat(hex(zeroblob(4000)))) FROM r"),
            Reason::kLimitExceeded);
  EXPECT_YES(database.Run("CREATE TABLE t(a)"));
}

// Statements before the one that gets none stay, and so does the COMMIT.
TEST(MemoryTest, WithoutMemoryOfTheProcessAStatementFailsAndACommitDoesNot) {
  ExecutionLimits limits;
  limits.sqlite_heap_bytes = int64_t{32} << 20;
  TestDatabase small(limits);
  auto large = std::make_unique<TestDatabase>();
  EXPECT_YES(small.Run("CREATE TABLE t(a)"));
  EXPECT_YES(large->Run("CREATE TABLE t(a)"));
  small.Begin();
  EXPECT_YES(small.Execute("INSERT INTO t VALUES('before')"));
  EXPECT_YES(large->Run("INSERT INTO t VALUES(zeroblob(16000000)), (zeroblob(16000000))"));
  const ExecutedBranch refused = small.Execute("INSERT INTO t VALUES(zeroblob(1000000))");
  EXPECT_NO(refused, Reason::kLimitExceeded);
  EXPECT_THAT(Explain(refused), ::testing::HasSubstr("sqlite_heap_bytes"));
  EXPECT_FALSE(refused.transaction_lost);
  small.Commit();
  EXPECT_EQ(small.Read("SELECT count(*) FROM t"), Value(int64_t{1}));
  large.reset();
  EXPECT_YES(small.Run("INSERT INTO t VALUES(zeroblob(1000000))"));
}

}  // namespace
}  // namespace lockstep::participant
