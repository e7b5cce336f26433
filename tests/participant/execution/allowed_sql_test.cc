// What SQLite offers and a client may use: each form runs, gives what it should, and runs again
// with the same digest.
#include "tests/participant/execution/fixture.h"

namespace lockstep::participant {
namespace {

struct AllowedForm {
  const char* name;
  std::vector<const char*> statements;
  const char* query;
  const char* expected;
};

// The usual full-text index of a table: the text stays in the table, triggers keep the index.
#define FTS5_KEPT_BY_TRIGGERS                                                                    \
  "CREATE TABLE doc(id INTEGER PRIMARY KEY, title TEXT, body TEXT)",                             \
      "CREATE VIRTUAL TABLE doc_fts USING fts5(title, body, content='doc', content_rowid='id')", \
      "CREATE TRIGGER doc_ai AFTER INSERT ON doc BEGIN "                                         \
      "INSERT INTO doc_fts(rowid, title, body) VALUES(new.id, new.title, new.body); END",        \
      "CREATE TRIGGER doc_ad AFTER DELETE ON doc BEGIN INSERT INTO doc_fts(doc_fts, rowid, "     \
      "title, body) VALUES('delete', old.id, old.title, old.body); END",                         \
      "CREATE TRIGGER doc_au AFTER UPDATE ON doc BEGIN INSERT INTO doc_fts(doc_fts, rowid, "     \
      "title, body) VALUES('delete', old.id, old.title, old.body); INSERT INTO doc_fts(rowid, "  \
      "title, body) VALUES(new.id, new.title, new.body); END",                                   \
      "INSERT INTO doc(title, body) VALUES('one', 'hello world'), ('two', 'other words')",       \
      "UPDATE doc SET body = 'hello again' WHERE id = 2", "DELETE FROM doc WHERE id = 1"

const AllowedForm kAllowedForms[] = {
    {"without rowid",
     {"CREATE TABLE t(a, b, PRIMARY KEY(a, b)) WITHOUT ROWID",
      "INSERT INTO t VALUES(2, 1), (1, 2)"},
     "SELECT group_concat(a || b) FROM t",
     "12,21"},
    {"strict",
     {"CREATE TABLE t(a INTEGER, b ANY) STRICT", "INSERT INTO t VALUES('7', x'00')"},
     "SELECT typeof(a) || typeof(b) FROM t",
     "integerblob"},
    {"autoincrement",
     {"CREATE TABLE t(a INTEGER PRIMARY KEY AUTOINCREMENT)", "INSERT INTO t VALUES(5)",
      "DELETE FROM t", "INSERT INTO t DEFAULT VALUES"},
     "SELECT a FROM t",
     "6"},
    {"generated columns",
     {"CREATE TABLE t(a, b AS (a + 1), c AS (b * 2) STORED)", "INSERT INTO t(a) VALUES(1)",
      "CREATE INDEX i ON t(b, c)", "UPDATE t SET a = 2"},
     "SELECT b || ' ' || c FROM t",
     "3 6"},
    {"partial and expression indexes",
     {"CREATE TABLE t(a, b)", "CREATE UNIQUE INDEX i ON t(lower(a)) WHERE b",
      "CREATE INDEX j ON t(a || b COLLATE NOCASE DESC)", "INSERT INTO t VALUES('X', 1), ('x', 0)",
      "INSERT OR IGNORE INTO t VALUES('x', 1)", "REINDEX i", "DROP INDEX j"},
     "SELECT group_concat(a) FROM t",
     "X,x"},
    {"foreign keys with actions",
     {"CREATE TABLE p(id INTEGER PRIMARY KEY)",
      "CREATE TABLE c(p REFERENCES p ON DELETE CASCADE ON UPDATE CASCADE)",
      "CREATE TABLE n(p REFERENCES p ON DELETE SET NULL)", "INSERT INTO p VALUES(1), (2)",
      "INSERT INTO c VALUES(1), (2)", "INSERT INTO n VALUES(1)", "UPDATE p SET id = 3 WHERE id = 2",
      "DELETE FROM p WHERE id = 1"},
     "SELECT (SELECT group_concat(p) FROM c) || ' ' || count(*) || count(p) FROM n",
     "3 10"},
    {"deferred foreign keys, satisfied at the end",
     {"CREATE TABLE p(id INTEGER PRIMARY KEY)",
      "CREATE TABLE c(p REFERENCES p DEFERRABLE INITIALLY DEFERRED)", "INSERT INTO c VALUES(9)",
      "INSERT INTO p VALUES(9)"},
     "SELECT p FROM c",
     "9"},
    {"triggers",
     {"CREATE TABLE t(a)", "CREATE TABLE log(a)", "CREATE VIEW v AS SELECT a FROM t",
      "CREATE TRIGGER b BEFORE INSERT ON t WHEN new.a < 0 BEGIN SELECT RAISE(IGNORE); END",
      "CREATE TRIGGER u AFTER UPDATE OF a ON t BEGIN "
      "INSERT INTO log VALUES(old.a || '>' || new.a); END",
      "CREATE TRIGGER i INSTEAD OF INSERT ON v BEGIN INSERT INTO t VALUES(new.a * 10); END",
      "CREATE TRIGGER d AFTER DELETE ON t BEGIN "
      "UPDATE log SET a = CASE WHEN a = '10>11' THEN a || '!' ELSE a END; END",
      "INSERT INTO t VALUES(-1)", "INSERT INTO v VALUES(1)", "UPDATE t SET a = a + 1",
      "DELETE FROM t"},
     "SELECT group_concat(a) FROM log",
     "10>11!"},
    {"views",
     {"CREATE TABLE t(a)", "INSERT INTO t VALUES(1), (2)",
      "CREATE VIEW v(x) AS SELECT a + 1 FROM t",
      "CREATE VIEW w AS WITH c AS (SELECT x FROM v) SELECT sum(x) AS s FROM c"},
     "SELECT s FROM w",
     "5"},
    {"upsert",
     {"CREATE TABLE t(k PRIMARY KEY, n UNIQUE, h)", "INSERT INTO t VALUES('a', 1, 0)",
      "INSERT INTO t VALUES('a', 2, 1) ON CONFLICT(k) DO UPDATE SET h = h + excluded.h WHERE h < 9",
      "INSERT INTO t VALUES('b', 1, 1) ON CONFLICT(k) DO NOTHING ON CONFLICT(n) DO UPDATE SET h = "
      "7",
      "INSERT INTO t VALUES('a', 1, 1) ON CONFLICT DO NOTHING"},
     "SELECT group_concat(k || n || h) FROM t",
     "a17"},
    {"conflict clauses",
     {"CREATE TABLE t(a PRIMARY KEY ON CONFLICT REPLACE, b NOT NULL ON CONFLICT IGNORE)",
      "INSERT INTO t VALUES(1, 1)", "INSERT INTO t VALUES(1, 2)", "INSERT INTO t VALUES(2, NULL)",
      "INSERT OR ABORT INTO t VALUES(3, 3)", "INSERT OR FAIL INTO t VALUES(4, 4)",
      "UPDATE OR IGNORE t SET a = 4 WHERE a = 3", "REPLACE INTO t VALUES(4, 5)"},
     "SELECT group_concat(a || b) FROM t",
     "12,33,45"},
    {"returning, update from, row values, cte",
     {"CREATE TABLE t(a, b)", "INSERT INTO t VALUES(1, 1), (2, 2) RETURNING a",
      "WITH x(a, b) AS (VALUES(1, 10)) UPDATE t SET (a, b) = (x.b, x.a) FROM x WHERE t.a = x.a",
      "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n LIMIT 3) "
      "INSERT INTO t SELECT i, i FROM n",
      "DELETE FROM t WHERE (a, b) IN (VALUES(1, 1), (2, 2)) RETURNING *"},
     "SELECT group_concat(a || b) FROM t",
     "101,33"},
    {"window functions",
     {"CREATE TABLE t(g, a)", "INSERT INTO t VALUES('x', 1), ('x', 3), ('y', 2)"},
     "SELECT group_concat(r) FROM (SELECT g || rank() OVER (PARTITION BY g ORDER BY a DESC) || "
     "sum(a) OVER (ORDER BY a ROWS BETWEEN 1 PRECEDING AND CURRENT ROW) AS r FROM t ORDER BY a)",
     "x21,y13,x15"},
    {"JSON in queries",
     {"CREATE TABLE t(j)", "INSERT INTO t VALUES(json_object('a', json_array(1, 2)))",
      "UPDATE t SET j = json_set(j, '$.b', 3)"},
     "SELECT sum(e.value) || (j ->> '$.b') || (SELECT count(*) FROM json_tree(j)) FROM t, "
     "json_each(t.j, '$.a') AS e",
     "335"},
    {"JSON in the schema",
     {"CREATE TABLE t(j TEXT CHECK(json_valid(j)), k DEFAULT (json_array(1)), "
      "a AS (json_extract(j, '$.a')), s AS (j ->> '$.b') STORED)",
      "CREATE INDEX i ON t(json_extract(j, '$.c'))", "CREATE INDEX n ON t(j) WHERE j -> '$.d'",
      "CREATE VIEW v AS SELECT e.value AS x FROM t, json_each(t.j) AS e", "CREATE TABLE log(a)",
      "CREATE TRIGGER g AFTER INSERT ON t WHEN json_type(new.j) = 'object' "
      "BEGIN INSERT INTO log SELECT value FROM json_each(new.j); END",
      "INSERT INTO t(j) VALUES('{\"a\":1,\"b\":2,\"c\":3}')"},
     "SELECT a || s || k || (SELECT sum(x) FROM v) || (SELECT count(*) FROM log) FROM t WHERE "
     "json_extract(j, '$.c') = 3",
     "12[1]63"},
    {"FTS5 kept up to date by triggers",
     {FTS5_KEPT_BY_TRIGGERS},
     "SELECT group_concat(rowid) FROM doc_fts WHERE doc_fts MATCH 'hello'",
     "2"},
    {"FTS5 in a view",
     {FTS5_KEPT_BY_TRIGGERS,
      "CREATE VIEW found AS SELECT rowid AS id, highlight(doc_fts, 1, '<', '>') AS h FROM doc_fts "
      "WHERE doc_fts MATCH 'again' ORDER BY bm25(doc_fts)"},
     "SELECT id || h FROM found",
     "2hello <again>"},
    {"FTS5 of its own, without content, and by trigrams",
     {"CREATE VIRTUAL TABLE f USING fts5(a, tokenize='trigram')",
      "CREATE VIRTUAL TABLE c USING fts5(a, content='', prefix='2 3')",
      "INSERT INTO f VALUES('hello')", "INSERT INTO c(rowid, a) VALUES(3, 'world')",
      "INSERT INTO f(f) VALUES('integrity-check')",
      "INSERT INTO c(c, rank) VALUES('automerge', 8)"},
     "SELECT f.rowid || c.rowid FROM f, c WHERE f MATCH 'ell' AND c MATCH 'wor*'",
     "13"},
    {"rtree kept up to date by triggers",
     {"CREATE TABLE place(id INTEGER PRIMARY KEY, x, y)",
      "CREATE VIRTUAL TABLE box USING rtree(id, x0, x1, y0, y1, +name)",
      "CREATE VIRTUAL TABLE whole USING rtree_i32(id, x0, x1)",
      "CREATE TRIGGER g AFTER INSERT ON place BEGIN "
      "INSERT INTO box VALUES(new.id, new.x, new.x, new.y, new.y, 'n'); END",
      "CREATE TRIGGER d AFTER DELETE ON place BEGIN DELETE FROM box WHERE id = old.id; END",
      "CREATE VIEW near AS SELECT id FROM box WHERE x0 < 5", "INSERT INTO whole VALUES(1, 2, 3)",
      "INSERT INTO place VALUES(1, 1, 1), (2, 2, 2), (3, 9, 9)", "DELETE FROM place WHERE id = 1"},
     "SELECT group_concat(id) FROM near",
     "2"},
    {"all that changes a schema",
     {"CREATE TABLE t(a, b)", "INSERT INTO t VALUES(1, 2)", "ALTER TABLE t RENAME TO u",
      "ALTER TABLE u RENAME COLUMN a TO x", "ALTER TABLE u ADD COLUMN c TEXT NOT NULL DEFAULT 'd'",
      "ALTER TABLE u ADD COLUMN e CHECK(e IS NULL OR json_valid(e))", "ALTER TABLE u DROP COLUMN b",
      "CREATE TABLE copy AS SELECT * FROM u", "CREATE TABLE IF NOT EXISTS copy(z)",
      "CREATE INDEX i ON u(x)", "REINDEX", "DROP INDEX IF EXISTS i", "CREATE VIEW v AS SELECT 1",
      "DROP VIEW v", "CREATE TRIGGER g AFTER INSERT ON u BEGIN SELECT 1; END", "DROP TRIGGER g",
      "DROP TABLE u"},
     "SELECT x || c FROM copy",
     "1d"},
    {"an FTS5 table is renamed and dropped",
     {"CREATE VIRTUAL TABLE f USING fts5(a)", "INSERT INTO f VALUES('x')",
      "ALTER TABLE f RENAME TO h", "CREATE VIRTUAL TABLE r USING rtree(id, x0, x1)",
      "DROP TABLE r"},
     "SELECT rowid FROM h WHERE h MATCH 'x'",
     "1"},
    {"functions of mathematics and time in the schema",
     {"CREATE TABLE t(a, r DEFAULT (round(sqrt(2), 2)), d DEFAULT (date('2024-02-28', '+1 day')), "
      "CHECK(floor(a) = a))",
      "INSERT INTO t(a) VALUES(4)"},
     "SELECT a || ' ' || r || ' ' || d FROM t",
     "4 1.41 2024-02-29"},
    {"names that only look like something else",
     {"CREATE TABLE \"table\"(\"select\", [order by])", "INSERT INTO \"table\" VALUES(1, 'COMMIT')",
      "CREATE TABLE unlockstep_state(a)",
      "CREATE VIEW \"vacuum\" AS SELECT \"select\" FROM \"table\""},
     "SELECT * FROM \"vacuum\"",
     "1"},
};

Branch AsOneBranch(const AllowedForm& form) {
  std::vector<Statement> statements;
  for (const char* sql : form.statements) statements.push_back({sql, {}, {}});
  return TestDatabase::BranchOf(std::move(statements));
}

TEST(AllowedSqlTest, EveryFormRunsAsOneBranchAndGivesWhatItShould) {
  for (const AllowedForm& form : kAllowedForms) {
    SCOPED_TRACE(form.name);
    TestDatabase database;
    EXPECT_YES(database.Run(AsOneBranch(form)));
    const ExecutedBranch asked =
        database.Run(std::string("SELECT CAST((") + form.query + ") AS TEXT)");
    EXPECT_YES(asked);
    if (asked.vote.kind != VoteKind::kYes) continue;
    EXPECT_EQ(asked.vote.results[0].statements[0].rows[0][0], Value(std::string(form.expected)));
  }
}

TEST(AllowedSqlTest, EveryFormRunsStatementByStatementAndAgainWithTheSameDigest) {
  for (const AllowedForm& form : kAllowedForms) {
    SCOPED_TRACE(form.name);
    TestDatabase first;
    TestDatabase second;
    // A deferred foreign key is not satisfied before the last statement.
    const bool whole = std::string_view(form.name).find("deferred") != std::string_view::npos;
    std::vector<Branch> branches;
    if (whole) branches.push_back(AsOneBranch(form));
    if (!whole) {
      for (const char* sql : form.statements) branches.push_back(TestDatabase::BranchOf(sql));
    }
    for (const Branch& branch : branches) {
      SCOPED_TRACE(branch.operations[0].statements[0].sql);
      const ExecutedBranch voted = first.Run(branch);
      EXPECT_YES(voted);
      second.Begin();
      const ExecutedBranch again = second.Execute(branch, ExecutionMode::kAgain);
      EXPECT_YES(again);
      EXPECT_EQ(again.vote.digest, voted.vote.digest);
      second.Commit();
    }
  }
}

TEST(AllowedSqlTest, WhatASchemaForbidsIsAViolationOfItsConstraint) {
  TestDatabase database;
  for (const char* sql :
       {"CREATE TABLE j(a CHECK(json_valid(a)))", "CREATE TABLE s(a INTEGER) STRICT",
        "CREATE TABLE p(id INTEGER PRIMARY KEY)", "CREATE TABLE c(p REFERENCES p)",
        "CREATE UNIQUE INDEX i ON s(a % 10) WHERE a > 0", "INSERT INTO s VALUES(5)"}) {
    EXPECT_YES(database.Run(sql));
  }
  for (const char* sql : {"INSERT INTO j VALUES('{')", "INSERT INTO s VALUES('x')",
                          "INSERT INTO c VALUES(1)", "INSERT INTO s VALUES(15)"}) {
    SCOPED_TRACE(sql);
    EXPECT_NO(database.Run(sql), Reason::kConstraintViolation);
  }
}

}  // namespace
}  // namespace lockstep::participant
