#include "participant/execution/query_runner.h"

#include <filesystem>

#include "tests/participant/execution/fixture.h"

namespace lockstep::participant {
namespace {

constexpr char kAppliedRound[] = "SELECT round FROM lockstep_state";

class QueryRunnerTest : public ::testing::Test {
 protected:
  QueryRunnerTest() {
    directory_ = std::filesystem::path(::testing::TempDir()) /
                 ("query_runner_test_" + std::to_string(::getpid()));
    std::filesystem::create_directories(directory_);
    const std::string path = directory_ / "node.db";
    writer_ = sqlite::Connection::Open(path, {}).value();
    Exec("PRAGMA journal_mode = WAL");
    Exec("CREATE TABLE lockstep_state(id INTEGER PRIMARY KEY, round INTEGER)");
    Exec("INSERT INTO lockstep_state VALUES(1, 8796093022209)");
    Exec("CREATE TABLE t(a, version); INSERT INTO t VALUES('x', 3), ('y', NULL), ('z', 2)");
    sqlite::OpenOptions options;
    options.read_only = true;
    reader_ = sqlite::Connection::Open(path, options).value();
    ExecutionLimits limits;
    limits.max_rows = 5;
    runner_ = QueryRunner::Create(reader_.get(), &clock_, {"bank", "bank-2"}, limits, kAppliedRound)
                  .value();
  }
  ~QueryRunnerTest() override {
    runner_.reset();
    reader_.reset();
    writer_.reset();
    std::filesystem::remove_all(directory_);
  }

  void Exec(const std::string& sql) {
    const absl::Status status = writer_->Exec(sql);
    ASSERT_TRUE(status.ok()) << status;
  }
  Result<QueryAnswer> Query(const std::string& sql, std::vector<Value> params = {}) {
    return runner_->Query({sql, std::move(params), {}}, absl::Seconds(1));
  }
  void ExpectRefused(const std::string& sql, Reason reason) {
    SCOPED_TRACE(sql);
    const Result<QueryAnswer> answer = Query(sql);
    ASSERT_FALSE(answer.ok());
    EXPECT_EQ(answer.error().reason, reason) << answer.error().message;
    EXPECT_EQ(answer.error().node_id, "bank-2");
  }

  std::filesystem::path directory_;
  ManualClock clock_;
  std::unique_ptr<sqlite::Connection> writer_;
  std::unique_ptr<sqlite::Connection> reader_;
  std::unique_ptr<QueryRunner> runner_;
};

TEST_F(QueryRunnerTest, AnswersRowsAndTheRoundThatTheyShow) {
  const Result<QueryAnswer> answer = Query("SELECT a FROM t WHERE version >= ?", {int64_t{2}});
  ASSERT_TRUE(answer.ok());
  EXPECT_EQ(answer.value().result.rows, (std::vector<Row>{{std::string("x")}, {std::string("z")}}));
  EXPECT_EQ(answer.value().round, RoundId::Make(1, 1));
}

TEST_F(QueryRunnerTest, EachQuerySeesTheNewestCommit) {
  ASSERT_TRUE(Query("SELECT 1").ok());
  Exec("BEGIN; UPDATE lockstep_state SET round = 8796093022210; DELETE FROM t; COMMIT");
  const Result<QueryAnswer> answer = Query("SELECT count(*) FROM t");
  EXPECT_EQ(answer.value().result.rows[0][0], Value(int64_t{0}));
  EXPECT_EQ(answer.value().round, RoundId::Make(1, 2));
}

TEST_F(QueryRunnerTest, ACachedQuerySeesTheColumnsOfTheNewestSchema) {
  ASSERT_EQ(Query("SELECT * FROM t").value().result.columns.size(), 2u);
  Exec("ALTER TABLE t ADD COLUMN c DEFAULT 9");
  const Result<QueryAnswer> wider = Query("SELECT * FROM t");
  EXPECT_EQ(wider.value().result.columns.size(), 3u);
  EXPECT_EQ(wider.value().result.rows[0][2], Value(int64_t{9}));
  Exec("ALTER TABLE t DROP COLUMN c");
  EXPECT_EQ(Query("SELECT * FROM t").value().result.rows[0].size(), 2u);
}

TEST_F(QueryRunnerTest, NothingButQueriesIsAllowed) {
  for (const char* sql :
       {"INSERT INTO t VALUES(1, 1)", "UPDATE t SET a = 1", "DELETE FROM t RETURNING a",
        "CREATE TABLE x(a)", "CREATE TABLE IF NOT EXISTS t(a)", "BEGIN", "COMMIT",
        "PRAGMA query_only = 0", "VACUUM", "ATTACH ':memory:' AS m", "CREATE TEMP TABLE x(a)",
        "SELECT * FROM lockstep_state", "WITH x AS (SELECT 1) DELETE FROM t"}) {
    ExpectRefused(sql, Reason::kStatementNotAllowed);
  }
  // Nor what the schema brings along, whoever made it.
  Exec("CREATE VIEW own AS SELECT * FROM lockstep_state");
  Exec("CREATE VIEW loads AS SELECT load_extension('x')");
  Exec("CREATE VIEW asks AS SELECT * FROM pragma_journal_mode");
  Exec("CREATE VIRTUAL TABLE f USING fts5(a, content='lockstep_state')");
  for (const char* sql : {"SELECT * FROM own", "SELECT count(*) FROM own",
                          "WITH x AS (SELECT * FROM own) SELECT 1 "
                          "FROM x",
                          "SELECT * FROM loads", "SELECT * FROM asks", "SELECT load_extension('x')",
                          "SELECT count(*) FROM temp.sqlite_schema", "SELECT a FROM f"}) {
    ExpectRefused(sql, Reason::kStatementNotAllowed);
  }
  EXPECT_TRUE(Query("VALUES (1), (2)").ok());
  EXPECT_TRUE(Query("EXPLAIN QUERY PLAN SELECT * FROM t").ok());
  EXPECT_TRUE(Query("WITH x AS (SELECT 1) SELECT * FROM x").ok());
  EXPECT_TRUE(reader_->autocommit());
}

TEST_F(QueryRunnerTest, ErrorsNameTheirReason) {
  ExpectRefused("SELECT * FROM nothing", Reason::kSqlInvalid);
  ExpectRefused("SELECT", Reason::kSqlInvalid);
  ExpectRefused("SELECT 1; SELECT 2", Reason::kSqlInvalid);
  ExpectRefused("VALUES (1), (2), (3), (4), (5), (6)", Reason::kLimitExceeded);
  ExpectRefused("SELECT CAST(x'ff' AS TEXT)", Reason::kResultNotText);
  EXPECT_TRUE(Query("SELECT 1").ok());
}

TEST_F(QueryRunnerTest, AQueryEndsWithItsTime) {
  const Result<QueryAnswer> answer = runner_->Query({"SELECT 1", {}, {}}, absl::ZeroDuration());
  ASSERT_FALSE(answer.ok());
  EXPECT_EQ(answer.error().reason, Reason::kTimeout);
}

// Asks for an interrupt of its own connection the first time that SQLite looks at the clock.
class InterruptingClock final : public Clock {
 public:
  absl::Time WallNow() const override { return absl::UnixEpoch(); }
  absl::Duration MonotonicNow() const override {
    if (connection != nullptr && ++looks > 1) connection->Interrupt();
    return absl::Hours(1);
  }
  sqlite::Connection* connection = nullptr;
  mutable int looks = 0;
};

TEST_F(QueryRunnerTest, AnInterruptEndsItWithNotReady) {
  InterruptingClock clock;
  runner_.reset();
  runner_ =
      QueryRunner::Create(reader_.get(), &clock, {"bank", "bank-2"}, {}, kAppliedRound).value();
  clock.connection = reader_.get();
  const Result<QueryAnswer> answer = Query(
      "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT count(*) FROM n");
  ASSERT_FALSE(answer.ok());
  EXPECT_EQ(answer.error().reason, Reason::kNotReady);
  clock.connection = nullptr;
  EXPECT_TRUE(Query("SELECT 1").ok());
}

TEST_F(QueryRunnerTest, TableVersionIsTheMaximum) {
  const Result<TableVersion> version = runner_->GetVersion("T", absl::Seconds(1));
  ASSERT_TRUE(version.ok());
  EXPECT_EQ(version.value().table_version, 3);
  EXPECT_EQ(version.value().round, RoundId::Make(1, 1));
  Exec(
      "CREATE TABLE \"odd \"\" name\"(version); CREATE TABLE nulls(version);"
      "INSERT INTO nulls VALUES(NULL)");
  EXPECT_EQ(runner_->GetVersion("odd \" name", absl::Seconds(1)).value().table_version, 0);
  EXPECT_EQ(runner_->GetVersion("nulls", absl::Seconds(1)).value().table_version, 0);
}

TEST_F(QueryRunnerTest, TableVersionTakesANameAndNoSql) {
  Exec("CREATE TABLE plain(a); CREATE TABLE words(version); INSERT INTO words VALUES('one')");
  const auto reason = [&](const std::string& table) {
    const Result<TableVersion> version = runner_->GetVersion(table, absl::Seconds(1));
    EXPECT_FALSE(version.ok()) << table;
    return version.ok() ? Reason::kInvariantBroken : version.error().reason;
  };
  EXPECT_EQ(reason("nothing"), Reason::kTableUnknown);
  EXPECT_EQ(reason(""), Reason::kTableUnknown);
  EXPECT_EQ(reason("t; DROP TABLE t"), Reason::kTableUnknown);
  EXPECT_EQ(reason("t WHERE 1"), Reason::kTableUnknown);
  EXPECT_EQ(reason(std::string("t\0", 2)), Reason::kTableUnknown);
  EXPECT_EQ(reason("plain"), Reason::kSqlInvalid);
  EXPECT_EQ(reason("words"), Reason::kSqlInvalid);
  EXPECT_EQ(reason("lockstep_state"), Reason::kStatementNotAllowed);
}

}  // namespace
}  // namespace lockstep::participant
