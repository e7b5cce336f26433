// Each thing that the sandbox keeps out, by every way that SQL has of getting at it.
#include <sqlite3.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>

#include "absl/strings/str_replace.h"
#include "tests/participant/execution/fixture.h"

namespace lockstep::participant {
namespace {

// A statement that brings something in by itself, or a schema that brings it into a later one. #
// stands for what is brought in.
struct Way {
  std::vector<const char*> schema;
  const char* use;
};

// For a function's call.
const std::vector<Way> kWaysOfAnExpression = {
    {{}, "SELECT #"},
    {{}, "select/**/#--"},
    {{}, "VALUES(1), (#)"},
    {{}, "SELECT 1 FROM t WHERE #"},
    {{}, "SELECT a FROM t GROUP BY # HAVING #"},
    {{}, "SELECT a FROM t ORDER BY #"},
    {{}, "SELECT 1 LIMIT #"},
    {{}, "SELECT CASE WHEN 0 THEN # ELSE 1 END"},
    {{}, "SELECT (SELECT (SELECT #))"},
    {{}, "WITH x(a) AS (SELECT #) SELECT a FROM x"},
    {{}, "WITH RECURSIVE x(a) AS (SELECT 1 UNION ALL SELECT # FROM x LIMIT 3) SELECT a FROM x"},
    {{}, "SELECT sum(id) FILTER (WHERE #) OVER (ORDER BY id) FROM t"},
    {{}, "SELECT max(id) OVER (PARTITION BY #) FROM t"},
    {{}, "SELECT value FROM json_each(#)"},
    {{}, "INSERT INTO t(a) VALUES(#)"},
    {{}, "INSERT INTO t(a) SELECT #"},
    {{}, "INSERT INTO t(a) VALUES('x') RETURNING #"},
    {{}, "INSERT INTO t(id) VALUES(1) ON CONFLICT(id) DO UPDATE SET a = #"},
    {{}, "INSERT INTO t(id) VALUES(1) ON CONFLICT(id) DO UPDATE SET a = 1 WHERE #"},
    {{}, "UPDATE t SET a = #"},
    {{}, "UPDATE t SET a = 1 WHERE #"},
    {{}, "DELETE FROM t WHERE # IS NOT 7"},
    {{}, "CREATE TABLE u AS SELECT # AS a"},
    {{}, "EXPLAIN SELECT #"},
    {{}, "EXPLAIN QUERY PLAN SELECT #"},
    {{"CREATE VIEW v AS SELECT # AS a"}, "SELECT a FROM v"},
    {{"CREATE VIEW v AS SELECT # AS a", "CREATE VIEW w AS SELECT a FROM v"}, "SELECT 1 FROM w"},
    {{"CREATE VIEW v AS WITH x(a) AS (SELECT #) SELECT a FROM x"}, "SELECT a FROM v"},
    {{"CREATE TRIGGER g AFTER INSERT ON t BEGIN SELECT #; END"}, "INSERT INTO t(a) VALUES('x')"},
    {{"CREATE TRIGGER g BEFORE UPDATE OF a ON t BEGIN INSERT INTO log SELECT #; END"},
     "UPDATE t SET a = 2"},
    {{"CREATE TRIGGER g AFTER DELETE ON t WHEN # BEGIN SELECT 1; END"}, "DELETE FROM t"},
    {{"CREATE VIEW v AS SELECT 1 AS a",
      "CREATE TRIGGER g INSTEAD OF INSERT ON v BEGIN UPDATE t SET a = #; END"},
     "INSERT INTO v VALUES(1)"},
    {{"CREATE TRIGGER g AFTER INSERT ON t BEGIN INSERT INTO log VALUES(1); END",
      "CREATE TRIGGER h AFTER INSERT ON log BEGIN SELECT #; END"},
     "INSERT INTO t(a) VALUES('x')"},
    {{"CREATE TABLE d(a, b DEFAULT (#))"}, "INSERT INTO d(a) VALUES(1)"},
};

// The same, but SQLite asks the authorizer when such a schema is made and never again. What was
// stored without one, also as DIRECTONLY, is called: these functions are switched off themselves.
const std::vector<Way> kWaysOfACheck = {
    {{"CREATE TABLE d(a CHECK(# IS NOT 7))"}, "INSERT INTO d(a) VALUES(1)"},
    {{"CREATE TABLE d(a, b, CHECK(# IS NOT 7))"}, "REPLACE INTO d(a) VALUES(1)"},
};

// For the name of a table.
const std::vector<Way> kWaysOfATable = {
    {{}, "SELECT * FROM #"},
    {{}, "SELECT count(*) FROM #"},
    {{}, "SELECT 1 FROM t, #"},
    {{}, "SELECT 1 FROM t LEFT JOIN # ON 1"},
    {{}, "SELECT 1 FROM t AS x WHERE EXISTS (SELECT 1 FROM # AS y)"},
    {{}, "SELECT 1 IN (SELECT 1 FROM #)"},
    {{}, "SELECT 1 UNION ALL SELECT 1 FROM #"},
    {{}, "WITH x AS (SELECT * FROM #) SELECT 1 FROM x"},
    {{}, "WITH x AS MATERIALIZED (SELECT 1 AS a FROM #) INSERT INTO t(a) SELECT a FROM x"},
    {{}, "INSERT INTO t(a) SELECT 1 FROM #"},
    {{}, "UPDATE t SET a = 'x' FROM # AS x"},
    {{}, "DELETE FROM t WHERE id IN (SELECT 1 FROM #)"},
    {{}, "INSERT INTO t(a) VALUES(2) RETURNING (SELECT 1 FROM #)"},
    {{}, "CREATE TABLE u AS SELECT 1 AS a FROM #"},
    {{}, "EXPLAIN SELECT 1 FROM #"},
    {{"CREATE VIEW v AS SELECT * FROM #"}, "SELECT * FROM v"},
    {{"CREATE VIEW v AS SELECT 1 AS a FROM #", "CREATE VIEW w AS SELECT a FROM v"},
     "SELECT count(*) FROM w"},
    {{"CREATE TRIGGER g AFTER INSERT ON t BEGIN SELECT 1 FROM #; END"},
     "INSERT INTO t(a) VALUES('x')"},
    {{"CREATE TRIGGER g AFTER INSERT ON t WHEN EXISTS (SELECT 1 FROM #) BEGIN SELECT 1; END"},
     "INSERT INTO t(a) VALUES('x')"},
    {{"CREATE TRIGGER g AFTER INSERT ON t BEGIN INSERT INTO log SELECT 1 FROM #; END"},
     "INSERT INTO t(a) VALUES('x')"},
    {{"CREATE VIEW v AS SELECT 1 AS a",
      "CREATE TRIGGER g INSTEAD OF DELETE ON v BEGIN DELETE FROM t WHERE id IN "
      "(SELECT 1 FROM #); END"},
     "DELETE FROM v"},
};

// For the name of a table that can be written.
const std::vector<Way> kWaysOfWriting = {
    {{}, "INSERT INTO # DEFAULT VALUES"},
    {{}, "REPLACE INTO #(rowid) VALUES(1)"},
    {{}, "INSERT INTO #(rowid) VALUES(1) ON CONFLICT DO NOTHING"},
    {{}, "UPDATE # SET rowid = 1"},
    {{}, "UPDATE OR IGNORE # SET rowid = 1"},
    {{}, "DELETE FROM #"},
    {{}, "DELETE FROM # WHERE 0"},
    {{}, "WITH x(a) AS (SELECT 1) DELETE FROM # RETURNING 1"},
    {{}, "DROP TABLE #"},
    {{}, "DROP TABLE IF EXISTS #"},
    {{}, "ALTER TABLE # RENAME TO mine"},
    {{}, "ALTER TABLE # ADD COLUMN x"},
    {{}, "CREATE INDEX i ON #(a)"},
};

// Names in all spellings.
const std::vector<std::string> kFunctions = {
    "load_extension('x')",      "load_extension('x', 'y')",        "\"load_extension\"('x')",
    "[Load_Extension]('x')",    "`LOAD_EXTENSION`('x')",           "load_extension/**/('x')",
    "fts3_tokenizer('simple')", "fts3_tokenizer('simple', x'00')", "\"FTS3_Tokenizer\"('simple')",
};
const std::vector<std::string> kTables = {
    "lockstep_state",
    "LOCKSTEP_State",
    "main.lockstep_state",
    "\"lockstep_state\"",
    "[lockstep_STATE]",
    "`lockstep_state`",
    "'lockstep_state'",
    "main/**/./**/lockstep_state",
    "sqlite_stmt",
    "\"SQLITE_STMT\"",
    "dbstat",
    "DbStat('main')",
    "fts3tokenize('simple')",
    "sqlite_stat1",
    "main.[SQLITE_stat1]",
    "pragma_journal_mode",
    "PRAGMA_Journal_Mode('delete')",
    "\"pragma_journal_mode\"",
    "pragma_database_list",
    "pragma_foreign_keys",
    "pragma_data_version",
    "pragma_function_list",
    "pragma_quick_check",
    "pragma_integrity_check('t')",
};
// No schema can name these.
const std::vector<std::string> kTemporaryTables = {"sqlite_temp_schema", "temp.sqlite_master",
                                                   "TEMP.\"sqlite_Schema\""};
const std::vector<std::string> kWrittenTables = {"lockstep_state", "\"LOCKSTEP_state\""};

std::string With(const char* way, const std::string& what) {
  return absl::StrReplaceAll(way, {{"#", what}});
}

void MakeTables(TestDatabase* database) {
  for (const char* sql : {"CREATE TABLE t(id INTEGER PRIMARY KEY, a)", "CREATE TABLE log(a)",
                          "INSERT INTO t VALUES(1, 'one')"}) {
    database->Exec(sql);
  }
}

// What is refused is refused at one place: where its schema is made, or where that is used.
void ExpectRefused(TestDatabase* database, const Way& way, const std::string& what) {
  SCOPED_TRACE(With(way.use, what));
  database->Begin();
  const bool made = std::all_of(way.schema.begin(), way.schema.end(), [&](const char* sql) {
    return database->Execute(With(sql, what)).vote.kind == VoteKind::kYes;
  });
  if (made) {
    const ExecutedBranch used = database->Execute(With(way.use, what));
    EXPECT_NO(used, Reason::kStatementNotAllowed);
    EXPECT_FALSE(used.transaction_lost);
  }
  database->Rollback();
}

TEST(WaysAroundTest, NoWayLeadsAClientToWhatIsBlocked) {
  TestDatabase database;
  MakeTables(&database);
  database.Exec("ANALYZE");
  for (const std::string& function : kFunctions) {
    for (const Way& way : kWaysOfAnExpression) ExpectRefused(&database, way, function);
    for (const Way& way : kWaysOfACheck) ExpectRefused(&database, way, function);
  }
  for (const std::string& table : kTemporaryTables) {
    for (const Way& way : kWaysOfATable) {
      if (way.schema.empty()) ExpectRefused(&database, way, table);
    }
  }
  for (const std::string& table : kTables) {
    for (const Way& way : kWaysOfATable) ExpectRefused(&database, way, table);
  }
  for (const std::string& table : kWrittenTables) {
    for (const Way& way : kWaysOfWriting) ExpectRefused(&database, way, table);
  }
}

// The ways are ways: something harmless passes on each of them.
TEST(WaysAroundTest, EachWayIsOpenToWhatIsAllowed) {
  const auto expect_open = [](const Way& way, const std::string& what) {
    TestDatabase database;
    MakeTables(&database);
    SCOPED_TRACE(With(way.use, what));
    for (const char* schema : way.schema) EXPECT_YES(database.Run(With(schema, what)));
    EXPECT_YES(database.Run(With(way.use, what)));
  };
  for (const Way& way : kWaysOfAnExpression) expect_open(way, "abs(-1)");
  for (const Way& way : kWaysOfACheck) expect_open(way, "abs(-1)");
  for (const Way& way : kWaysOfATable) expect_open(way, "log");
  for (const Way& way : kWaysOfWriting) expect_open(way, "log");
}

// docs/decisions/0006 rests on this list. What a newer SQLite adds to it has to be looked at: a
// schema may call these, and SQLite does not count them as harmless there.
TEST(WaysAroundTest, TheFunctionsThatATrustedSchemaMayCallBeyondTheHarmlessAreTheseOnly) {
  TestDatabase database;
  constexpr int kInnocuous = SQLITE_INNOCUOUS;
  constexpr int kDirectOnly = SQLITE_DIRECTONLY;
  sqlite::Statement functions =
      database.writer()
          .Prepare("SELECT DISTINCT name FROM pragma_function_list WHERE flags & " +
                   std::to_string(kInnocuous | kDirectOnly) +
                   " = 0 AND name NOT GLOB 'json*' "
                   "AND name NOT GLOB '->*' ORDER BY name")
          .value();
  std::string names;
  while (functions.Step() == sqlite::StepResult::kRow) {
    names += std::string(functions.ColumnView(0).bytes) + " ";
  }
  EXPECT_EQ(names,
            "bm25 fts5 fts5_source_id highlight match matchinfo offsets optimize rtreecheck "
            "rtreedepth rtreenode snippet ");
}

// A file that another program wrote to while its node was stopped.
class StoredLongAgoTest : public ::testing::Test {
 protected:
  StoredLongAgoTest() {
    path_ = std::filesystem::path(::testing::TempDir()) /
            ("stored_long_ago_" + std::to_string(::getpid()) + ".db");
  }
  ~StoredLongAgoTest() override { std::filesystem::remove(path_); }

  // The schema is stored without a sandbox; false if SQLite itself does not take it.
  bool Store(const std::vector<std::string>& schema) {
    std::filesystem::remove(path_);
    TestDatabase made({}, std::make_unique<ManualClock>(), path_.string());
    made.Exec("PRAGMA synchronous = OFF");
    MakeTables(&made);
    return std::all_of(schema.begin(), schema.end(),
                       [&](const std::string& sql) { return made.writer().Exec(sql).ok(); });
  }

  void ExpectRefusedNow(const std::string& sql, Reason reason = Reason::kStatementNotAllowed) {
    SCOPED_TRACE(sql);
    TestDatabase database({}, std::make_unique<ManualClock>(), path_.string());
    database.Begin();
    const ExecutedBranch executed = database.Execute(sql);
    EXPECT_NO(executed, reason);
    EXPECT_FALSE(executed.transaction_lost);
    database.Rollback();
  }

  void ExpectRefusedNow(const Way& way, const std::string& what,
                        Reason reason = Reason::kStatementNotAllowed) {
    if (way.schema.empty()) return;
    std::vector<std::string> schema;
    for (const char* sql : way.schema) schema.push_back(With(sql, what));
    ASSERT_TRUE(Store(schema)) << schema[0];
    ExpectRefusedNow(With(way.use, what), reason);
  }

  std::filesystem::path path_;
};

TEST_F(StoredLongAgoTest, ASchemaThatIsThereAlreadyOpensNoWay) {
  for (const char* function : {"load_extension('x')", "fts3_tokenizer('simple', x'00')"}) {
    for (const Way& way : kWaysOfAnExpression) ExpectRefusedNow(way, function);
    for (const Way& way : kWaysOfACheck) ExpectRefusedNow(way, function, Reason::kSqlInvalid);
  }
  for (const Way& way : kWaysOfATable) {
    for (const char* table : {"lockstep_state", "dbstat", "sqlite_stmt", "pragma_journal_mode"}) {
      ExpectRefusedNow(way, table);
    }
  }
}

TEST_F(StoredLongAgoTest, VirtualTablesOfOtherKindsAreOutOfReachUnderAnyName) {
  ASSERT_TRUE(Store(
      {"CREATE VIRTUAL TABLE harmless USING dbstat", "CREATE VIRTUAL TABLE \"using\" USING fts4(a)",
       "CREATE VIRTUAL TABLE [a b] USING \"fts3\"(a)", "CREATE VIRTUAL TABLE f USING fts5(a)",
       "CREATE VIRTUAL TABLE words USING fts5vocab(f, 'row')",
       "CREATE VIEW sizes AS SELECT pgsize FROM harmless"}));
  for (const char* sql :
       {"SELECT * FROM harmless", "SELECT count(*) FROM HARMLESS", "SELECT * FROM sizes",
        "INSERT INTO \"using\" VALUES('x')", "SELECT * FROM [A B]", "DROP TABLE harmless",
        "ALTER TABLE harmless RENAME TO other", "SELECT * FROM words", "DELETE FROM [a b]"}) {
    ExpectRefusedNow(sql);
  }
  TestDatabase database({}, std::make_unique<ManualClock>(), path_.string());
  EXPECT_YES(database.Run("INSERT INTO f VALUES('x')"));
}

}  // namespace
}  // namespace lockstep::participant
