#include "tests/cluster/bank_workload.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"

namespace lockstep::testing_support {
namespace {

// Of those that have one. A coordinator's clock leaps by more, and refuses them meanwhile; none is
// forgotten as soon as that.
constexpr absl::Duration kExpireTime = absl::Hours(1);

void AddStatement(v1::Operation* operation, const std::string& sql,
                  const std::vector<int64_t>& numbers, const std::string& text = "") {
  v1::Statement* statement = operation->add_statements();
  statement->set_sql(sql);
  for (int64_t number : numbers) statement->add_params()->set_int_value(number);
  if (!text.empty()) statement->add_params()->set_text_value(text);
}

v1::ExecuteRequest RequestFor(const Transfer& transfer) {
  v1::ExecuteRequest request;
  request.set_request_id(transfer.request_id);
  if (transfer.has_expire_time) {
    const absl::Time expires = absl::Now() + kExpireTime;
    request.mutable_expire_time()->set_seconds(absl::ToUnixSeconds(expires));
  }
  for (size_t i = 0; i < transfer.databases.size(); ++i) {
    v1::Operation* operation = request.add_operations();
    operation->set_database(transfer.databases[i]);
    if (i < 2) {
      AddStatement(operation, "UPDATE account SET balance = balance + ?1 WHERE id = ?2",
                   {i == 0 ? -transfer.amount : transfer.amount,
                    i == 0 ? transfer.from_account : transfer.to_account});
    }
    AddStatement(operation, "INSERT INTO done(id) VALUES (?)", {}, transfer.id);
  }
  request.mutable_timeout()->set_seconds(10);
  return request;
}

Told ToldBy(const grpc::Status& status, const ErrorDetails& details) {
  if (status.ok()) return Told::kCommitted;
  const std::string outcome = details["outcome"];
  return outcome == "ABORTED" || outcome == "NOT_STARTED" ? Told::kAborted : Told::kUnknown;
}

}  // namespace

const std::vector<std::string>& BankWorkload::Databases() {
  static const std::vector<std::string> kNames = {"bank", "stock", "orders"};
  return kNames;
}

BankWorkload::BankWorkload(ProcessCluster* cluster, uint64_t seed)
    : cluster_(cluster), seeds_(seed) {}

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
  {
    const std::lock_guard lock(mutex_);
    stopping_ = false;
  }
  for (int i = 0; i < writers; ++i) {
    threads_.emplace_back([this, seed = seeds_()] { Write(std::mt19937_64(seed)); });
  }
  for (int i = 0; i < readers; ++i) {
    threads_.emplace_back([this, seed = seeds_()] { Read(std::mt19937_64(seed)); });
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

std::string BankWorkload::wrong_read() const {
  const std::lock_guard lock(mutex_);
  return wrong_read_;
}

std::vector<Transfer> BankWorkload::TakeTransfers() {
  const std::lock_guard lock(mutex_);
  committed_.clear();
  return std::exchange(transfers_, {});
}

Transfer BankWorkload::MakeTransfer(std::mt19937_64* random) {
  std::uniform_int_distribution<int64_t> account(0, kAccounts - 1);
  Transfer transfer;
  transfer.databases = Databases();
  std::shuffle(transfer.databases.begin(), transfer.databases.end(), *random);
  if ((*random)() % 3 == 0) transfer.databases.pop_back();
  transfer.amount = std::uniform_int_distribution<int64_t>(1, 300)(*random);
  transfer.from_account = account(*random);
  transfer.to_account = account(*random);
  const bool has_request_id = (*random)() % 2 == 0;
  const std::lock_guard lock(mutex_);
  transfer.id = absl::StrCat(++next_id_);
  if (has_request_id) transfer.request_id = absl::StrCat("transfer-", transfer.id);
  transfer.has_expire_time = has_request_id && (*random)() % 3 == 0;
  return transfer;
}

void BankWorkload::Write(std::mt19937_64 random) {
  const auto stub = cluster_->Coordinator();
  for (;;) {
    {
      const std::lock_guard lock(mutex_);
      if (stopping_) return;
    }
    Transfer transfer = MakeTransfer(&random);
    v1::ExecuteResponse response;
    // Waits for a coordinator that is away; a call that was sent is never sent again by gRPC.
    const grpc::Status status = stub->Execute(
        Within(absl::Seconds(15), /*wait_for_ready=*/true).get(), RequestFor(transfer), &response);
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
    const BankRead read = {database, response.node_id(), response.version(),
                           response.rows_size() == 1 ? response.rows(0).values(0).int_value() : -1};
    if (wrong_read_.empty()) wrong_read_ = JudgeRead(transfer, read);
  }
}

}  // namespace lockstep::testing_support
