#include "tests/soak/soak_load.h"

#include <gtest/gtest.h>

#include <chrono>

#include "absl/strings/str_cat.h"

namespace lockstep::testing_support {
namespace {

constexpr int kRows = 1000;
constexpr int64_t kTransactionsPerRequestId = 4;
constexpr const char* kDatabases[] = {"bank", "stock", "orders"};

v1::ExecuteRequest OnAllDatabases(const std::vector<std::string>& statements) {
  v1::ExecuteRequest request;
  for (const char* database : kDatabases) {
    v1::Operation* operation = request.add_operations();
    operation->set_database(database);
    for (const std::string& sql : statements) operation->add_statements()->set_sql(sql);
  }
  return request;
}

}  // namespace

void SoakLoad::CreateTables() {
  const v1::ExecuteRequest request = OnAllDatabases(
      {"CREATE TABLE soak(id INTEGER PRIMARY KEY, changes INTEGER NOT NULL)",
       absl::StrCat("WITH RECURSIVE n(i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM n WHERE i < ",
                    kRows - 1, ") INSERT INTO soak SELECT i, 0 FROM n")});
  v1::ExecuteResponse response;
  const grpc::Status status = cluster_->Coordinator()->Execute(
      Within(absl::Seconds(20), /*wait_for_ready=*/true).get(), request, &response);
  ASSERT_TRUE(status.ok()) << ToText(status);
}

void SoakLoad::Start(double per_second) {
  stopping_ = false;
  const absl::Duration interval =
      per_second > 0 ? absl::Seconds(kClients / per_second) : absl::ZeroDuration();
  for (int i = 0; i < kClients; ++i) {
    threads_.emplace_back([this, i, interval] { Work(i, interval); });
  }
}

bool SoakLoad::Go(absl::Duration time) {
  std::unique_lock lock(mutex_);
  return !over_.wait_for(lock, absl::ToChronoNanoseconds(time), [this] { return is_over(); });
}

void SoakLoad::Stop() {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  over_.notify_all();
  for (std::thread& thread : threads_) thread.join();
  threads_.clear();
}

int64_t SoakLoad::committed() const {
  const std::lock_guard lock(mutex_);
  return committed_;
}

std::string SoakLoad::failure() const {
  const std::lock_guard lock(mutex_);
  return failure_;
}

void SoakLoad::Work(int client, absl::Duration interval) {
  const auto stub = cluster_->Coordinator();
  auto next = std::chrono::steady_clock::now();
  int64_t number = 0;
  for (int64_t row = client;; row = (row + kClients) % kRows) {
    v1::ExecuteRequest request =
        OnAllDatabases({absl::StrCat("UPDATE soak SET changes = changes + 1 WHERE id = ", row)});
    if (++number % kTransactionsPerRequestId == 0) {
      request.set_request_id(absl::StrCat("soak-", client, "-", number));
      request.set_attempt(1);
    }
    v1::ExecuteResponse response;
    const grpc::Status status =
        stub->Execute(Within(absl::Seconds(15), /*wait_for_ready=*/true).get(), request, &response);
    next += absl::ToChronoNanoseconds(interval);
    std::unique_lock lock(mutex_);
    if (status.ok()) {
      ++committed_;
    } else if (failure_.empty()) {
      failure_ = ToText(status);
    }
    // One that is late does not catch up for longer than a moment.
    next = std::max(next, std::chrono::steady_clock::now() - std::chrono::seconds(1));
    if (over_.wait_until(lock, next, [this] { return is_over(); })) break;
  }
  over_.notify_all();
}

}  // namespace lockstep::testing_support
