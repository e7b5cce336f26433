// Statements that nobody would write: whatever they are, they vote, and Lockstep's own things and
// the transaction of the others are as before.
#include <cstdio>
#include <cstdlib>
#include <random>

#include "common/sqlite/sql_tokenizer.h"
#include "tests/participant/execution/fixture.h"
#include "tests/support/seed.h"

namespace lockstep::participant {
namespace {

using sqlite::SqlToken;

constexpr const char* kCorpus[] = {
    "SELECT a, count(*) FROM t WHERE b > 1 OR a = 'x' GROUP BY a HAVING 1 ORDER BY 2 LIMIT 3",
    "INSERT OR ROLLBACK INTO t VALUES(1, 'one', 1)",
    "INSERT OR IGNORE INTO t(a, b) VALUES('x', 2), ('y', 3) RETURNING id",
    "INSERT INTO t(id, a) VALUES(1, 'q') ON CONFLICT(id) DO UPDATE SET a = excluded.a",
    "UPDATE OR ROLLBACK t SET a = 'one' WHERE id = 1",
    "REPLACE INTO t(id, b) SELECT id, b + 1 FROM t",
    "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n LIMIT 9) "
    "DELETE FROM t WHERE b IN (SELECT i FROM n)",
    "CREATE TABLE u(a INTEGER PRIMARY KEY AUTOINCREMENT, b UNIQUE ON CONFLICT ROLLBACK)",
    "CREATE TABLE v(a REFERENCES lockstep_state(round) ON DELETE CASCADE, CHECK(a > 0)) STRICT",
    "CREATE TEMP TABLE x AS SELECT * FROM t",
    "CREATE UNIQUE INDEX i ON t(b) WHERE b IS NOT NULL",
    "CREATE VIEW w AS SELECT * FROM lockstep_state",
    "CREATE TRIGGER g AFTER INSERT ON t BEGIN SELECT RAISE(ROLLBACK, 'no'); END",
    "CREATE TRIGGER h INSTEAD OF DELETE ON y BEGIN UPDATE lockstep_state SET round = 3; END",
    "CREATE VIRTUAL TABLE f USING fts5(a, content='lockstep_state', tokenize='porter')",
    "CREATE VIRTUAL TABLE r USING rtree(id, x0, x1)",
    "CREATE TRIGGER k AFTER INSERT ON t BEGIN INSERT INTO f0(rowid, a) VALUES(new.id, new.a); END",
    "CREATE TABLE j(a CHECK(json_valid(a)), b DEFAULT (load_extension('x')), c AS (a ->> '$.x'))",
    "CREATE VIEW z AS SELECT fts3_tokenizer('simple'), * FROM pragma_journal_mode, dbstat",
    "CREATE TABLE IF NOT EXISTS copy AS SELECT * FROM lockstep_state",
    "INSERT INTO j SELECT 1, 2 FROM z, temp.sqlite_schema, sqlite_stmt",
    "ALTER TABLE f0 RENAME TO lockstep",
    "INSERT INTO f0(f0) VALUES('rebuild')",
    "SELECT * FROM f0 WHERE f0 MATCH 'one' ORDER BY rank",
    "ALTER TABLE t RENAME TO lockstep_t",
    "ALTER TABLE lockstep_state RENAME COLUMN round TO x",
    "ALTER TABLE t ADD COLUMN c NOT NULL DEFAULT 1 CHECK(c > 0)",
    "DROP TABLE IF EXISTS lockstep_state",
    "DROP VIEW y",
    "PRAGMA main.foreign_keys = OFF",
    "SELECT * FROM pragma_journal_mode('delete')",
    "VACUUM main INTO '/tmp/never'",
    "ATTACH ':memory:' AS m",
    "DETACH DATABASE main",
    "SAVEPOINT branch",
    "ROLLBACK TO SAVEPOINT branch",
    "RELEASE branch",
    "COMMIT TRANSACTION",
    "BEGIN IMMEDIATE",
    "ANALYZE t",
    "REINDEX t",
    "EXPLAIN QUERY PLAN SELECT load_extension('x'), random(), changes() FROM sqlite_schema",
    "UPDATE sqlite_sequence SET seq = 9223372036854775806",
    "UPDATE lockstep_state SET round = round + 1",
    "DELETE FROM sqlite_schema WHERE name LIKE 'lockstep%'",
    "-- comment\n /* other */ SELECT $a('), :b, ?1 ;"};

class SqlMutator {
 public:
  explicit SqlMutator(uint64_t seed) : random_(seed) {
    for (const char* sql : kCorpus) {
      statements_.emplace_back();
      sqlite::SqlTokenizer tokenizer(sql);
      for (SqlToken token = tokenizer.Next(); token.kind != SqlToken::Kind::kEnd;
           token = tokenizer.Next()) {
        statements_.back().emplace_back(token.text);
      }
    }
  }

  std::string Next() {
    std::vector<std::string> tokens = Pick(statements_);
    for (size_t changes = random_() % 4; changes > 0; --changes) Mutate(&tokens);
    std::string sql;
    for (const std::string& token : tokens) sql += token + Pick(blanks_);
    return sql;
  }

 private:
  template <typename T>
  const T& Pick(const std::vector<T>& from) {
    return from[random_() % from.size()];
  }

  void Mutate(std::vector<std::string>* tokens) {
    if (tokens->empty()) return;
    const auto place = tokens->begin() + static_cast<std::ptrdiff_t>(random_() % tokens->size());
    const std::vector<std::string>& other = Pick(statements_);
    switch (random_() % 4) {
      case 0:
        tokens->erase(place);
        break;
      case 1:
        *place = Pick(other);
        break;
      case 2:
        tokens->insert(place, Pick(other));
        break;
      default:  // the head of one, the tail of another
        tokens->erase(place, tokens->end());
        tokens->insert(tokens->end(),
                       other.begin() + static_cast<std::ptrdiff_t>(random_() % other.size()),
                       other.end());
    }
  }

  std::mt19937_64 random_;
  std::vector<std::vector<std::string>> statements_;
  const std::vector<std::string> blanks_ = {" ", " ", " ", " ", "\n", "/**/", " -- '\n", " \v "};
};

// A recursion may lose its end; the budget gives it one.
ExecutionLimits ShortLimits() {
  ExecutionLimits limits;
  limits.statement_budget = absl::Milliseconds(20);
  return limits;
}

class FuzzedDatabase : public TestDatabase {
 public:
  FuzzedDatabase()
      : TestDatabase(ShortLimits(), std::make_unique<RunningClock>(absl::Milliseconds(1))) {
    Exec("INSERT INTO lockstep_state VALUES(1, 7)");
    for (const char* sql : {"CREATE TABLE t(id INTEGER PRIMARY KEY, a TEXT UNIQUE, b)",
                            "CREATE VIEW y AS SELECT * FROM t", "INSERT INTO t VALUES(1, 'one', 1)",
                            "CREATE TABLE counted(id INTEGER PRIMARY KEY AUTOINCREMENT)",
                            "CREATE VIRTUAL TABLE f0 USING fts5(a)"}) {
      EXPECT_YES(Run(sql));
    }
  }
};

// What the fuzzer begins with is of both kinds: were all of it refused, it would test nothing.
TEST(SandboxFuzzTest, OfTheStatementsThatAreMutatedTheseAreTaken) {
  std::vector<std::string> taken;
  for (const char* sql : kCorpus) {
    FuzzedDatabase database;
    if (database.Run(sql).vote.kind == VoteKind::kYes)
      taken.emplace_back(std::string_view(sql).substr(0, 20));
  }
  EXPECT_THAT(taken, testing::ElementsAre(
                         "SELECT a, count(*) F", "INSERT OR IGNORE INT", "INSERT INTO t(id, a)",
                         "REPLACE INTO t(id, b", "WITH RECURSIVE n(i) ", "CREATE UNIQUE INDEX ",
                         "CREATE VIEW w AS SEL", "CREATE TRIGGER h INS", "CREATE VIRTUAL TABLE",
                         "CREATE TRIGGER k AFT", "CREATE TABLE j(a CHE", "CREATE VIEW z AS SEL",
                         "INSERT INTO f0(f0) V", "SELECT * FROM f0 WHE", "ALTER TABLE t ADD CO",
                         "DROP VIEW y", "REINDEX t", "UPDATE sqlite_sequen"));
}

TEST(SandboxFuzzTest, NoStatementReachesWhatIsNotItsOwn) {
  const char* repeat = std::getenv("LOCKSTEP_FUZZ_ROUNDS");
  const int rounds = repeat == nullptr ? 3000 : std::atoi(repeat);
  SqlMutator mutator(SeedOfTest());
  FuzzedDatabase database;
  int yes = 0;
  for (int round = 0; round < rounds; ++round) {
    database.Begin();
    std::string log;
    for (int i = 0; i < 5; ++i) {
      const std::string sql = mutator.Next();
      log += sql + "\n----\n";
      const ExecutedBranch executed = database.Execute(sql);
      if (executed.transaction_lost) {
        ASSERT_EQ(executed.vote.error->reason, Reason::kStatementTooLongRunning) << log;
        database.Begin();
      }
      ASSERT_FALSE(database.writer().autocommit()) << log;
      ASSERT_EQ(executed.vote.kind == VoteKind::kNo, executed.vote.error.has_value());
      yes += executed.vote.kind == VoteKind::kYes ? 1 : 0;
    }
    // Whatever they were, what comes after them is run as if they had not been there.
    for (const char* sql : {"CREATE TABLE other(a)", "INSERT INTO other VALUES(1)"}) {
      ASSERT_EQ(database.Execute(sql).vote.kind, VoteKind::kYes) << log << sql;
    }
    ASSERT_EQ(database.Read("SELECT group_concat(id || ' ' || round) FROM lockstep_state"),
              Value(std::string("1 7")))
        << log;
    ASSERT_EQ(database.Read("SELECT group_concat(name) FROM sqlite_schema "
                            "WHERE name GLOB 'lockstep_*' OR tbl_name GLOB 'lockstep_*'"),
              Value(std::string("lockstep_state")))
        << log;
    ASSERT_EQ(database.Read("SELECT count(*) FROM temp.sqlite_schema"), Value(int64_t{0})) << log;
    ASSERT_EQ(database.Read("SELECT count(*) FROM pragma_database_list WHERE name <> 'temp'"),
              Value(int64_t{1}))
        << log;
    ASSERT_EQ(database.Read("SELECT foreign_keys FROM pragma_foreign_keys"), Value(int64_t{1}));
    database.Exec("UPDATE lockstep_state SET round = 7");  // as each Prepare does
    database.Rollback();
  }
  std::printf("%d of %d statements were taken\n", yes, rounds * 5);
}

}  // namespace
}  // namespace lockstep::participant
