// What clients are told when the coordinator is stopped while a transaction cannot be decided.
#include <gtest/gtest.h>

#include <thread>

#include "tests/support/process_cluster.h"

namespace lockstep::testing_support {
namespace {

TEST(StopTest, AClientWhoseTransactionIsNotDecidedLearnsItsName) {
  ProcessCluster cluster({{"bank-1", "bank", true}});
  cluster.StartAll();
  ASSERT_EQ(cluster.WaitUntilSettled(absl::Seconds(30)).value_or(""), "");
  const auto stub = cluster.Coordinator();
  cluster.participant(0).Freeze();
  grpc::Status status;
  std::thread client([&] {
    v1::ExecuteRequest request;
    v1::Operation* operation = request.add_operations();
    operation->set_database("bank");
    operation->add_statements()->set_sql("CREATE TABLE t(a)");
    request.mutable_timeout()->set_seconds(50);
    v1::ExecuteResponse response;
    status = stub->Execute(Within(absl::Seconds(60), true).get(), request, &response);
  });
  const bool in_a_round = Eventually(absl::Seconds(20), [&] {
    v1::GetClusterStatusResponse response;
    stub->GetClusterStatus(Within(absl::Seconds(5), true).get(), {}, &response);
    return response.rounds_in_flight() == 1;
  });
  cluster.coordinator().Terminate();
  const auto exit = cluster.coordinator().WaitForExit(absl::Seconds(30));
  client.join();
  EXPECT_TRUE(in_a_round);
  EXPECT_EQ(exit.value_or(-1), 0);
  const ErrorDetails details = DetailsOf(status);
  EXPECT_EQ(details.reason, "OUTCOME_UNKNOWN") << ToText(status);
  EXPECT_EQ(details["outcome"], "UNKNOWN");
  EXPECT_EQ(details["transaction_id"], "1-1");
}

}  // namespace
}  // namespace lockstep::testing_support
