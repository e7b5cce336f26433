// Branches on the connection that they have in production, with its frozen clock (rule R23).
#include <unistd.h>

#include <filesystem>

#include "participant/execution/query_runner.h"
#include "participant/storage/prepare_store.h"
#include "tests/participant/execution/fixture.h"

namespace lockstep::participant {
namespace {

class OnAStoreTest : public ::testing::Test {
 protected:
  OnAStoreTest() {
    directory_ = std::filesystem::path(::testing::TempDir()) /
                 ("on_a_store_test_" + std::to_string(::getpid()));
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
  ~OnAStoreTest() override {
    executor_.reset();
    store_.reset();
    std::filesystem::remove_all(directory_);
  }

  ExecutedBranch Run(std::vector<Statement> statements, absl::Time clock) {
    Branch branch = TestDatabase::BranchOf(std::move(statements));
    branch.clock = clock;
    EXPECT_TRUE(store_->Begin().ok());
    ExecutedBranch executed = executor_->Execute(branch, ExecutionMode::kFirst);
    EXPECT_YES(executed);
    EXPECT_TRUE(store_->CommitLocal(clock).ok());
    return executed;
  }

  std::filesystem::path directory_;
  SystemClock clock_;
  std::unique_ptr<PrepareStore> store_;
  std::unique_ptr<BranchExecutor> executor_;
};

TEST_F(OnAStoreTest, EveryTimeFunctionSeesTheClockOfTheBranch) {
  const absl::Time instant = absl::FromUnixMillis(1'234'567'890'123);
  Run({{"CREATE TABLE t(a DEFAULT CURRENT_TIMESTAMP, b DEFAULT (strftime('%f', 'now')), c)",
        {},
        {}},
       {"CREATE TRIGGER g AFTER INSERT ON t BEGIN UPDATE t SET c = unixepoch(); END", {}, {}}},
      instant);
  const ExecutedBranch executed = Run({{"INSERT INTO t DEFAULT VALUES", {}, {}},
                                       {"SELECT a, b, c, date(), julianday('now') FROM t", {}, {}}},
                                      instant);
  EXPECT_EQ(executed.vote.results[0].statements[1].rows[0],
            (Row{std::string("2009-02-13 23:31:30"), std::string("30.123"), int64_t{1'234'567'890},
                 std::string("2009-02-13"), 2454876.4802097571}));
  const ExecutedBranch later = Run({{"SELECT unixepoch()", {}, {}}}, instant + absl::Seconds(10));
  EXPECT_EQ(later.vote.results[0].statements[0].rows[0][0], Value(int64_t{1'234'567'900}));
}

TEST_F(OnAStoreTest, ReadersSeeTheirRoundAndVirtualTables) {
  Run({{"CREATE VIRTUAL TABLE f USING fts5(body)", {}, {}},
       {"CREATE VIRTUAL TABLE r USING rtree(id, x0, x1)", {}, {}},
       {"INSERT INTO f VALUES('hello world')", {}, {}},
       {"INSERT INTO r VALUES(7, 1.0, 2.0)", {}, {}},
       {"CREATE VIEW v AS SELECT highlight(f, 0, '<', '>') || json_array(rowid) AS h FROM f "
        "WHERE f MATCH 'hello' ORDER BY bm25(f)",
        {},
        {}}},
      absl::FromUnixSeconds(1));
  const auto reader = store_->OpenReader().value();
  {
    const auto runner = QueryRunner::Create(reader.get(), &clock_, {"bank", "bank-1"}, {},
                                            "SELECT applied_round FROM lockstep_state")
                            .value();
    const auto found =
        runner->Query({"SELECT rowid FROM f WHERE f MATCH 'world'", {}, {}}, absl::Seconds(60));
    ASSERT_TRUE(found.ok()) << found.error().message;
    EXPECT_EQ(found.value().result.rows, (std::vector<Row>{{int64_t{1}}}));
    EXPECT_TRUE(found.value().round.is_none());
    const auto inside =
        runner->Query({"SELECT id FROM r WHERE x0 < 1.5", {}, {}}, absl::Seconds(60));
    ASSERT_TRUE(inside.ok()) << inside.error().message;
    EXPECT_EQ(inside.value().result.rows, (std::vector<Row>{{int64_t{7}}}));
    const auto view = runner->Query({"SELECT h FROM v", {}, {}}, absl::Seconds(60));
    ASSERT_TRUE(view.ok()) << view.error().message;
    EXPECT_EQ(view.value().result.rows, (std::vector<Row>{{std::string("<hello> world[1]")}}));
  }
}

// With synchronous=NORMAL, no spilling and the masked commit: the settings of the store are its
// own.
TEST_F(OnAStoreTest, TheSandboxLeavesTheSettingsOfTheStore) {
  const auto read = [&](const std::string& sql) {
    sqlite::Statement statement = store_->writer().Prepare(sql).value();
    EXPECT_EQ(statement.Step(), sqlite::StepResult::kRow);
    return statement.Column(0);
  };
  EXPECT_EQ(read("PRAGMA journal_mode"), Value(std::string("wal")));
  EXPECT_EQ(read("PRAGMA cache_spill"), Value(int64_t{0}));
  EXPECT_EQ(read("PRAGMA wal_autocheckpoint"), Value(int64_t{0}));
  EXPECT_EQ(read("PRAGMA temp_store"), Value(int64_t{2}));
  EXPECT_EQ(read("PRAGMA foreign_keys"), Value(int64_t{1}));
  EXPECT_EQ(read("PRAGMA mmap_size"), Value(int64_t{0}));
}

}  // namespace
}  // namespace lockstep::participant
