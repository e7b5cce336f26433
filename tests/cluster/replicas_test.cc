// What a cluster of real processes makes of its schema, and of replicas that have parted.
#include <gtest/gtest.h>

#include <map>
#include <set>
#include <sstream>
#include <string>
#include <string_view>

#include "absl/strings/str_cat.h"
#include "common/sqlite/connection.h"
#include "tests/support/process_cluster.h"

namespace lockstep::testing_support {
namespace {

constexpr absl::Duration kSettled = absl::Seconds(30);

struct Operation {
  std::string database;
  std::vector<std::string> statements;
};

class ReplicasTest : public testing::Test {
 protected:
  void SetUp() override {
    cluster_.StartAll();
    ASSERT_EQ(cluster_.WaitUntilSettled(kSettled).value_or(""), "");
    coordinator_ = cluster_.Coordinator();
  }

  grpc::Status Execute(const std::vector<Operation>& operations) {
    v1::ExecuteRequest request;
    for (const Operation& operation : operations) {
      v1::Operation* added = request.add_operations();
      added->set_database(operation.database);
      for (const std::string& sql : operation.statements) added->add_statements()->set_sql(sql);
    }
    v1::ExecuteResponse response;
    return coordinator_->Execute(Within(absl::Seconds(20), /*wait_for_ready=*/true).get(), request,
                                 &response);
  }

  void ExpectCommitted(const std::vector<Operation>& operations) {
    const grpc::Status status = Execute(operations);
    EXPECT_TRUE(status.ok()) << ToText(status);
  }

  // One value as text, asked of the node itself.
  std::string Ask(const std::string& node_id, const std::string& sql) {
    v1::ParticipantServiceQueryRequest request;
    request.set_sql(absl::StrCat("SELECT CAST((", sql, ") AS TEXT)"));
    v1::ParticipantServiceQueryResponse response;
    const grpc::Status status =
        cluster_.Participant(cluster_.IndexOf(node_id))
            ->Query(Within(absl::Seconds(20), /*wait_for_ready=*/true).get(), request, &response);
    return status.ok() ? response.rows(0).values(0).text_value() : ToText(status);
  }

  // The same of every node of the database.
  std::set<std::string> AskAll(const std::string& database, const std::string& sql) {
    std::set<std::string> answers;
    for (size_t i = 0; i < cluster_.size(); ++i) {
      if (cluster_.node(i).database == database) {
        answers.insert(Ask(cluster_.node(i).node_id, sql));
      }
    }
    return answers;
  }

  bool IsUnreachable(const std::string& node_id) {
    v1::GetClusterStatusResponse response;
    coordinator_->GetClusterStatus(Within(absl::Seconds(5)).get(), {}, &response);
    for (const v1::ParticipantStatus& node : response.participants()) {
      if (node.node_id() == node_id) return node.state() == v1::STATE_UNREACHABLE;
    }
    return false;
  }

  // Stops the node, changes its file as any program could that uses SQLite, and starts it again.
  void ChangeBehindItsBack(const std::string& node_id, const std::string& sql) {
    // A round in doubt would be invisible to that program, and gone behind it.
    ASSERT_EQ(cluster_.WaitUntilSettled(kSettled).value_or(""), "");
    const size_t index = cluster_.IndexOf(node_id);
    cluster_.participant(index).Terminate();
    ASSERT_EQ(cluster_.participant(index).WaitForExit(absl::Seconds(20)).value_or(-1), 0)
        << cluster_.participant(index).LogTail();
    // Else it might pass for the process that it was.
    ASSERT_TRUE(Eventually(kSettled, [&] { return IsUnreachable(node_id); }));
    {
      auto plain = sqlite::Connection::Open(cluster_.data_directory(index) / "data.db", {});
      ASSERT_TRUE(plain.ok()) << plain.status();
      const absl::Status changed = (*plain)->Exec(sql);
      ASSERT_TRUE(changed.ok()) << changed;
    }
    cluster_.participant(index).Start();
    ASSERT_EQ(cluster_.WaitUntilSettled(kSettled).value_or(""), "");
  }

  ProcessCluster cluster_;
  std::unique_ptr<v1::CoordinatorService::Stub> coordinator_;
};

// "bank-1 0123456789abcdef" as the message has it.
std::map<std::string, std::string> DigestsIn(const std::string& message) {
  constexpr std::string_view kHex = "0123456789abcdef";
  std::map<std::string, std::string> digests;
  std::istringstream words(message);
  std::string node;
  for (std::string word; words >> word; node = word) {
    const std::string digest = word.substr(0, word.find_first_not_of(kHex));
    if (node.starts_with("bank-") && digest.size() == 16) digests[node] = digest;
  }
  return digests;
}

TEST_F(ReplicasTest, ARowThatDiffersOnOneReplicaIsCaughtBeforeAnythingIsCommittedAnywhere) {
  const std::string kMake = "CREATE TABLE account(id INTEGER PRIMARY KEY, balance INTEGER)";
  ExpectCommitted({{"bank", {kMake, "INSERT INTO account VALUES (1, 100), (2, 100)"}},
                   {"orders", {kMake}},
                   {"stock", {kMake}}});
  ChangeBehindItsBack("bank-2", "UPDATE account SET balance = 101 WHERE id = 1");

  for (const char* sql : {"UPDATE account SET balance = balance - 1 WHERE id = 1",
                          "UPDATE account SET balance = 0", "DELETE FROM account WHERE id = 1",
                          "INSERT INTO account SELECT id + 10, balance FROM account",
                          "CREATE TABLE copy AS SELECT * FROM account"}) {
    SCOPED_TRACE(sql);
    const grpc::Status status =
        Execute({{"bank", {sql}}, {"orders", {"INSERT INTO account VALUES (1, 1)"}}});
    EXPECT_EQ(status.error_code(), grpc::StatusCode::ABORTED) << ToText(status);
    const ErrorDetails details = DetailsOf(status);
    EXPECT_EQ(details.reason, "REPLICAS_DISAGREE") << ToText(status);
    EXPECT_EQ(details["outcome"], "ABORTED");
    EXPECT_EQ(details["database"], "bank");
    std::map<std::string, std::string> digests = DigestsIn(status.error_message());
    ASSERT_EQ(digests.size(), 3u) << status.error_message();
    EXPECT_EQ(digests["bank-1"], digests["bank-3"]);
    EXPECT_NE(digests["bank-1"], digests["bank-2"]);
    v1::GetTransactionRequest request;
    request.set_transaction_id(details["transaction_id"]);
    v1::GetTransactionResponse response;
    const grpc::Status asked =
        coordinator_->GetTransaction(Within(absl::Seconds(20)).get(), request, &response);
    EXPECT_TRUE(asked.ok()) << ToText(asked);
    EXPECT_EQ(response.outcome(), v1::OUTCOME_ABORTED);
  }

  // Nothing happened anywhere, and what does not touch the row goes on, on these replicas too.
  EXPECT_EQ(AskAll("orders", "SELECT count(*) FROM account"), std::set<std::string>{"0"});
  EXPECT_EQ(AskAll("bank", "SELECT count(*) FROM account"), std::set<std::string>{"2"});
  EXPECT_EQ(Ask("bank-1", "SELECT balance FROM account WHERE id = 1"), "100");
  EXPECT_EQ(Ask("bank-2", "SELECT balance FROM account WHERE id = 1"), "101");
  ExpectCommitted({{"stock", {"INSERT INTO account VALUES (1, 1)"}},
                   {"orders", {"INSERT INTO account VALUES (2, 2)"}}});
  ExpectCommitted({{"bank", {"UPDATE account SET balance = 7 WHERE id = 2"}}});

  // As docs/OPERATIONS.md says: the odd one is made like the others while it is stopped.
  ChangeBehindItsBack("bank-2", "UPDATE account SET balance = 100 WHERE id = 1");
  ExpectCommitted({{"bank", {"UPDATE account SET balance = balance - 1 WHERE id = 1"}}});
  ASSERT_EQ(cluster_.WaitUntilSettled(kSettled).value_or(""), "");
  EXPECT_EQ(AskAll("bank", "SELECT group_concat(balance) FROM account"),
            std::set<std::string>{"99,7"});
}

constexpr char kSchema[] =
    "SELECT group_concat(type || name || coalesce(sql, ''), ';') FROM (SELECT * FROM sqlite_schema "
    "ORDER BY type, name)";

TEST_F(ReplicasTest, ASchemaIsMadeOnEveryReplicaOfSeveralDatabasesOrNowhere) {
  const std::string before = Ask("bank-1", kSchema);
  const std::vector<std::string> documents = {
      "CREATE TABLE doc(id INTEGER PRIMARY KEY, body TEXT, extra TEXT CHECK (json_valid(extra)))",
      "CREATE INDEX doc_kind ON doc(json_extract(extra, '$.kind'))",
      "CREATE VIRTUAL TABLE doc_fts USING fts5(body, content='doc', content_rowid='id')",
      "CREATE TRIGGER doc_ai AFTER INSERT ON doc BEGIN "
      "INSERT INTO doc_fts(rowid, body) VALUES (new.id, new.body); END",
      "CREATE TABLE seen(at DEFAULT CURRENT_TIMESTAMP, who DEFAULT (hex(randomblob(8))))"};
  const std::vector<std::string> map = {"CREATE VIRTUAL TABLE place USING rtree(id, x0, x1)",
                                        "CREATE VIEW west AS SELECT id FROM place WHERE x1 < 0"};

  // What its last statement makes fail leaves no table anywhere.
  std::vector<std::string> wrong = map;
  wrong.push_back("INSERT INTO nowhere VALUES (1)");
  const grpc::Status refused =
      Execute({{"bank", documents}, {"orders", documents}, {"stock", wrong}});
  EXPECT_EQ(DetailsOf(refused).reason, "SQL_INVALID") << ToText(refused);
  EXPECT_EQ(DetailsOf(refused)["node_id"], "stock-1");
  for (const char* database : {"bank", "orders", "stock"}) {
    EXPECT_EQ(AskAll(database, kSchema), std::set<std::string>{before}) << database;
  }

  ExpectCommitted({{"bank", documents}, {"orders", documents}, {"stock", map}});
  const std::string insert =
      R"(INSERT INTO doc(body, extra) VALUES ('hello world', '{"kind":"letter"}'))";
  ExpectCommitted({{"bank", {insert, "INSERT INTO seen DEFAULT VALUES"}},
                   {"orders", {insert}},
                   {"stock", {"INSERT INTO place VALUES (7, -2, -1)"}}});
  // Rows and schema change in one transaction.
  ExpectCommitted({{"bank",
                    {"ALTER TABLE doc ADD COLUMN language TEXT NOT NULL DEFAULT 'en'",
                     "UPDATE doc SET language = 'de'", "CREATE TABLE old AS SELECT * FROM doc"}},
                   {"stock", {"DROP VIEW west", "CREATE VIEW east AS SELECT id FROM place"}}});
  ASSERT_EQ(cluster_.WaitUntilSettled(kSettled).value_or(""), "");
  for (const char* database : {"bank", "orders"}) {
    EXPECT_EQ(AskAll(database, "SELECT rowid FROM doc_fts WHERE doc_fts MATCH 'world'"),
              std::set<std::string>{"1"});
  }
  EXPECT_EQ(AskAll("bank", "SELECT language FROM old"), std::set<std::string>{"de"});
  EXPECT_EQ(AskAll("bank", "SELECT at || who FROM seen").size(), 1u);
  EXPECT_EQ(AskAll("bank", kSchema).size(), 1u);
  EXPECT_EQ(Ask("stock-1", "SELECT id FROM east"), "7");

  // As a client of one of them would see them: a document without its JSON is refused everywhere.
  const grpc::Status invalid =
      Execute({{"orders", {insert}}, {"bank", {"INSERT INTO doc(extra) VALUES ('{')"}}});
  EXPECT_EQ(DetailsOf(invalid).reason, "CONSTRAINT_VIOLATION") << ToText(invalid);
  EXPECT_EQ(AskAll("orders", "SELECT count(*) FROM doc"), std::set<std::string>{"1"});
}

}  // namespace
}  // namespace lockstep::testing_support
