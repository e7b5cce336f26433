// How far a statement may go: just below each limit it is taken, just above it is not.
#include "tests/participant/execution/fixture.h"

namespace lockstep::participant {
namespace {

std::string Repeated(const std::string& text, int times) {
  std::string repeated;
  for (int i = 0; i < times; ++i) repeated += text;
  return repeated;
}

struct LimitCase {
  const char* name;
  std::string below;
  std::string above;
  Reason reason;
};

std::vector<LimitCase> Cases() {
  return {
      {"depth of an expression", "SELECT 1" + Repeated("+1", 490), "SELECT 1" + Repeated("+1", 510),
       Reason::kSqlInvalid},
      {"terms of a compound SELECT", "SELECT 1" + Repeated(" UNION ALL SELECT 1", 199),
       "SELECT 1" + Repeated(" UNION ALL SELECT 1", 200), Reason::kSqlInvalid},
      {"depth of parentheses", "SELECT " + Repeated("(", 40) + "1" + Repeated(")", 40),
       "SELECT " + Repeated("(", 2000) + "1" + Repeated(")", 2000), Reason::kSqlInvalid},
      {"length of a LIKE pattern", "SELECT 'x' LIKE '" + Repeated("%", 100) + "'",
       "SELECT 'x' LIKE '" + Repeated("%", 101) + "'", Reason::kSqlInvalid},
      {"length of a value", "SELECT length(zeroblob(16000000))",
       "SELECT length(zeroblob(20000000))", Reason::kLimitExceeded},
      {"length of a random value", "SELECT length(randomblob(8000000))",
       "SELECT length(randomblob(20000000))", Reason::kLimitExceeded},
      {"length of the text", "SELECT '" + Repeated("x", 99'000) + "'",
       "SELECT '" + Repeated("x", 100'000) + "'", Reason::kLimitExceeded},
      {"depth of triggers", "INSERT INTO chain40 VALUES(1)", "INSERT INTO chain0 VALUES(1)",
       Reason::kSqlInvalid},
  };
}

TEST(SandboxLimitsTest, AStatementIsTakenBelowEachLimitAndRefusedAboveIt) {
  TestDatabase database;
  constexpr int kChain = 120;  // beyond the 100 triggers that may stand in one another
  for (int i = kChain; i >= 0; --i) {
    const std::string table = "chain" + std::to_string(i);
    EXPECT_YES(database.Run("CREATE TABLE " + table + "(a)"));
    if (i == kChain) continue;
    EXPECT_YES(database.Run("CREATE TRIGGER g" + table + " AFTER INSERT ON " + table +
                            " BEGIN INSERT INTO chain" + std::to_string(i + 1) +
                            " VALUES(new.a); END"));
  }
  for (const LimitCase& limit : Cases()) {
    SCOPED_TRACE(limit.name);
    database.Begin();
    EXPECT_YES(database.Execute(limit.below));
    const ExecutedBranch above = database.Execute(limit.above);
    EXPECT_NO(above, limit.reason);
    EXPECT_FALSE(above.transaction_lost);
    EXPECT_YES(database.Execute("SELECT 1"));
    database.Rollback();
  }
}

// As parameters these would have to be sent; SQLite would make room for all of them first.
TEST(SandboxLimitsTest, ANumberOfAParameterIsBounded) {
  TestDatabase database;
  const ExecutedBranch above = database.Run("SELECT ?32767");
  EXPECT_NO(above, Reason::kSqlInvalid);
  EXPECT_THAT(Explain(above), ::testing::HasSubstr("between ?1 and ?32766"));
}

}  // namespace
}  // namespace lockstep::participant
