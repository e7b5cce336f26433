#include "tests/cluster/bank_workload.h"

#include <gtest/gtest.h>

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"

namespace lockstep::testing_support {
namespace {

const std::vector<std::string>& Databases() {
  static const std::vector<std::string> kNames = {"bank", "stock", "orders"};
  return kNames;
}

void AddStatement(v1::Operation* operation, const std::string& sql,
                  const std::vector<int64_t>& numbers, const std::string& text = "") {
  v1::Statement* statement = operation->add_statements();
  statement->set_sql(sql);
  for (int64_t number : numbers) statement->add_params()->set_int_value(number);
  if (!text.empty()) statement->add_params()->set_text_value(text);
}

std::string RowText(const v1::Row& row, int from) {
  std::string text;
  for (int i = from; i < row.values_size(); ++i) {
    absl::StrAppend(&text, row.values(i).ShortDebugString(), "|");
  }
  return text;
}

Told ToldBy(const grpc::Status& status, const ErrorDetails& details) {
  if (status.ok()) return Told::kCommitted;
  const std::string outcome = details["outcome"];
  return outcome == "ABORTED" || outcome == "NOT_STARTED" ? Told::kAborted : Told::kUnknown;
}

}  // namespace

BankWorkload::BankWorkload(ProcessCluster* cluster, uint64_t seed)
    : cluster_(cluster), seed_(seed) {}

BankWorkload::~BankWorkload() { Stop(); }

void BankWorkload::CreateTables() {
  v1::ExecuteRequest request;
  for (const std::string& database : Databases()) {
    v1::Operation* operation = request.add_operations();
    operation->set_database(database);
    AddStatement(operation,
                 "CREATE TABLE account(id INTEGER PRIMARY KEY,"
                 " balance INTEGER NOT NULL CHECK (balance >= 0))",
                 {});
    // What is not written by the client must be equal on all replicas too.
    AddStatement(operation,
                 "CREATE TABLE done(id TEXT PRIMARY KEY, nonce INTEGER DEFAULT (random()),"
                 " at TEXT DEFAULT (strftime('%Y-%m-%d %H:%M:%f','now')))",
                 {});
    for (int i = 0; i < kAccounts; ++i) {
      AddStatement(operation, "INSERT INTO account VALUES (?, ?)", {i, kInitialBalance});
    }
  }
  v1::ExecuteResponse response;
  const grpc::Status status = cluster_->Coordinator()->Execute(
      Within(absl::Seconds(20), /*wait_for_ready=*/true).get(), request, &response);
  ASSERT_TRUE(status.ok()) << ToText(status);
}

void BankWorkload::Start(int writers, int readers) {
  for (int i = 0; i < writers; ++i) {
    threads_.emplace_back([this, i] { Write(i, std::mt19937_64(seed_ + 1 + i)); });
  }
  for (int i = 0; i < readers; ++i) {
    threads_.emplace_back([this, i] { Read(std::mt19937_64(seed_ + 1001 + i)); });
  }
}

bool BankWorkload::WaitForCommits(int64_t count, absl::Duration limit) {
  std::unique_lock lock(mutex_);
  const int64_t wanted = counts_.committed + count;
  return answered_.wait_for(lock, absl::ToChronoNanoseconds(limit),
                            [&] { return counts_.committed >= wanted; });
}

void BankWorkload::Stop() {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  for (std::thread& thread : threads_) thread.join();
  threads_.clear();
}

WorkloadCounts BankWorkload::counts() const {
  const std::lock_guard lock(mutex_);
  return counts_;
}

v1::ExecuteRequest BankWorkload::MakeRequest(const Transfer& transfer,
                                             std::mt19937_64* random) const {
  std::uniform_int_distribution<int64_t> account(0, kAccounts - 1);
  const auto amount = std::uniform_int_distribution<int64_t>(1, 300)(*random);
  v1::ExecuteRequest request;
  for (size_t i = 0; i < transfer.databases.size(); ++i) {
    v1::Operation* operation = request.add_operations();
    operation->set_database(transfer.databases[i]);
    // From the first to the second; a third only learns of it.
    if (i < 2) {
      AddStatement(operation, "UPDATE account SET balance = balance + ?1 WHERE id = ?2",
                   {i == 0 ? -amount : amount, account(*random)});
    }
    AddStatement(operation, "INSERT INTO done(id) VALUES (?)", {}, transfer.id);
  }
  request.mutable_timeout()->set_seconds(10);
  return request;
}

void BankWorkload::Write(int client, std::mt19937_64 random) {
  const auto stub = cluster_->Coordinator();
  for (int64_t number = 0;; ++number) {
    {
      const std::lock_guard lock(mutex_);
      if (stopping_) return;
    }
    Transfer transfer;
    transfer.databases = Databases();
    std::shuffle(transfer.databases.begin(), transfer.databases.end(), random);
    if (random() % 3 == 0) transfer.databases.pop_back();
    transfer.id = absl::StrCat(client, "-", number);
    const v1::ExecuteRequest request = MakeRequest(transfer, &random);
    v1::ExecuteResponse response;
    // Waits for a coordinator that is away; a call that was sent is never sent again by gRPC.
    const grpc::Status status =
        stub->Execute(Within(absl::Seconds(15), /*wait_for_ready=*/true).get(), request, &response);
    const ErrorDetails details = DetailsOf(status);
    transfer.told = ToldBy(status, details);
    transfer.transaction_id = status.ok() ? response.transaction_id() : details["transaction_id"];
    std::string reason = details.reason;
    if (!status.ok() && reason.empty()) {
      reason = absl::StrCat("gRPC code ", static_cast<int>(status.error_code()));
    }
    Record(std::move(transfer), reason);
    // Refused because a node is away: as a client would, wait for a better moment.
    if (!status.ok() && details["outcome"] != "" && reason != "CONSTRAINT_VIOLATION") {
      WaitForCommits(1, absl::Milliseconds(50));
    }
  }
}

void BankWorkload::Record(Transfer transfer, const std::string& reason) {
  const std::lock_guard lock(mutex_);
  switch (transfer.told) {
    case Told::kCommitted:
      ++counts_.committed;
      committed_.push_back(transfers_.size());
      break;
    case Told::kAborted:
      ++counts_.aborted;
      break;
    default:
      ++counts_.unknown;
  }
  if (!reason.empty()) ++counts_.reasons[reason];
  transfers_.push_back(std::move(transfer));
  answered_.notify_all();
}

// Rule R21: a read through the coordinator sees every transaction that was answered before it.
void BankWorkload::Read(std::mt19937_64 random) {
  const auto stub = cluster_->Coordinator();
  for (;;) {
    Transfer transfer;
    {
      std::unique_lock lock(mutex_);
      answered_.wait_for(lock, std::chrono::milliseconds(100),
                         [this] { return stopping_ || !committed_.empty(); });
      if (stopping_) return;
      if (committed_.empty()) continue;
      // Mostly the newest, which may not be visible everywhere yet.
      const size_t back = random() % std::min<size_t>(committed_.size(), 3);
      transfer = transfers_[committed_[committed_.size() - 1 - back]];
    }
    const std::string& database = transfer.databases[random() % transfer.databases.size()];
    v1::QueryRequest request;
    request.set_database(database);
    request.set_sql("SELECT count(*) FROM done WHERE id = ?");
    request.add_params()->set_text_value(transfer.id);
    v1::QueryResponse response;
    const grpc::Status status =
        stub->Query(Within(absl::Seconds(15), /*wait_for_ready=*/true).get(), request, &response);
    const std::lock_guard lock(mutex_);
    if (!status.ok()) continue;
    ++counts_.reads;
    const int64_t rows =
        response.rows_size() == 1 ? response.rows(0).values(0).int_value() : int64_t{-1};
    if (rows != 1 && wrong_read_.empty()) {
      wrong_read_ = absl::StrCat("a read of ", database, " at ", response.node_id(), " found ",
                                 rows, " rows of the acknowledged transfer ", transfer.id, " (",
                                 transfer.transaction_id, ") at version ", response.version());
    }
  }
}

BankWorkload::Node BankWorkload::ReadNode(size_t index) const {
  Node node;
  node.node_id = cluster_->node(index).node_id;
  node.database = cluster_->node(index).database;
  const auto stub = cluster_->Participant(index);
  const auto query = [&](const std::string& sql, const std::string& text) {
    v1::ParticipantServiceQueryRequest request;
    request.set_sql(sql);
    if (!text.empty() || sql.find('?') != std::string::npos) {
      request.add_params()->set_text_value(text);
    }
    v1::ParticipantServiceQueryResponse response;
    const grpc::Status status =
        stub->Query(Within(absl::Seconds(20), /*wait_for_ready=*/true).get(), request, &response);
    EXPECT_TRUE(status.ok()) << node.node_id << ": " << ToText(status);
    return response;
  };
  std::string last;
  for (;;) {
    const auto page =
        query("SELECT id, nonce, at FROM done WHERE id > ? ORDER BY id LIMIT 5000", last);
    for (const v1::Row& row : page.rows()) {
      last = row.values(0).text_value();
      node.done[last] = RowText(row, 1);
    }
    if (page.rows_size() < 5000) break;
  }
  const auto accounts = query("SELECT id, balance FROM account ORDER BY id", "");
  for (const v1::Row& row : accounts.rows()) {
    node.accounts += RowText(row, 0);
    node.total += row.values(1).int_value();
  }
  return node;
}

// What GetTransaction tells, after all the restarts, is what is in the databases.
void BankWorkload::CheckOutcome(const Transfer& transfer, bool happened, const std::string& name) {
  constexpr int kAskedOfTheKnown = 1000;
  if (transfer.transaction_id.empty()) return;
  if (transfer.told != Told::kUnknown && ++outcomes_asked_ > kAskedOfTheKnown) return;
  v1::GetTransactionRequest request;
  request.set_transaction_id(transfer.transaction_id);
  v1::GetTransactionResponse response;
  const grpc::Status status = coordinator_->GetTransaction(
      Within(absl::Seconds(10), /*wait_for_ready=*/true).get(), request, &response);
  EXPECT_TRUE(status.ok()) << ToText(status) << " for " << name;
  EXPECT_EQ(response.outcome(), happened ? v1::OUTCOME_COMMITTED : v1::OUTCOME_ABORTED) << name;
}

void BankWorkload::CheckTransfer(const Transfer& transfer, const std::vector<Node>& nodes) {
  std::vector<std::string> with;
  std::vector<std::string> without;
  for (const Node& node : nodes) {
    const bool concerned = std::find(transfer.databases.begin(), transfer.databases.end(),
                                     node.database) != transfer.databases.end();
    if (concerned) (node.done.count(transfer.id) > 0 ? with : without).push_back(node.node_id);
  }
  const std::string name =
      absl::StrCat("transfer ", transfer.id, " (", transfer.transaction_id, "), found on [",
                   absl::StrJoin(with, " "), "], not on [", absl::StrJoin(without, " "), "]");
  EXPECT_TRUE(with.empty() || without.empty()) << "half of " << name;
  if (transfer.told == Told::kCommitted) {
    EXPECT_TRUE(without.empty()) << "acknowledged: " << name;
  } else if (transfer.told == Told::kAborted) {
    EXPECT_TRUE(with.empty()) << "told aborted: " << name;
  }
  CheckOutcome(transfer, without.empty(), name);
}

void BankWorkload::CheckReplicas(const std::vector<Node>& nodes) {
  int64_t total = 0;
  std::map<std::string, const Node*> masters;
  for (size_t i = 0; i < nodes.size(); ++i) {
    if (!cluster_->node(i).master) continue;
    masters[nodes[i].database] = &nodes[i];
    total += nodes[i].total;
  }
  EXPECT_EQ(total, static_cast<int64_t>(Databases().size()) * kAccounts * kInitialBalance);
  for (const Node& node : nodes) {
    const Node& master = *masters[node.database];
    EXPECT_TRUE(node.done == master.done) << node.node_id << " and " << master.node_id;
    EXPECT_EQ(node.accounts, master.accounts) << node.node_id << " and " << master.node_id;
  }
}

void BankWorkload::CheckEverything() {
  const std::lock_guard lock(mutex_);
  EXPECT_EQ(wrong_read_, "");
  coordinator_ = cluster_->Coordinator();
  std::vector<Node> nodes;
  for (size_t i = 0; i < cluster_->size(); ++i) nodes.push_back(ReadNode(i));
  for (const Transfer& transfer : transfers_) {
    CheckTransfer(transfer, nodes);
    if (::testing::Test::HasFailure()) break;  // the first is the one to look at
  }
  CheckReplicas(nodes);
}

}  // namespace lockstep::testing_support
