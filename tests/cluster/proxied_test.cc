// That a cluster behind a FaultProxy and with shims suffers what a test asks for.
#include <gtest/gtest.h>

#include "absl/time/clock.h"
#include "tests/support/process_cluster.h"

namespace lockstep::testing_support {
namespace {

constexpr absl::Duration kInTime = absl::Seconds(30);

class ProxiedTest : public testing::Test {
 protected:
  ProxiedTest()
      : cluster_({{"bank-1", "bank", true}, {"stock-1", "stock", true}},
                 {.has_proxy = true, .has_shims = true}) {}

  void StartAndSettle() {
    cluster_.StartAll();
    ASSERT_EQ(cluster_.WaitUntilSettled(kInTime).value_or(""), "");
  }

  grpc::Status Execute(const std::string& sql, uint32_t attempt, v1::ExecuteResponse* response) {
    v1::ExecuteRequest request;
    request.set_request_id("only");
    if (attempt == 0) request.clear_request_id();
    if (attempt > 0) request.set_attempt(attempt);
    for (const char* database : {"bank", "stock"}) {
      v1::Operation* operation = request.add_operations();
      operation->set_database(database);
      operation->add_statements()->set_sql(sql);
    }
    return stub_->Execute(Within(kInTime, /*wait_for_ready=*/true).get(), request, response);
  }

  v1::ExecuteResponse ExecuteOnce(const std::string& sql) {
    v1::ExecuteResponse response;
    const grpc::Status status = Execute(sql, 0, &response);
    EXPECT_TRUE(status.ok()) << ToText(status);
    return response;
  }

  ProcessCluster cluster_;
  std::unique_ptr<v1::CoordinatorService::Stub> stub_ = cluster_.Coordinator();
};

TEST_F(ProxiedTest, R18_WhatWasCommittedAndWhoseAnswerWasLostIsAnsweredToTheRetry) {
  StartAndSettle();
  ExecuteOnce("CREATE TABLE t(a INTEGER)");
  cluster_.proxy().CutNextAnswer(cluster_.link(cluster_.size()));
  v1::ExecuteResponse response;
  const grpc::Status lost = Execute("INSERT INTO t VALUES (1)", 1, &response);
  EXPECT_FALSE(lost.ok());
  EXPECT_EQ(DetailsOf(lost).reason, "") << ToText(lost);
  const grpc::Status again = Execute("INSERT INTO t VALUES (1)", 2, &response);
  EXPECT_TRUE(again.ok()) << ToText(again);
  EXPECT_TRUE(response.deduplicated());
}

TEST_F(ProxiedTest, AParticipantThatMovedIsFoundAtItsNewAddress) {
  StartAndSettle();
  ExecuteOnce("CREATE TABLE t(a INTEGER)");
  cluster_.participant(0).Kill();
  cluster_.coordinator().Kill();
  const std::string before = cluster_.participant_address(0);
  cluster_.Move(0);
  EXPECT_NE(cluster_.participant_address(0), before);
  StartAndSettle();
  ExecuteOnce("INSERT INTO t VALUES (1)");
}

TEST_F(ProxiedTest, AWallClockIsShiftedAndASyncIsSlow) {
  if (cluster_.shim(0) == nullptr) GTEST_SKIP() << "no shims under a sanitizer";
  cluster_.shim(cluster_.size())->SetClockOffset(absl::Hours(-48));
  StartAndSettle();
  v1::GetClusterStatusResponse status;
  ASSERT_TRUE(stub_->GetClusterStatus(Within(kInTime).get(), {}, &status).ok());
  const absl::Time told = absl::FromUnixSeconds(status.start_time().seconds());
  EXPECT_LT(told, absl::Now() - absl::Hours(47));
  EXPECT_GT(told, absl::Now() - absl::Hours(49));
  cluster_.shim(1)->SetSyncDelay(absl::Milliseconds(300));
  const v1::ExecuteResponse response = ExecuteOnce("CREATE TABLE t(a INTEGER)");
  ASSERT_EQ(response.participants_size(), 2);
  EXPECT_GE(response.participants(1).sync_time().nanos(), 300'000'000)
      << response.ShortDebugString();
}

}  // namespace
}  // namespace lockstep::testing_support
