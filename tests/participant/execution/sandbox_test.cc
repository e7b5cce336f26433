// Everything that a statement of a client must not do, attempted.
#include "participant/execution/sandbox.h"

#include "tests/participant/execution/fixture.h"

namespace lockstep::participant {
namespace {

// With objects of each kind, made by clients where clients may.
class SandboxTest : public ::testing::Test {
 protected:
  SandboxTest() {
    for (const char* sql : {"CREATE TABLE t(id INTEGER PRIMARY KEY, a TEXT UNIQUE, b INTEGER)",
                            "CREATE TABLE counted(id INTEGER PRIMARY KEY AUTOINCREMENT, a TEXT)",
                            "CREATE INDEX t_b ON t(b)", "INSERT INTO t VALUES(1, 'one', 1)"}) {
      EXPECT_YES(database_.Run(sql));
    }
  }

  void ExpectRefused(const std::string& sql, Reason reason = Reason::kStatementNotAllowed) {
    SCOPED_TRACE(sql);
    database_.Begin();
    EXPECT_YES(database_.Execute("INSERT INTO t(a) VALUES('before')"));
    const ExecutedBranch executed = database_.Execute(sql);
    EXPECT_NO(executed, reason);
    EXPECT_FALSE(executed.transaction_lost);
    EXPECT_EQ(database_.Read("SELECT count(*) FROM t"), Value(int64_t{2}));
    database_.Rollback();
  }

  void ExpectAllowed(const std::string& sql) {
    SCOPED_TRACE(sql);
    database_.Begin();
    EXPECT_YES(database_.Execute(sql));
    database_.Rollback();
  }

  TestDatabase database_;
};

TEST_F(SandboxTest, TransactionControlIsRefused) {
  for (const char* sql : {"BEGIN", "BEGIN IMMEDIATE", "COMMIT", "END", "END TRANSACTION",
                          "ROLLBACK", "ROLLBACK TO branch", "BeGiN/**/EXCLUSIVE",
                          "\tSAVEPOINT \"x\"", "SAVEPOINT x", "RELEASE branch", "/* x */ COMMIT",
                          "-- x\nROLLBACK", "cOmMiT", "; COMMIT", ";; -- x\n; rollback",
                          "\xEF\xBB\xBF"
                          "COMMIT"}) {
    ExpectRefused(sql);
  }
}

TEST_F(SandboxTest, OtherFilesAreRefused) {
  for (const char* sql :
       {"ATTACH 'other.db' AS other", "ATTACH ':memory:' AS m", "DETACH main", "VACUUM",
        "VACUUM INTO '/tmp/copy.db'", "aTtAcH/**/'x'AS y", "\nDETACH/**/\"main\"", "EXPLAIN VACUUM",
        "/* */ vacuum", "VACUUM main", "; VACUUM"}) {
    ExpectRefused(sql);
  }
}

TEST_F(SandboxTest, PragmasAreRefused) {
  for (const char* sql : {"PRAGMA journal_mode = DELETE",
                          "PRAGMA synchronous = OFF",
                          "PRAGMA user_version = 3",
                          "PRAGMA foreign_keys = OFF",
                          "PRAGMA defer_foreign_keys = ON",
                          "PRAGMA writable_schema = ON",
                          "PRAGMA cache_spill = ON",
                          "PRAGMA wal_checkpoint(TRUNCATE)",
                          "PRAGMA optimize",
                          "PRAGMA page_size",
                          "PRAGMA table_info(t)",
                          "pragma main.journal_mode",
                          "/* x */PrAgMa/**/\"foreign_keys\"=OFF",
                          "EXPLAIN QUERY PLAN PRAGMA journal_mode",
                          "EXPLAIN PRAGMA foreign_keys = OFF",
                          "SELECT * FROM pragma_journal_mode",
                          "SELECT * FROM pragma_database_list",
                          "SELECT * FROM pragma_data_version",
                          "SELECT * FROM pragma_quick_check",
                          "SELECT * FROM pragma_integrity_check",
                          "; PRAGMA foreign_keys = OFF"}) {
    ExpectRefused(sql);
  }
  EXPECT_EQ(database_.Read("PRAGMA foreign_keys"), Value(int64_t{1}));
}

TEST_F(SandboxTest, TheSchemaMayBeAskedThroughTables) {
  ExpectAllowed("SELECT name FROM pragma_table_info('t')");
  ExpectAllowed("SELECT * FROM pragma_index_list('t'), pragma_index_info('t_b')");
  ExpectAllowed("SELECT name, sql FROM sqlite_schema");
}

// It could be filled, and never read again.
TEST_F(SandboxTest, ATableThatWouldPassForAPragmaIsNotMade) {
  for (const char* sql :
       {"CREATE TABLE pragma_notes(a)", "CREATE VIEW \"PRAGMA_notes\" AS SELECT 1",
        "CREATE VIRTUAL TABLE pragma_notes USING fts5(a)", "ALTER TABLE t RENAME TO pragma_notes",
        "CREATE TABLE [pragma_notes] AS SELECT 1 AS a"}) {
    ExpectRefused(sql);
  }
  ExpectAllowed("CREATE TABLE notes(pragma_a)");
  ExpectAllowed("CREATE TABLE pragmatic(a)");
}

TEST_F(SandboxTest, StatisticsAreRefused) {
  for (const char* sql : {"ANALYZE", "ANALYZE t", "ANALYZE main.t", "EXPLAIN ANALYZE",
                          "SELECT * FROM sqlite_stmt", "SELECT count(*) FROM sqlite_stmt",
                          "SELECT * FROM dbstat", "SELECT 1 FROM dbstat('main')"}) {
    ExpectRefused(sql);
  }
  database_.Exec("ANALYZE");  // the owner may
  for (const char* sql : {"SELECT * FROM sqlite_stat1", "DELETE FROM sqlite_stat1",
                          "UPDATE SQLITE_STAT1 SET stat = '1'", "DROP TABLE sqlite_stat1"}) {
    ExpectRefused(sql);
  }
}

TEST_F(SandboxTest, TemporaryObjectsAreRefused) {
  for (const char* sql :
       {"CREATE TEMP TABLE x(a)", "CREATE TEMPORARY VIEW v AS SELECT 1", "CREATE TABLE temp.x(a)",
        "CREATE TEMP TRIGGER x AFTER INSERT ON t BEGIN SELECT 1; END",
        "CREATE TEMP TABLE x AS SELECT * FROM t", "CREATE VIRTUAL TABLE temp.x USING fts5(a)"}) {
    ExpectRefused(sql);
  }
}

TEST_F(SandboxTest, DangerousFunctionsAreRefused) {
  for (const char* sql : {"SELECT load_extension('x')", "SELECT fts3_tokenizer('simple')",
                          "SELECT FTS3_Tokenizer('simple', x'00')",
                          "CREATE VIEW v AS SELECT load_extension('x') AS a; "}) {
    SCOPED_TRACE(sql);
    database_.Begin();
    const ExecutedBranch executed = database_.Execute(sql);
    if (executed.vote.kind == VoteKind::kYes) {
      EXPECT_NO(database_.Execute("SELECT * FROM v"), Reason::kStatementNotAllowed);
    } else {
      EXPECT_NO(executed, Reason::kStatementNotAllowed);
    }
    database_.Rollback();
  }
}

TEST_F(SandboxTest, OnlyTwoKindsOfVirtualTablesAreAllowed) {
  for (const char* sql :
       {"CREATE VIRTUAL TABLE x USING fts4(a)", "CREATE VIRTUAL TABLE x USING fts3(a)",
        "CREATE VIRTUAL TABLE x USING fts5vocab('f', 'row')", "CREATE VIRTUAL TABLE x USING dbstat",
        "CREATE VIRTUAL TABLE x USING fts4aux(f)", "CREATE VIRTUAL TABLE x USING fts3tokenize",
        "CREATE VIRTUAL TABLE x USING \"FTS4\"(a)", "CREATE VIRTUAL TABLE x USING/**/[DbStat]",
        "CREATE VIRTUAL TABLE IF NOT EXISTS main.x USING fts3(a)"}) {
    ExpectRefused(sql);
  }
  ExpectAllowed("CREATE VIRTUAL TABLE x USING fts5(a, b)");
  ExpectAllowed("CREATE VIRTUAL TABLE x USING rtree(id, x0, x1)");
  ExpectAllowed("CREATE VIRTUAL TABLE x USING FTS5(a, content='t', content_rowid='id')");
}

TEST_F(SandboxTest, VirtualTablesWorkAndAreFlushedBeforeTheVote) {
  EXPECT_YES(database_.Run("CREATE VIRTUAL TABLE f USING fts5(body)"));
  EXPECT_YES(database_.Run("CREATE VIRTUAL TABLE r USING rtree(id, x0, x1)"));
  const ExecutedBranch one = database_.Run("INSERT INTO f VALUES('hello world')");
  EXPECT_YES(one);
  EXPECT_YES(database_.Run("INSERT INTO r VALUES(1, 0.0, 2.0)"));
  const ExecutedBranch found = database_.Run("SELECT rowid FROM f WHERE f MATCH 'world'");
  EXPECT_EQ(found.vote.results.at(0).statements.at(0).rows.size(), 1u);
  EXPECT_YES(database_.Run("INSERT INTO f(f) VALUES('optimize')"));
  EXPECT_YES(database_.Run("UPDATE r SET x1 = 3.0 WHERE id = 1"));
  EXPECT_YES(database_.Run("DROP TABLE f"));
  EXPECT_YES(database_.Run("DROP TABLE r"));
}

TEST_F(SandboxTest, LockstepsOwnTablesAreOutOfReach) {
  for (const char* sql :
       {"SELECT * FROM lockstep_state", "SELECT count(*) FROM LOCKSTEP_STATE",
        "SELECT 1 FROM main.\"lockstep_state\"", "INSERT INTO lockstep_state VALUES(1, 1)",
        "UPDATE lockstep_state SET round = 9", "DELETE FROM lockstep_state",
        "DROP TABLE lockstep_state", "CREATE TABLE lockstep_x(a)", "CREATE TABLE \"Lockstep_x\"(a)",
        "CREATE VIEW lockstep_v AS SELECT 1", "CREATE INDEX lockstep_i ON t(b)",
        "CREATE INDEX i ON lockstep_state(round)", "ALTER TABLE lockstep_state RENAME TO mine",
        "ALTER TABLE lockstep_state ADD COLUMN x", "ALTER TABLE t RENAME TO lockstep_t",
        "ALTER TABLE t RENAME TO \"lockstep_t\"", "ALTER TABLE t RENAME TO 'LOCKSTEP_t'",
        "ALTER TABLE t RENAME /* to x */ TO -- x\n [lockstep_t]",
        "CREATE TRIGGER x AFTER INSERT ON lockstep_state BEGIN SELECT 1; END",
        "CREATE TRIGGER lockstep_t AFTER INSERT ON t BEGIN SELECT 1; END",
        "CREATE VIRTUAL TABLE lockstep_f USING fts5(a)",
        // These would bring lockstep_data and others along.
        "CREATE VIRTUAL TABLE lockstep USING fts5(a)",
        "CREATE VIRTUAL TABLE [LockStep] USING rtree(id, x0, x1)",
        "ALTER TABLE t RENAME TO lockstep", "ALTER TABLE t RENAME TO \"LOCKSTEP\"",
        "CREATE TABLE copy AS SELECT * FROM lockstep_state",
        "INSERT INTO t(b) SELECT round FROM lockstep_state",
        "SELECT (SELECT max(round) FROM lockstep_state)", "SELECT rtreecheck('lockstep_state')",
        "SELECT rtreecheck('main', 'LOCKSTEP_state')",
        "WITH x AS (SELECT * FROM lockstep_state) SELECT * FROM x"}) {
    ExpectRefused(sql);
  }
}

TEST_F(SandboxTest, LockstepsOwnTablesAreNotReachedAroundCorners) {
  for (const char* sql :
       {"CREATE VIEW v AS SELECT * FROM lockstep_state",
        "CREATE TRIGGER g AFTER INSERT ON counted BEGIN "
        "UPDATE lockstep_state SET round = 9; END",
        "CREATE TABLE child(r REFERENCES lockstep_state(id) ON DELETE CASCADE)"}) {
    database_.Run(sql);
  }
  database_.Exec("CREATE VIRTUAL TABLE f USING fts5(round, content='lockstep_state')");
  ExpectRefused("INSERT INTO counted(a) VALUES('x')");
  ExpectRefused("SELECT * FROM v");
  ExpectRefused("SELECT * FROM f");
  ExpectRefused("INSERT INTO f(f) VALUES('rebuild')");
}

TEST_F(SandboxTest, AFullTextIndexOfLockstepsOwnTablesIsNotMade) {
  for (const char* sql :
       {"CREATE VIRTUAL TABLE fx USING fts5(a, content='lockstep_state')",
        "CREATE VIRTUAL TABLE IF NOT EXISTS fx USING fts5(a, Content = \"LOCKSTEP_STATE\")",
        "CREATE VIRTUAL TABLE fx USING fts5(a, content/**/=[lockstep_state], prefix='2')"}) {
    ExpectRefused(sql);
  }
  ExpectAllowed("CREATE VIRTUAL TABLE fx USING fts5(content, x, content='t', content_rowid='id')");
}

// The owner's UPDATE would fail with "foreign key mismatch", and with it every round.
TEST_F(SandboxTest, ForeignKeysToLockstepsOwnTablesAreRefused) {
  for (const char* sql : {"CREATE TABLE c(r REFERENCES lockstep_state(round))",
                          "CREATE TABLE c(r references /**/ \"Lockstep_State\"(round))",
                          "CREATE TABLE c(r, FOREIGN KEY(r) REFERENCES [lockstep_state])",
                          "ALTER TABLE t ADD COLUMN r REFERENCES lockstep_state(round)"}) {
    ExpectRefused(sql);
  }
  ExpectAllowed("CREATE TABLE c(r REFERENCES t(id), \"references\" TEXT DEFAULT 'lockstep_')");
}

TEST_F(SandboxTest, RollbackClausesAreRefused) {
  for (const char* sql :
       {"INSERT OR ROLLBACK INTO t VALUES(1, 'one', 1)", "UPDATE OR ROLLBACK t SET a = 'one'",
        "insert or rollback into t values(1,'one',1)",
        "INSERT /* a */ OR -- b\n ROLLBACK INTO t VALUES(1, 'one', 1)",
        "INSERT OR\v ROLLBACK INTO t VALUES(1, 'one', 1)",
        "INSERT OR \vROLLBACK INTO t VALUES(1, 'one', 1)",
        "WITH x AS (SELECT 1) INSERT OR ROLLBACK INTO t SELECT 1, 'one', 1",
        "CREATE TABLE u(a PRIMARY KEY ON CONFLICT ROLLBACK)",
        "CREATE TABLE u(a NOT NULL ON CONFLICT ROLLBACK)",
        "CREATE TABLE u(a, UNIQUE(a) ON CONFLICT ROLLBACK)",
        "CREATE TABLE u(a CHECK(a > 0) ON CONFLICT ROLLBACK)",
        "CREATE TABLE u(a, CHECK(a > 0) ON/**/CONFLICT/**/ROLLBACK)",
        "ALTER TABLE t ADD COLUMN c NOT NULL ON CONFLICT ROLLBACK DEFAULT 1",
        "CREATE TRIGGER g BEFORE INSERT ON counted BEGIN SELECT RAISE(ROLLBACK, 'no'); END",
        "CREATE TRIGGER g BEFORE INSERT ON counted BEGIN SELECT raise /**/ ( rollback , 'no'); END",
        "CREATE TRIGGER g BEFORE INSERT ON counted BEGIN INSERT OR ROLLBACK INTO t(a) VALUES(1); "
        "END",
        // Tcl's variables hide a quote from who does not know them.
        "WITH x AS (SELECT $a(')) INSERT OR ROLLBACK INTO t SELECT 1, 'one', 1",
        "WITH x AS (SELECT @a::b(\")) INSERT OR ROLLBACK INTO t SELECT 1, 'one', 1"}) {
    ExpectRefused(sql);
  }
}

TEST_F(SandboxTest, WordsThatOnlyLookLikeRollbackClausesAreAllowed) {
  for (const char* sql :
       {"SELECT 'INSERT OR ROLLBACK INTO t'", "INSERT INTO t(a) VALUES('x' /* OR ROLLBACK */)",
        "SELECT 1 -- ON CONFLICT ROLLBACK", "SELECT 1 AS \"on conflict rollback\"",
        "SELECT b OR \"rollback\" FROM (SELECT 1 AS b, 0 AS \"rollback\")",
        "CREATE TABLE u(\"conflict\" TEXT DEFAULT 'on conflict rollback')",
        "INSERT INTO t(a) VALUES('it''s VACUUM; COMMIT')",
        "INSERT OR REPLACE INTO t(a) VALUES('x')", "INSERT OR ABORT INTO t(a) VALUES('x')",
        "SELECT rollback FROM (SELECT 1 AS rollback)",
        "SELECT [vacuum] FROM (SELECT 1 AS vacuum)"}) {
    ExpectAllowed(sql);
  }
}

TEST_F(SandboxTest, TheSchemaTableAndShadowTablesCannotBeWritten) {
  EXPECT_YES(database_.Run("CREATE VIRTUAL TABLE f USING fts5(body)"));
  for (const char* sql : {"UPDATE sqlite_schema SET sql = 'x'", "DELETE FROM sqlite_master",
                          "INSERT INTO f_data VALUES(1, x'00')", "UPDATE f_content SET c0 = 'x'",
                          "DROP TABLE f_data"}) {
    SCOPED_TRACE(sql);
    database_.Begin();
    EXPECT_EQ(database_.Execute(sql).vote.kind, VoteKind::kNo);
    database_.Rollback();
  }
}

TEST_F(SandboxTest, OneStatementPerMessage) {
  for (const char* sql :
       {"INSERT INTO t(a) VALUES('x'); COMMIT", "SELECT 1; SELECT 2", "", "  ", "-- nothing", ";",
        "SELECT 1;; SELECT 2", "SELECT 1; x", ";;", "; ; -- x"}) {
    ExpectRefused(sql, Reason::kSqlInvalid);
  }
  ExpectAllowed("; SELECT 1");
  ExpectAllowed("SELECT 1; -- the end");
  ExpectAllowed("SELECT 1 ;; /* the end");
}

TEST_F(SandboxTest, SqlIsText) {
  ExpectRefused(std::string("SELECT 1\0; COMMIT", 17), Reason::kSqlInvalid);
  ExpectRefused("SELECT '\xff'", Reason::kSqlInvalid);
  ExpectRefused("SELECT '" + std::string(100'000, 'x') + "'", Reason::kLimitExceeded);
  for (const char* sql :
       {"SELECT \"no such column, not a string\"", "INSERT INTO t(a) VALUES(\"x\")",
        "CREATE TABLE u(a CHECK(a <> \"x\"))", "CREATE INDEX i ON t(\"x\")"}) {
    ExpectRefused(sql, Reason::kSqlInvalid);
  }
}

TEST_F(SandboxTest, ExplainTellsOfQueriesAndRowChangesOnly) {
  ExpectAllowed("EXPLAIN QUERY PLAN SELECT * FROM t");
  ExpectAllowed("EXPLAIN UPDATE t SET b = 2");
  ExpectAllowed("EXPLAIN QUERY PLAN DELETE FROM t");
  for (const char* sql : {"EXPLAIN COMMIT", "EXPLAIN QUERY PLAN VACUUM", "EXPLAIN ATTACH 'x' AS y",
                          "EXPLAIN CREATE TABLE x(a)", "EXPLAIN ROLLBACK"}) {
    ExpectRefused(sql);
  }
}

TEST_F(SandboxTest, OrdinaryDdlIsAllowed) {
  for (const char* sql :
       {"CREATE TABLE u(a INTEGER PRIMARY KEY, b TEXT NOT NULL DEFAULT 'x') STRICT",
        "CREATE TABLE u AS SELECT * FROM t", "CREATE UNIQUE INDEX u ON t(b, a)", "DROP INDEX t_b",
        "DROP TABLE t", "ALTER TABLE t RENAME TO u", "ALTER TABLE t RENAME COLUMN b TO c",
        "ALTER TABLE t ADD COLUMN c INTEGER CHECK(c > 0)",
        "ALTER TABLE t ADD COLUMN c TEXT NOT NULL DEFAULT 'x' CHECK(c <> '')",
        "CREATE TRIGGER g AFTER INSERT ON t BEGIN DELETE FROM counted; END",
        "CREATE VIEW v AS SELECT a FROM t", "REINDEX t", "CREATE TABLE IF NOT EXISTS t(a)"}) {
    ExpectAllowed(sql);
  }
  EXPECT_YES(database_.Run("DROP INDEX t_b"));
  ExpectAllowed("ALTER TABLE t DROP COLUMN b");
}

TEST_F(SandboxTest, TheOwnerOfTheConnectionIsNotRestricted) {
  database_.Exec("INSERT INTO lockstep_state VALUES(1, 7)");
  database_.Begin();
  EXPECT_YES(database_.Execute("INSERT INTO t(a) VALUES('x')"));
  database_.Exec("UPDATE lockstep_state SET round = 8");
  database_.Commit();
  EXPECT_EQ(database_.Read("SELECT round FROM lockstep_state"), Value(int64_t{8}));
}

TEST_F(SandboxTest, ACachedStatementThatIsPreparedAgainIsJudgedAgain) {
  EXPECT_YES(database_.Run("CREATE VIEW v AS SELECT b FROM t"));
  EXPECT_YES(database_.Run("SELECT * FROM v"));
  // As if an older version of the file had it: not by a client, so nothing is forgotten.
  database_.Exec("DROP VIEW v; CREATE VIEW v AS SELECT round FROM lockstep_state");
  ExpectRefused("SELECT * FROM v");
}

// SQLite's code for it is one of CORRUPT, and a damaged file ends the process.
TEST_F(SandboxTest, AnIndexThatDoesNotFitAClientsOwnContentIsTheStatementsFault) {
  EXPECT_YES(
      database_.Run("CREATE VIRTUAL TABLE f USING fts5(a, content='t', content_rowid='id')"));
  database_.Begin();
  const ExecutedBranch executed =
      database_.Execute("INSERT INTO f(f, rank) VALUES('integrity-check', 1)");
  EXPECT_NO(executed, Reason::kSqlInvalid);
  EXPECT_EQ(executed.vote.error->sqlite_extended_code, sqlite::kCorruptVirtualTable);
  EXPECT_THAT(Explain(executed), ::testing::HasSubstr("the database is not damaged"));
  EXPECT_THAT(Explain(executed), ::testing::Not(::testing::HasSubstr("malformed")));
  database_.Rollback();
}

}  // namespace
}  // namespace lockstep::participant
