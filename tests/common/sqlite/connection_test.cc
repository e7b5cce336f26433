#include "common/sqlite/connection.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <limits>
#include <thread>

#include "common/sqlite/access.h"

namespace lockstep::sqlite {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

std::unique_ptr<Connection> OpenMemory() { return Connection::Open(":memory:", {}).value(); }

int64_t ReadInt(Connection* connection, const std::string& sql) {
  Statement statement = connection->Prepare(sql).value();
  EXPECT_EQ(statement.Step(), StepResult::kRow);
  return statement.ColumnInt(0);
}

TEST(ConnectionTest, AFileThatCannotBeOpenedIsAnErrorWithItsPath) {
  OpenOptions options;
  options.create = false;
  const auto connection = Connection::Open("/nowhere/at/all.db", options);
  ASSERT_FALSE(connection.ok());
  EXPECT_THAT(std::string(connection.status().message()), HasSubstr("/nowhere/at/all.db"));
  EXPECT_EQ(SqliteError::FromStatus(connection.status())->code, kCannotOpen);
}

TEST(ConnectionTest, AnUnknownVfsIsAnError) {
  OpenOptions options;
  options.vfs = "no such vfs";
  EXPECT_FALSE(Connection::Open(":memory:", options).ok());
}

TEST(ConnectionTest, ErrorsKeepCodesAndMessageThroughAStatus) {
  const auto connection = OpenMemory();
  ASSERT_TRUE(connection->Exec("CREATE TABLE t(a UNIQUE); INSERT INTO t VALUES(1)").ok());
  const absl::Status status = connection->Exec("INSERT INTO t VALUES(1)");
  EXPECT_EQ(status.code(), absl::StatusCode::kFailedPrecondition);
  const auto error = SqliteError::FromStatus(status);
  ASSERT_TRUE(error.has_value());
  EXPECT_EQ(error->code, kConstraint);
  EXPECT_EQ(error->extended_code, 2067);
  EXPECT_EQ(error->message, "UNIQUE constraint failed: t.a");
  EXPECT_FALSE(SqliteError::FromStatus(absl::InternalError("other")).has_value());
  EXPECT_FALSE(SqliteError::FromStatus(absl::OkStatus()).has_value());
}

TEST(ConnectionTest, ASecondStatementIsNoticed) {
  const auto connection = OpenMemory();
  const auto second = [&](const std::string& sql) {
    return connection->Prepare(sql).value().has_second_statement();
  };
  EXPECT_FALSE(second("SELECT 1"));
  EXPECT_FALSE(second("SELECT 1;"));
  EXPECT_FALSE(second("SELECT 1; -- end\n ; /* of it */"));
  EXPECT_FALSE(second("SELECT ';'"));
  EXPECT_TRUE(second("SELECT 1; SELECT 2"));
  EXPECT_TRUE(second("SELECT 1; nonsense"));
  EXPECT_TRUE(connection->Prepare(" -- nothing").value().empty());
}

TEST(ConnectionTest, CountersAndAutocommit) {
  const auto connection = OpenMemory();
  ASSERT_TRUE(connection->Exec("CREATE TABLE t(a)").ok());
  EXPECT_TRUE(connection->autocommit());
  ASSERT_TRUE(connection->Exec("BEGIN; INSERT INTO t VALUES(1), (2)").ok());
  EXPECT_FALSE(connection->autocommit());
  EXPECT_EQ(connection->changes(), 2);
  EXPECT_EQ(connection->total_changes(), 2);
  EXPECT_EQ(connection->last_insert_rowid(), 2);
  connection->set_last_insert_rowid(77);
  EXPECT_EQ(ReadInt(connection.get(), "SELECT last_insert_rowid()"), 77);
  ASSERT_TRUE(connection->Exec("ROLLBACK").ok());
  EXPECT_TRUE(connection->autocommit());
  EXPECT_GT(connection->cache_used(), 0);
}

TEST(ConnectionTest, ADeferredForeignKeyShowsBeforeTheCommit) {
  const auto connection = OpenMemory();
  ASSERT_TRUE(connection->Set(Switch::kForeignKeys, true).ok());
  ASSERT_TRUE(connection
                  ->Exec("CREATE TABLE p(id INTEGER PRIMARY KEY);"
                         "CREATE TABLE c(p REFERENCES p DEFERRABLE INITIALLY DEFERRED);"
                         "BEGIN; INSERT INTO c VALUES(1)")
                  .ok());
  EXPECT_TRUE(connection->has_deferred_foreign_key_violation());
  ASSERT_TRUE(connection->Exec("INSERT INTO p VALUES(1)").ok());
  EXPECT_FALSE(connection->has_deferred_foreign_key_violation());
  ASSERT_TRUE(connection->Exec("COMMIT").ok());
}

TEST(ConnectionTest, LimitsAreInForce) {
  const auto connection = OpenMemory();
  connection->SetLimit(Limit::kVariableNumber, 2);
  EXPECT_TRUE(connection->Prepare("SELECT ?, ?").ok());
  EXPECT_FALSE(connection->Prepare("SELECT ?, ?, ?").ok());
  connection->SetLimit(Limit::kAttached, 0);
  EXPECT_FALSE(connection->Exec("ATTACH ':memory:' AS m").ok());
  connection->SetLimit(Limit::kLength, 1000);
  EXPECT_EQ(connection->Exec("SELECT zeroblob(2000)").code(), absl::StatusCode::kResourceExhausted);
}

class Refuse final : public CommitHook {
 public:
  bool OnCommit() override { return allow; }
  bool allow = false;
};

TEST(ConnectionTest, ACommitHookRefusesACommitAndNothingIsWritten) {
  const auto connection = OpenMemory();
  ASSERT_TRUE(connection->Exec("CREATE TABLE t(a)").ok());
  Refuse hook;
  connection->SetCommitHook(&hook);
  const absl::Status status = connection->Exec("INSERT INTO t VALUES(1)");
  EXPECT_EQ(SqliteError::FromStatus(status)->extended_code, kConstraintCommitHook);
  EXPECT_EQ(ReadInt(connection.get(), "SELECT count(*) FROM t"), 0);
  hook.allow = true;
  EXPECT_TRUE(connection->Exec("INSERT INTO t VALUES(1)").ok());
  connection->SetCommitHook(nullptr);
}

class StopAt final : public ProgressHandler {
 public:
  bool OnProgress() override { return ++calls < 3; }
  int calls = 0;
};

TEST(ConnectionTest, AProgressHandlerEndsAStatement) {
  const auto connection = OpenMemory();
  StopAt handler;
  connection->SetProgressHandler(&handler, 100);
  const char* endless =
      "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT count(*) FROM n";
  EXPECT_EQ(SqliteError::FromStatus(connection->Exec(endless))->code, kInterrupt);
  EXPECT_EQ(handler.calls, 3);
  connection->SetProgressHandler(nullptr, 0);
}

class DenyReads final : public Authorizer {
 public:
  bool Authorize(const AccessRequest& request) override {
    if (request.action == kRead) seen.push_back(request.first);
    return request.action != kRead;
  }
  std::vector<std::string> seen;
};

TEST(ConnectionTest, AnAuthorizerRefusesStatements) {
  const auto connection = OpenMemory();
  ASSERT_TRUE(connection->Exec("CREATE TABLE t(a)").ok());
  DenyReads authorizer;
  connection->SetAuthorizer(&authorizer);
  EXPECT_EQ(SqliteError::FromStatus(connection->Prepare("SELECT a FROM t").status())->code, kAuth);
  EXPECT_THAT(authorizer.seen, ElementsAre("t"));
  EXPECT_TRUE(connection->Prepare("INSERT INTO t VALUES(1)").ok());
  connection->SetAuthorizer(nullptr);
  EXPECT_TRUE(connection->Prepare("SELECT a FROM t").ok());
}

class Recorder final : public RowChangeHook {
 public:
  void OnRowChange(const RowChange& change) override {
    std::string line(change.table());
    line += ' ' + std::to_string(static_cast<int>(change.operation())) + ' ' +
            std::to_string(change.old_rowid()) + ' ' + std::to_string(change.new_rowid());
    for (int i = 0; i < change.column_count(); ++i) {
      ValueView value;
      if (change.operation() != RowOperation::kInsert && change.OldValue(i, &value) == kOk) {
        line += " old " + std::to_string(value.integer);
      }
      if (change.operation() != RowOperation::kDelete && change.NewValue(i, &value) == kOk) {
        line += " new " + std::to_string(value.integer);
      }
    }
    lines.push_back(line);
  }
  std::vector<std::string> lines;
};

TEST(ConnectionTest, ARowHookSeesEveryChange) {
  const auto connection = OpenMemory();
  ASSERT_TRUE(
      connection
          ->Exec("CREATE TABLE t(id INTEGER PRIMARY KEY, a);"
                 "CREATE TABLE w(k PRIMARY KEY) WITHOUT ROWID;"
                 "CREATE TRIGGER g AFTER DELETE ON t BEGIN INSERT INTO w VALUES(old.a); END")
          .ok());
  Recorder recorder;
  connection->SetRowChangeHook(&recorder);
  ASSERT_TRUE(connection
                  ->Exec("INSERT INTO t VALUES(3, 30); UPDATE t SET id = 4, a = 40; DELETE FROM t;"
                         "DELETE FROM w")
                  .ok());
  EXPECT_THAT(recorder.lines,
              ElementsAre("t 18 3 3 new 3 new 30", "t 23 3 4 old 3 new 4 old 30 new 40",
                          "t 9 4 4 old 4 old 40", "w 18 0 0 new 40", "w 9 0 0 old 40"));
  connection->SetRowChangeHook(nullptr);
  ASSERT_TRUE(connection->Exec("INSERT INTO t VALUES(1, 1)").ok());
  EXPECT_EQ(recorder.lines.size(), 5u);
}

class Seven final : public ScalarFunction {
 public:
  void Call(FunctionCall& call) override { call.Return(7 * call.Int(0)); }
};

TEST(ConnectionTest, AFunctionMayReplaceABuiltInOneAlsoInDefaults) {
  const auto connection = OpenMemory();
  ASSERT_TRUE(connection->Set(Switch::kTrustedSchema, false).ok());
  Seven seven;
  ASSERT_TRUE(connection->DefineFunction("abs", 1, &seven).ok());
  ASSERT_TRUE(connection->Exec("CREATE TABLE t(a, b DEFAULT (abs(3)))").ok());
  ASSERT_TRUE(connection->Exec("INSERT INTO t(a) VALUES(1)").ok());
  EXPECT_EQ(ReadInt(connection.get(), "SELECT b FROM t"), 21);
  connection->RemoveFunction("abs", 1);
  EXPECT_FALSE(connection->Exec("SELECT abs(1)").ok());
}

TEST(ConnectionTest, AnotherThreadMayInterrupt) {
  const auto connection = OpenMemory();
  // Interrupts only what runs: so the function that the statement calls asks another thread.
  class Interrupter final : public ScalarFunction {
   public:
    explicit Interrupter(Connection* target) : target_(target) {}
    void Call(FunctionCall& call) override {
      std::thread([this] { target_->Interrupt(); }).join();
      call.Return(1);
    }

   private:
    Connection* const target_;
  };
  Interrupter interrupter(connection.get());
  ASSERT_TRUE(connection->DefineFunction("ask", 0, &interrupter).ok());
  const absl::Status status = connection->Exec(
      "WITH RECURSIVE n(i) AS (SELECT ask() UNION ALL SELECT i + 1 FROM n) SELECT count(*) FROM n");
  EXPECT_EQ(SqliteError::FromStatus(status)->code, kInterrupt);
  connection->RemoveFunction("ask", 0);
}

TEST(ConnectionTest, APassiveCheckpointTellsHowFarItCame) {
  const auto directory = std::filesystem::path(::testing::TempDir()) /
                         ("connection_test_" + std::to_string(::getpid()));
  std::filesystem::create_directories(directory);
  {
    const auto connection = Connection::Open(directory / "a.db", {}).value();
    ASSERT_TRUE(connection->Exec("PRAGMA journal_mode = WAL; CREATE TABLE t(a)").ok());
    const auto result = connection->CheckpointPassive();
    ASSERT_TRUE(result.ok());
    EXPECT_FALSE(result->busy);
    EXPECT_GT(result->wal_frames, 0);
    EXPECT_EQ(result->wal_frames, result->checkpointed_frames);
  }
  std::filesystem::remove_all(directory);
}

}  // namespace
}  // namespace lockstep::sqlite
