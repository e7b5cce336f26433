// Random branches, some of which fail, on one replica; on another only those that voted YES, with
// other things between them. Same digests, same rows: rules R7 and R23.
#include <random>

#include "tests/participant/execution/fixture.h"
#include "tests/support/seed.h"

namespace lockstep::participant {
namespace {

class RandomBranches {
 public:
  explicit RandomBranches(uint64_t seed) : random_(seed) {}

  int64_t Below(int64_t limit) {
    return static_cast<int64_t>(random_() % static_cast<uint64_t>(limit));
  }

  Branch Next() {
    std::vector<Statement> statements;
    for (int64_t i = 1 + Below(4); i > 0; --i) statements.push_back(AnyStatement());
    Branch branch = TestDatabase::BranchOf(std::move(statements));
    branch.seed = random_();
    return branch;
  }

 private:
  Statement AnyStatement() {
    const Value id = Below(30);
    const Value number = Below(1000);
    const Value text = "word" + std::to_string(Below(20));
    switch (Below(25)) {
      case 0:
        return {"INSERT INTO t(id, a) VALUES(?, ?)", {id, text}, {}};
      case 1:
        return {"INSERT INTO t(a, b) VALUES(?, random())", {text}, {}};
      case 2:
        return {"INSERT INTO t(id, a) VALUES(?, ?) ON CONFLICT DO UPDATE SET b = changes()",
                {id, text},
                {}};
      case 3:
        return {"UPDATE t SET a = ?, b = b + total_changes() WHERE id > ?", {text, id}, {}};
      case 4:
        return {"DELETE FROM t WHERE id = ? RETURNING a", {id}, {}};
      case 5:
        return {"REPLACE INTO t(id, a, b) VALUES(?, ?, last_insert_rowid())", {id, text}, {}};
      case 6:
        return {"INSERT INTO counted(a) SELECT a FROM t WHERE id < ?", {id}, {}};
      case 7:
        return {"DELETE FROM counted WHERE id % 3 = ?", {Below(3)}, {}};
      case 8:
        return {"INSERT INTO f(body) VALUES(? || ' ' || hex(randomblob(2)))", {text}, {}};
      case 9:
        return {"DELETE FROM f WHERE f MATCH ?", {text}, {}};
      case 10:
        return {"UPDATE f SET body = body || ' more' WHERE rowid % 5 = ?", {Below(5)}, {}};
      case 11:
        return {"INSERT INTO r VALUES(?, ?, ? + 1.5)", {id, number, number}, {}};
      case 12:
        return {"DELETE FROM r WHERE x0 > ?", {number}, {}};
      case 13:
        return {"INSERT INTO child VALUES(?)", {id}, {}};  // deferred foreign key
      case 14:
        return {"INSERT INTO t(id) VALUES(9223372036854775807)", {}, {}};
      case 15:
        return {"SELECT a, random(), changes() FROM t ORDER BY id LIMIT 5", {}, {}};
      case 16:
        return {"CREATE TABLE IF NOT EXISTS extra" + std::to_string(Below(3)) + "(a, b)", {}, {}};
      case 17:
        return {"DROP TABLE IF EXISTS extra" + std::to_string(Below(3)), {}, {}};
      case 18:
        return {"INSERT INTO gen(a, b) VALUES(?, ?)", {number, text}, {}};
      case 19:
        return {"UPDATE gen SET a = a + ?, b = v WHERE s % 3 = 0", {number}, {}};
      case 20:
        return {"INSERT INTO doc(id, body, extra) VALUES(?, ?, json_object('n', random()))",
                {id, text},
                {}};
      case 21:
        return {
            "UPDATE doc SET body = body || ' ' || ?, extra = json_set(extra, '$.n', ?) "
            "WHERE id % 4 = ?",
            {text, number, Below(4)},
            {}};
      case 22:
        return {"DELETE FROM doc WHERE id IN (SELECT rowid FROM doc_fts WHERE doc_fts MATCH ?)",
                {text},
                {}};
      case 23:
        return {"UPDATE doc SET extra = ?", {text}, {}};  // no JSON
      default:
        return {"INSERT INTO w VALUES(?, ?)", {text, number}, {}};
    }
  }

  std::mt19937_64 random_;
};

void MakeSchema(TestDatabase* database) {
  for (const char* sql :
       {"CREATE TABLE t(id INTEGER PRIMARY KEY, a TEXT, b DEFAULT (random()))",
        "CREATE UNIQUE INDEX t_ab ON t(a, b)",
        "CREATE TABLE counted(id INTEGER PRIMARY KEY AUTOINCREMENT, a)",
        "CREATE TABLE w(k PRIMARY KEY, n) WITHOUT ROWID",
        "CREATE TABLE child(p REFERENCES t(id) ON DELETE CASCADE DEFERRABLE INITIALLY DEFERRED)",
        "CREATE TABLE log(n, c)", "CREATE TABLE gen(a, v AS (a || 'x'), b, s AS (a * 2) STORED)",
        "CREATE VIRTUAL TABLE f USING fts5(body)", "CREATE VIRTUAL TABLE r USING rtree(id, x0, x1)",
        "CREATE TABLE doc(id INTEGER PRIMARY KEY, body TEXT, extra TEXT CHECK(json_valid(extra)))",
        "CREATE INDEX doc_n ON doc(json_extract(extra, '$.n'))",
        "CREATE VIRTUAL TABLE doc_fts USING fts5(body, content='doc', content_rowid='id')",
        "CREATE VIRTUAL TABLE doc_n_r USING rtree(id, n0, n1)",
        "CREATE TRIGGER doc_ai AFTER INSERT ON doc BEGIN "
        "INSERT INTO doc_fts(rowid, body) VALUES(new.id, new.body); "
        "INSERT INTO doc_n_r VALUES(new.id, new.id, new.id + 1); END",
        "CREATE TRIGGER doc_ad AFTER DELETE ON doc BEGIN INSERT INTO doc_fts(doc_fts, rowid, body) "
        "VALUES('delete', old.id, old.body); DELETE FROM doc_n_r WHERE id = old.id; END",
        "CREATE TRIGGER doc_au AFTER UPDATE ON doc BEGIN INSERT INTO doc_fts(doc_fts, rowid, body) "
        "VALUES('delete', old.id, old.body); "
        "INSERT INTO doc_fts(rowid, body) VALUES(new.id, new.body); END",
        "CREATE TRIGGER g AFTER UPDATE ON t BEGIN INSERT INTO log VALUES(random(), changes()); "
        "END"}) {
    EXPECT_YES(database->Run(sql));
  }
}

std::string Dump(TestDatabase* database) {
  std::string dump;
  for (const char* table : {"t", "gen", "counted", "w", "child", "log", "f", "f_data", "r",
                            "r_node", "sqlite_sequence", "doc", "doc_fts_data", "doc_n_r_node"}) {
    sqlite::Statement rows =
        database->writer().Prepare(std::string("SELECT * FROM ") + table).value();
    dump += std::string("\n") + table;
    while (rows.Step() == sqlite::StepResult::kRow) {
      dump += "\n ";
      for (int i = 0; i < rows.column_count(); ++i) {
        const sqlite::ValueView value = rows.ColumnView(i);
        dump += std::to_string(static_cast<int>(value.type)) + ':' + std::to_string(value.integer) +
                ':' + std::to_string(value.real) + ':' + std::string(value.bytes) + '|';
      }
    }
  }
  return dump;
}

// Work that nobody keeps.
void Disturb(TestDatabase* database, RandomBranches* branches) {
  database->Begin();
  database->Execute(branches->Next());
  database->Execute(branches->Next());
  if (!database->writer().autocommit()) database->Rollback();
}

TEST(RandomBranchesTest, ReExecutionAgreesWithTheVote) {
  const uint64_t seed = SeedOfTest();
  RandomBranches branches(seed);
  RandomBranches noise(seed + 1);
  TestDatabase first;
  TestDatabase second;
  MakeSchema(&first);
  MakeSchema(&second);
  int yes = 0;
  int no = 0;
  for (int round = 0; round < 150; ++round) {
    if (branches.Below(3) == 0) Disturb(&first, &noise);
    std::vector<std::pair<Branch, uint64_t>> kept;
    first.Begin();
    for (int64_t i = 1 + branches.Below(8); i > 0; --i) {
      const Branch branch = branches.Next();
      const ExecutedBranch executed = first.Execute(branch);
      ASSERT_FALSE(executed.transaction_lost) << Explain(executed);
      if (executed.vote.kind == VoteKind::kYes) kept.emplace_back(branch, executed.vote.digest);
      ++(executed.vote.kind == VoteKind::kYes ? yes : no);
    }
    first.Commit();  // must find nothing to object to
    if (branches.Below(3) == 0) Disturb(&second, &noise);
    second.Begin();
    for (const auto& [branch, digest] : kept) {
      const ExecutedBranch again = second.Execute(branch, ExecutionMode::kAgain);
      ASSERT_EQ(again.vote.kind, VoteKind::kYes) << Explain(again);
      ASSERT_EQ(again.vote.digest, digest);
    }
    second.Commit();
  }
  EXPECT_EQ(Dump(&first), Dump(&second));
  // The index that triggers keep is that of the table.
  EXPECT_YES(first.Run("INSERT INTO doc_fts(doc_fts, rank) VALUES('integrity-check', 1)"));
  // No kind of statement fails always.
  EXPECT_NE(first.Read("SELECT max(rowid) FROM doc"), Value());
  EXPECT_NE(first.Read("SELECT max(rowid) FROM gen"), Value());
  EXPECT_NE(first.Read("SELECT max(rowid) FROM f"), Value());
  EXPECT_NE(first.Read("SELECT max(rowid) FROM log"), Value());
  EXPECT_GT(yes, 50);
  EXPECT_GT(no, 50);
}

}  // namespace
}  // namespace lockstep::participant
