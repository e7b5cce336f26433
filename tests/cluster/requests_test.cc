// request_id with real processes that are killed: what was retried until it was answered happened
// exactly once, and its answer is the first one's.
#include <gtest/gtest.h>

#include <atomic>
#include <random>
#include <set>
#include <thread>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "tests/support/process_cluster.h"
#include "tests/support/seed.h"

namespace lockstep::testing_support {
namespace {

constexpr absl::Duration kSettled = absl::Seconds(30);
constexpr int kClients = 8;
constexpr int kKills = 25;

v1::ExecuteRequest InsertOf(const std::string& request_id) {
  v1::ExecuteRequest request;
  request.set_request_id(request_id);
  for (const char* database : {"bank", "orders"}) {
    v1::Operation* operation = request.add_operations();
    operation->set_database(database);
    v1::Statement* statement = operation->add_statements();
    // Without a key that would keep a second row out.
    statement->set_sql("INSERT INTO done(request) VALUES (?) RETURNING rowid");
    statement->add_params()->set_text_value(request_id);
  }
  return request;
}

class RequestsTest : public testing::Test {
 protected:
  void SetUp() override {
    cluster_.StartAll();
    ASSERT_EQ(cluster_.WaitUntilSettled(kSettled).value_or(""), "");
    v1::ExecuteRequest request;
    for (const char* database : {"bank", "orders"}) {
      v1::Operation* operation = request.add_operations();
      operation->set_database(database);
      operation->add_statements()->set_sql("CREATE TABLE done(request TEXT)");
    }
    const auto stub = cluster_.Coordinator();
    v1::ExecuteResponse response;
    const grpc::Status status = stub->Execute(Within(absl::Seconds(20)).get(), request, &response);
    ASSERT_TRUE(status.ok()) << ToText(status);
  }

  // Retries until it is committed, as docs/CLIENTS.md says. A short deadline gives up tries that
  // are still under way. Returns the answer, and the number of tries by *tries.
  static v1::ExecuteResponse RunOnce(v1::CoordinatorService::Stub* stub, v1::ExecuteRequest request,
                                     absl::Duration deadline, int* tries) {
    v1::ExecuteResponse response;
    for (uint32_t attempt = 1;; ++attempt) {
      request.set_attempt(attempt);
      const absl::Duration limit = attempt == 1 ? deadline : absl::Seconds(10);
      const grpc::Status status =
          stub->Execute(Within(limit, /*wait_for_ready=*/true).get(), request, &response);
      ++*tries;
      if (status.ok()) return response;
      const std::string reason = DetailsOf(status).reason;
      EXPECT_NE(reason, "REQUEST_ID_REUSED") << ToText(status);
      EXPECT_NE(reason, "ATTEMPT_OUTDATED") << ToText(status);
      EXPECT_LT(attempt, 500u) << ToText(status);
    }
  }

  std::multiset<std::string> RowsOf(const std::string& database) {
    v1::QueryRequest query;
    query.set_database(database);
    query.set_sql("SELECT request FROM done");
    v1::QueryResponse rows;
    const grpc::Status status =
        cluster_.Coordinator()->Query(Within(absl::Seconds(20)).get(), query, &rows);
    EXPECT_TRUE(status.ok()) << ToText(status);
    std::multiset<std::string> requests;
    for (const v1::Row& row : rows.rows()) requests.insert(row.values(0).text_value());
    return requests;
  }

  ProcessCluster cluster_;
};

TEST_F(RequestsTest, R18_WhatIsRetriedThroughKillsOfTheCoordinatorHappensOnce) {
  const uint64_t seed = SeedOfTest();
  std::atomic<bool> stop = false;
  std::atomic<int> tries = 0;
  std::vector<std::set<std::string>> committed(kClients);
  std::vector<std::thread> clients;
  for (int client = 0; client < kClients; ++client) {
    clients.emplace_back([&, client] {
      std::mt19937_64 random(seed + static_cast<uint64_t>(client));
      const auto stub = cluster_.Coordinator();
      for (int n = 0; !stop; ++n) {
        const std::string id = absl::StrCat("r-", client, "-", n);
        const absl::Duration deadline = absl::Milliseconds(1 + random() % 20);
        int of_this = 0;
        const v1::ExecuteResponse first = RunOnce(stub.get(), InsertOf(id), deadline, &of_this);
        // Sent once more although it was answered: the same answer.
        v1::ExecuteResponse again = RunOnce(stub.get(), InsertOf(id), absl::Seconds(10), &of_this);
        EXPECT_TRUE(again.deduplicated()) << id;
        EXPECT_EQ(again.transaction_id(), first.transaction_id()) << id;
        EXPECT_EQ(again.results(0).statements(0).rows(0).values(0).int_value(),
                  first.results(0).statements(0).rows(0).values(0).int_value())
            << id;
        committed[static_cast<size_t>(client)].insert(id);
        tries += of_this;
      }
    });
  }
  std::mt19937_64 random(seed);
  for (int kill = 0; kill < kKills; ++kill) {
    // A moment of work; its length decides where the next kill strikes.
    const auto stub = cluster_.Coordinator();
    const int requests = static_cast<int>(random() % 20);
    int of_this = 0;
    for (int i = 0; i < requests; ++i) {
      RunOnce(stub.get(), InsertOf(absl::StrCat("k-", kill, "-", i)), absl::Seconds(10), &of_this);
    }
    cluster_.coordinator().Kill();
    cluster_.coordinator().Start();
    for (int i = 0; i < requests; ++i) committed[0].insert(absl::StrCat("k-", kill, "-", i));
  }
  stop = true;
  for (std::thread& client : clients) client.join();
  ASSERT_EQ(cluster_.WaitUntilSettled(kSettled).value_or(""), "");

  std::multiset<std::string> wanted;
  for (const auto& of_client : committed) wanted.insert(of_client.begin(), of_client.end());
  EXPECT_EQ(RowsOf("bank"), wanted);
  EXPECT_EQ(RowsOf("orders"), wanted);
  std::printf("%d kills, %zu request_ids, %d tries\n", kKills, wanted.size(), tries.load());
}

TEST_F(RequestsTest, R19_AQuestionWithAnAttemptKeepsEarlierOnesOut) {
  const auto stub = cluster_.Coordinator();
  v1::GetTransactionRequest question;
  question.set_request_id("late");
  question.set_attempt(2);
  v1::GetTransactionResponse standing;
  grpc::Status status = stub->GetTransaction(Within(absl::Seconds(10)).get(), question, &standing);
  EXPECT_EQ(status.error_code(), grpc::StatusCode::NOT_FOUND) << ToText(status);
  v1::ExecuteRequest request = InsertOf("late");
  request.set_attempt(1);
  v1::ExecuteResponse response;
  status = stub->Execute(Within(absl::Seconds(10)).get(), request, &response);
  EXPECT_EQ(status.error_code(), grpc::StatusCode::ABORTED) << ToText(status);
  EXPECT_EQ(DetailsOf(status).reason, "ATTEMPT_OUTDATED");
  EXPECT_EQ(DetailsOf(status)["outcome"], "NOT_STARTED");
  request.set_attempt(2);
  status = stub->Execute(Within(absl::Seconds(10)).get(), request, &response);
  EXPECT_TRUE(status.ok()) << ToText(status);
  status = stub->GetTransaction(Within(absl::Seconds(10)).get(), question, &standing);
  ASSERT_TRUE(status.ok()) << ToText(status);
  EXPECT_EQ(standing.outcome(), v1::OUTCOME_COMMITTED);
  EXPECT_EQ(standing.transaction_id(), response.transaction_id());
  EXPECT_EQ(standing.answer().results_size(), 2);
  EXPECT_EQ(standing.databases_size(), 2);
  EXPECT_TRUE(standing.has_decide_time());
  // What was committed is told to lower attempts too.
  question.set_attempt(3);
  status = stub->GetTransaction(Within(absl::Seconds(10)).get(), question, &standing);
  ASSERT_TRUE(status.ok()) << ToText(status);
  status = stub->Execute(Within(absl::Seconds(10)).get(), request, &response);
  ASSERT_TRUE(status.ok()) << ToText(status);
  EXPECT_TRUE(response.deduplicated());
  EXPECT_EQ(response.transaction_id(), standing.transaction_id());
}

TEST_F(RequestsTest, AnExpiredTryAndAnotherBodyAreRefused) {
  const auto stub = cluster_.Coordinator();
  v1::ExecuteRequest request = InsertOf("a");
  request.mutable_expire_time()->set_seconds(1);
  v1::ExecuteResponse response;
  grpc::Status status = stub->Execute(Within(absl::Seconds(10)).get(), request, &response);
  EXPECT_EQ(DetailsOf(status).reason, "REQUEST_EXPIRED") << ToText(status);
  EXPECT_EQ(status.error_code(), grpc::StatusCode::FAILED_PRECONDITION);
  request.mutable_expire_time()->set_seconds(absl::ToUnixSeconds(absl::Now()) + 25 * 3600);
  status = stub->Execute(Within(absl::Seconds(10)).get(), request, &response);
  EXPECT_EQ(DetailsOf(status).reason, "LIMIT_EXCEEDED") << ToText(status);
  request.mutable_expire_time()->set_seconds(absl::ToUnixSeconds(absl::Now()) + 23 * 3600);
  status = stub->Execute(Within(absl::Seconds(10)).get(), request, &response);
  EXPECT_TRUE(status.ok()) << ToText(status);
  // The timeout and the expire_time are no part of the body.
  request.clear_expire_time();
  request.mutable_timeout()->set_seconds(5);
  status = stub->Execute(Within(absl::Seconds(10)).get(), request, &response);
  EXPECT_TRUE(status.ok() && response.deduplicated()) << ToText(status);
  request.mutable_operations(0)->mutable_statements(0)->mutable_params(0)->set_text_value("b");
  status = stub->Execute(Within(absl::Seconds(10)).get(), request, &response);
  EXPECT_EQ(DetailsOf(status).reason, "REQUEST_ID_REUSED") << ToText(status);
  EXPECT_EQ(status.error_code(), grpc::StatusCode::INVALID_ARGUMENT);
  EXPECT_EQ(RowsOf("bank"), std::multiset<std::string>{"a"});
}

}  // namespace
}  // namespace lockstep::testing_support
