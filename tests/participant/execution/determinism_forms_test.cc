// Rule R23 in every form that SQL offers: two replicas with unlike histories, and a re-execution,
// make the same of one instant and one seed; of another instant and seed they make something else.
#include <unistd.h>

#include <filesystem>

#include "common/sqlite/sql_tokenizer.h"
#include "participant/storage/prepare_store.h"
#include "tests/participant/execution/fixture.h"

namespace lockstep::participant {
namespace {

using Sql = std::vector<const char*>;

struct DeterministicForm {
  const char* name;
  Sql setup;
  Sql act;
};

// In each form both the time and chance have a part, or chance alone.
const DeterministicForm kDeterministicForms[] = {
    {"functions of time",
     {"CREATE TABLE t(a, b, c, d, e, f)"},
     {"INSERT INTO t VALUES(date(), time('now'), datetime('now', '+1 day'), julianday(), "
      "unixepoch('now'), strftime('%Y %f %s', 'now'))"}},
    {"local time",
     {"CREATE TABLE t(a, b)"},
     {"INSERT INTO t VALUES(datetime('now', 'localtime'), datetime('now', 'utc'))"}},
    {"keywords of time",
     {"CREATE TABLE t(a, b, c)"},
     {"INSERT INTO t VALUES(CURRENT_DATE, CURRENT_TIME, CURRENT_TIMESTAMP) RETURNING *",
      "UPDATE t SET a = current_timestamp WHERE c = CURRENT_TIMESTAMP"}},
    {"functions of chance",
     {"CREATE TABLE t(a, b, c)"},
     {"INSERT INTO t VALUES(random(), randomblob(20), abs(RANDOM() % 1000))",
      "INSERT INTO t SELECT a, b, \"random\"() FROM t"}},
    {"a modifier drawn by chance",
     {"CREATE TABLE t(a)"},
     {"INSERT INTO t VALUES(datetime('now', (random() % 1000) || ' seconds'))"}},
    {"defaults",
     {"CREATE TABLE t(id INTEGER PRIMARY KEY, a DEFAULT CURRENT_TIMESTAMP, b DEFAULT CURRENT_DATE, "
      "c DEFAULT CURRENT_TIME, d DEFAULT (random()), e DEFAULT (lower(hex(randomblob(16)))), "
      "f DEFAULT (strftime('%f', 'now')))"},
     {"INSERT INTO t DEFAULT VALUES", "INSERT INTO t(id) VALUES(7), (8)"}},
    {"triggers",
     {"CREATE TABLE t(a)", "CREATE TABLE log(at, r)",
      "CREATE TRIGGER g AFTER INSERT ON t BEGIN "
      "INSERT INTO log VALUES(CURRENT_TIMESTAMP, random()); END",
      "CREATE TRIGGER h BEFORE DELETE ON t WHEN random() IS NOT NULL BEGIN "
      "UPDATE log SET r = random(); END"},
     {"INSERT INTO t VALUES(1), (2)", "DELETE FROM t WHERE a = 2"}},
    {"views and their triggers",
     {"CREATE TABLE t(a, r)", "CREATE VIEW v AS SELECT CURRENT_TIMESTAMP AS a, random() AS r",
      "CREATE TRIGGER g INSTEAD OF INSERT ON v BEGIN "
      "INSERT INTO t VALUES(datetime('now'), random()); END"},
     {"INSERT INTO t SELECT * FROM v", "INSERT INTO v VALUES(1, 2)", "SELECT * FROM v"}},
    {"rows selected and ordered by chance",
     {"CREATE TABLE s(id INTEGER PRIMARY KEY)",
      "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n LIMIT 60) "
      "INSERT INTO s SELECT i FROM n",
      "CREATE TABLE t(id INTEGER PRIMARY KEY, s, r)"},
     {"INSERT INTO t(s, r) SELECT id, random() FROM s WHERE random() > 0 ORDER BY random() LIMIT "
      "20",
      "DELETE FROM s WHERE random() % 2", "UPDATE s SET id = 100 + id WHERE random() % 2",
      "SELECT id, row_number() OVER (ORDER BY random()) FROM s"}},
    {"generated columns",
     {"CREATE TABLE t(d DEFAULT (random()), at DEFAULT CURRENT_TIMESTAMP, v AS (at || d), "
      "s AS (d % 97) STORED)",
      "CREATE INDEX i ON t(v)"},
     {"INSERT INTO t DEFAULT VALUES", "SELECT v, s FROM t"}},
    {"upserts",
     {"CREATE TABLE t(k PRIMARY KEY, r, at)", "INSERT INTO t VALUES(1, 0, 0)"},
     {"INSERT INTO t VALUES(1, 2, 3), (2, random(), CURRENT_TIMESTAMP) "
      "ON CONFLICT(k) DO UPDATE SET r = random(), at = CURRENT_TIMESTAMP"}},
    {"common table expressions",
     {"CREATE TABLE t(a, b)"},
     {"WITH x(a, b) AS MATERIALIZED (SELECT random(), CURRENT_TIMESTAMP) INSERT INTO t "
      "SELECT * FROM x UNION ALL SELECT * FROM x",
      "WITH RECURSIVE n(i, r) AS (SELECT 1, random() UNION ALL SELECT i + 1, random() FROM n "
      "LIMIT 5) INSERT INTO t SELECT i, r FROM n"}},
    {"create table as", {}, {"CREATE TABLE t AS SELECT random() AS r, CURRENT_TIMESTAMP AS at"}},
    {"foreign keys",
     {"CREATE TABLE p(id INTEGER PRIMARY KEY)",
      "CREATE TABLE c(p REFERENCES p ON UPDATE CASCADE ON DELETE SET DEFAULT)",
      "INSERT INTO p VALUES(1), (2)", "INSERT INTO c VALUES(1), (2)"},
     {"UPDATE p SET id = abs(random() % 1000000) + 10"}},
    {"keys drawn by chance",
     {"CREATE TABLE w(k BLOB PRIMARY KEY DEFAULT (randomblob(8)), v) WITHOUT ROWID",
      "CREATE TABLE t(id INTEGER PRIMARY KEY AUTOINCREMENT, r INTEGER DEFAULT (random())) STRICT"},
     {"INSERT INTO w(v) VALUES(1), (2), (3)", "INSERT INTO t(id) VALUES(abs(random() % 1000000))",
      "INSERT INTO t DEFAULT VALUES", "UPDATE w SET v = last_insert_rowid()"}},
    {"JSON",
     {"CREATE TABLE t(j CHECK(json_valid(j)))"},
     {"INSERT INTO t VALUES(json_object('at', CURRENT_TIMESTAMP, 'r', random()))",
      "INSERT INTO t SELECT json_group_array(value) FROM (SELECT value FROM "
      "json_each(json_array(1, 2, 3, 4, 5, 6, 7, 8, 9)) ORDER BY random())"}},
    {"FTS5",
     {"CREATE TABLE doc(id INTEGER PRIMARY KEY, body)",
      "CREATE VIRTUAL TABLE f USING fts5(body, content='doc', content_rowid='id')",
      "CREATE TRIGGER g AFTER INSERT ON doc BEGIN "
      "INSERT INTO f(rowid, body) VALUES(new.id, new.body); END",
      "CREATE VIRTUAL TABLE own USING fts5(a)"},
     {"INSERT INTO doc(body) VALUES(hex(randomblob(4)) || ' ' || CURRENT_TIMESTAMP)",
      "INSERT INTO own SELECT body || random() FROM doc", "INSERT INTO own(own) VALUES('optimize')",
      "SELECT rowid, a FROM own"}},
    {"rtree",
     {"CREATE VIRTUAL TABLE r USING rtree(id, x0, x1, +name)"},
     {"WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n LIMIT 200) INSERT INTO r "
      "SELECT NULL, random() % 1000, 2000 + random() % 10, CURRENT_TIMESTAMP FROM n",
      "DELETE FROM r WHERE x0 > random() % 1000", "SELECT id, x0 FROM r"}},
};

// Its own files, its own connection, and the clock that SQL sees.
class Replica {
 public:
  explicit Replica(const std::filesystem::path& directory) : directory_(directory) {
    std::filesystem::remove_all(directory_);
    StoreOptions options;
    options.directory = directory_;
    options.cluster_id = "test";
    options.node_id = "bank-1";
    options.database = "bank";
    options.redo_capacity = 1 << 20;
    options.scratch = true;
    store_ = PrepareStore::Open(options).value();
    executor_ = BranchExecutor::Create(&store_->writer(), &store_->frozen_clock(), &clock_,
                                       {"bank", "bank-1"}, {})
                    .value();
  }
  ~Replica() {
    executor_.reset();
    store_.reset();
    std::filesystem::remove_all(directory_);
  }

  // In a transaction of its own.
  ExecutedBranch Run(const Branch& branch, bool keep, ExecutionMode mode = ExecutionMode::kFirst) {
    EXPECT_TRUE(store_->Begin().ok());
    ExecutedBranch executed = executor_->Execute(branch, mode);
    if (keep && executed.vote.kind == VoteKind::kYes) {
      EXPECT_TRUE(store_->CommitLocal(branch.clock).ok());
    } else {
      EXPECT_TRUE(store_->RollbackTransaction().ok());
    }
    return executed;
  }

  // Every table of a client, with all that is in it.
  std::string Dump() {
    std::string dump;
    for (const std::string& table : Column("SELECT name FROM sqlite_schema WHERE type = 'table' "
                                           "AND name NOT GLOB 'lockstep_*' ORDER BY name")) {
      dump += "\n" + table;
      sqlite::Statement rows =
          store_->writer().Prepare("SELECT * FROM " + sqlite::QuotedName(table)).value();
      while (rows.Step() == sqlite::StepResult::kRow) {
        dump += "\n ";
        for (int i = 0; i < rows.column_count(); ++i) {
          const sqlite::ValueView value = rows.ColumnView(i);
          dump += std::to_string(value.integer) + ':' + std::to_string(value.real) + ':' +
                  std::string(value.bytes) + '|';
        }
      }
    }
    return dump;
  }

 private:
  std::vector<std::string> Column(const std::string& sql) {
    std::vector<std::string> texts;
    sqlite::Statement rows = store_->writer().Prepare(sql).value();
    while (rows.Step() == sqlite::StepResult::kRow) texts.emplace_back(rows.ColumnView(0).bytes);
    return texts;
  }

  const std::filesystem::path directory_;
  SystemClock clock_;
  std::unique_ptr<PrepareStore> store_;
  std::unique_ptr<BranchExecutor> executor_;
};

class DeterminismFormsTest : public ::testing::Test {
 protected:
  static std::filesystem::path Directory(const char* name) {
    return std::filesystem::path(::testing::TempDir()) /
           ("determinism_forms_" + std::to_string(::getpid()) + "_" + name);
  }

  static Branch BranchOf(const Sql& sql, int64_t milliseconds, uint64_t seed) {
    std::vector<Statement> statements;
    for (const char* text : sql) statements.push_back({text, {}, {}});
    Branch branch = TestDatabase::BranchOf(std::move(statements));
    branch.clock = absl::FromUnixMillis(milliseconds);
    branch.seed = seed;
    return branch;
  }

  // Work that is not kept, or fails, at another time and with other draws.
  static void GiveAnotherHistory(Replica* replica, const Branch& act) {
    Branch other = act;
    other.clock += absl::Hours(1000);
    other.seed += 17;
    EXPECT_YES(replica->Run(other, /*keep=*/false));
    other.operations[0].statements.push_back({"SELECT * FROM nowhere", {}, {}});
    EXPECT_NO(replica->Run(other, /*keep=*/false), Reason::kSqlInvalid);
    EXPECT_YES(replica->Run(BranchOf({"SELECT random(), changes()"}, 5, 5), /*keep=*/true));
  }
};

std::vector<Row> RowsOf(const ExecutedBranch& executed) {
  std::vector<Row> rows;
  for (const BranchResult& result : executed.vote.results) {
    for (const StatementResult& statement : result.statements) {
      rows.insert(rows.end(), statement.rows.begin(), statement.rows.end());
    }
  }
  return rows;
}

TEST_F(DeterminismFormsTest, R23_OneInstantAndOneSeedGiveTheSameOnEveryReplicaAndAgain) {
  for (const DeterministicForm& form : kDeterministicForms) {
    SCOPED_TRACE(form.name);
    Replica one(Directory("one"));
    Replica two(Directory("two"));
    const Branch setup = BranchOf(form.setup, 1'000, 1);
    const Branch act = BranchOf(form.act, 1'700'000'000'123, 42);
    for (Replica* replica : {&one, &two}) EXPECT_YES(replica->Run(setup, /*keep=*/true));
    GiveAnotherHistory(&two, act);
    const ExecutedBranch first = one.Run(act, /*keep=*/true);
    const ExecutedBranch second = two.Run(act, /*keep=*/false);
    const ExecutedBranch again = two.Run(act, /*keep=*/true, ExecutionMode::kAgain);
    for (const ExecutedBranch& executed : {first, second, again}) {
      EXPECT_YES(executed);
      EXPECT_EQ(executed.vote.digest, first.vote.digest);
    }
    EXPECT_EQ(RowsOf(second), RowsOf(first));
    EXPECT_EQ(two.Dump(), one.Dump());
  }
}

// Were a form not to depend on them, the test above would show nothing of it.
TEST_F(DeterminismFormsTest, R23_AnotherInstantAndAnotherSeedGiveSomethingElse) {
  for (const DeterministicForm& form : kDeterministicForms) {
    SCOPED_TRACE(form.name);
    Replica replica(Directory("other"));
    EXPECT_YES(replica.Run(BranchOf(form.setup, 1'000, 1), /*keep=*/true));
    const uint64_t digest =
        replica.Run(BranchOf(form.act, 1'700'000'000'123, 42), /*keep=*/false).vote.digest;
    EXPECT_NE(replica.Run(BranchOf(form.act, 1'700'000'100'456, 43), false).vote.digest, digest);
  }
}

}  // namespace
}  // namespace lockstep::participant
