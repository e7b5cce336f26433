// Functions of SQL that are bounded by the budget, and are otherwise as SQLite's own.
#include <random>

#include "tests/participant/execution/fixture.h"
#include "tests/support/seed.h"

namespace lockstep::participant {
namespace {

constexpr absl::Duration kBudget = absl::Milliseconds(200);

TEST(BoundedFunctionsTest, NoneWorksOnWhenTheBudgetIsOver) {
  ExecutionLimits limits;
  limits.statement_budget = kBudget;
  TestDatabase database(limits, std::make_unique<SystemClock>());
  EXPECT_YES(database.Run("CREATE TABLE t(a)"));
  for (const char* sql : {
           "INSERT INTO t SELECT instr(zeroblob(4000000), zeroblob(2000000) || x'01')",
           "INSERT INTO t SELECT instr(hex(zeroblob(4000000)), hex(zeroblob(2000000)) || '1')",
           "INSERT INTO t SELECT replace(hex(zeroblob(4000000)), hex(zeroblob(2000000)) || '1', "
           "'')",
           "INSERT INTO t SELECT trim(hex(zeroblob(3000000)), replace(hex(zeroblob(3000000)), '0', "
           "'1') || '0')",
           "INSERT INTO t SELECT rtrim(hex(zeroblob(3000000)), replace(hex(zeroblob(3000000)), "
           "'0', '1') || '0')",
       }) {
    SCOPED_TRACE(sql);
    database.Begin();
    EXPECT_YES(database.Execute("INSERT INTO t VALUES('before')"));
    const absl::Time start = absl::Now();
    const ExecutedBranch executed = database.Execute(sql);
    EXPECT_LT(absl::Now() - start, 10 * kBudget);
    EXPECT_NO(executed, Reason::kStatementTooLongRunning);
    EXPECT_FALSE(executed.transaction_lost);
    database.Commit();
  }
  EXPECT_EQ(database.Read("SELECT count(*) FROM t WHERE a = 'before'"), Value(int64_t{5}));
  EXPECT_EQ(database.Read("SELECT count(*) FROM t"), Value(int64_t{5}));
}

// A value of few different bytes, so that one is found in another.
Value AnyValue(std::mt19937_64* random) {
  const auto pick = [random](uint64_t below) { return (*random)() % below; };
  const std::vector<std::string> parts = {"a",    "b",    "ab",   "é", "€",
                                          "\xc3", "\xa9", "\xff", " ", std::string(1, '\0')};
  std::string bytes;
  for (uint64_t i = pick(8); i > 0; --i) bytes += parts[pick(parts.size())];
  switch (pick(8)) {
    case 0:
      return std::monostate();
    case 1:
      return static_cast<int64_t>(pick(200)) - 100;
    case 2:
      return static_cast<double>(pick(100)) / 8;
    case 3:
    case 4:
      return Blob{bytes};
    default:
      return bytes;
  }
}

TEST(BoundedFunctionsTest, EachGivesWhatTheOneOfSqliteGives) {
  std::mt19937_64 random(SeedOfTest());
  TestDatabase database;
  const auto plain = sqlite::Connection::Open(":memory:", {}).value();
  for (const char* call : {"instr(?1, ?2)", "replace(?1, ?2, ?3)", "trim(?1)", "trim(?1, ?2)",
                           "ltrim(?1)", "ltrim(?1, ?2)", "rtrim(?1)", "rtrim(?1, ?2)"}) {
    SCOPED_TRACE(call);
    const std::string sql =
        "SELECT quote(r) || typeof(r) || coalesce(hex(r), '') || typeof(?1) || "
        "typeof(?2) || typeof(?3) FROM (SELECT " +
        std::string(call) + " AS r)";
    sqlite::Statement ours = database.writer().Prepare(sql).value();
    sqlite::Statement theirs = plain->Prepare(sql).value();
    for (int i = 0; i < 20'000; ++i) {
      Value results[2];
      const Value arguments[3] = {AnyValue(&random), AnyValue(&random), AnyValue(&random)};
      for (int side = 0; side < 2; ++side) {
        sqlite::Statement& statement = side == 0 ? ours : theirs;
        for (int index = 0; index < 3; ++index) {
          ASSERT_EQ(statement.Bind(index + 1, arguments[index]), sqlite::kOk);
        }
        ASSERT_EQ(statement.Step(), sqlite::StepResult::kRow);
        results[side] = statement.Column(0);
        statement.Reset();
      }
      ASSERT_EQ(results[0], results[1]) << "call " << i;
    }
  }
}

TEST(BoundedFunctionsTest, AResultThatIsTooLongIsRefusedAndIndexesMayUseThem) {
  TestDatabase database;
  EXPECT_NO(database.Run("SELECT length(replace(hex(zeroblob(50000)), '0', hex(zeroblob(500))))"),
            Reason::kLimitExceeded);
  EXPECT_YES(database.Run("CREATE TABLE t(a)"));
  EXPECT_YES(database.Run("CREATE INDEX i ON t(instr(a, 'x'), trim(a), replace(a, 'x', 'y'))"));
  EXPECT_YES(database.Run("INSERT INTO t VALUES('ax')"));
}

}  // namespace
}  // namespace lockstep::participant
