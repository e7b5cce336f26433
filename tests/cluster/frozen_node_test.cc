// A node stands still just before its vote leaves it, or just behind its answer, for longer than
// the coordinator waits, and then goes on as if nothing had been.
#include <gtest/gtest.h>

#include <cstdint>
#include <random>
#include <string>

#include "absl/time/clock.h"
#include "tests/cluster/bank_audit.h"
#include "tests/cluster/bank_workload.h"
#include "tests/cluster/failpoint_orders.h"
#include "tests/support/process_cluster.h"
#include "tests/support/seed.h"

namespace lockstep::testing_support {
namespace {

constexpr absl::Duration kSettled = absl::Seconds(60);
constexpr absl::Duration kComesThere = absl::Seconds(20);
// Above the coordinator's limit of silence, and the 10 s that transactions have.
constexpr absl::Duration kFrozen = absl::Seconds(12);

class FrozenNodeTest : public testing::TestWithParam<std::string> {
 protected:
  bool ComesThere(size_t node) {
    const absl::Time end = absl::Now() + kComesThere;
    while (!orders_.Reached(node) && absl::Now() < end) {
      workload_.WaitForCommits(1, absl::Milliseconds(20));
    }
    return orders_.Reached(node);
  }
  // Others go on meanwhile.
  void PassTimeFrozen() {
    const absl::Time end = absl::Now() + kFrozen;
    while (absl::Now() < end) workload_.WaitForCommits(1'000'000, end - absl::Now());
  }
  // As the coordinator sees it.
  v1::State StateOf(size_t node) {
    v1::GetClusterStatusResponse response;
    const grpc::Status status =
        cluster_.Coordinator()->GetClusterStatus(Within(absl::Seconds(5)).get(), {}, &response);
    EXPECT_TRUE(status.ok()) << ToText(status);
    for (const v1::ParticipantStatus& participant : response.participants()) {
      if (participant.node_id() == cluster_.process_name(node)) return participant.state();
    }
    return v1::STATE_UNSPECIFIED;
  }

  const uint64_t seed_ = SeedOfTest();
  ProcessCluster cluster_{FiveNodes(), {.has_failpoints = true}};
  FailpointOrders orders_{&cluster_};
  BankWorkload workload_{&cluster_, seed_};
  BankAudit audit_{&cluster_};
};

TEST_P(FrozenNodeTest, EveryTransferIsWholeAndAsItWasTold) {
  cluster_.StartAll();
  ASSERT_EQ(cluster_.WaitUntilSettled(kSettled).value_or(""), "");
  workload_.CreateTables();
  const size_t node = std::mt19937_64(seed_)() % cluster_.size();
  SCOPED_TRACE(cluster_.process_name(node));
  workload_.Start(/*writers=*/8, /*readers=*/2);
  ASSERT_TRUE(workload_.WaitForCommits(10, absl::Seconds(20)));
  orders_.ArmFreeze(node, GetParam());
  ASSERT_TRUE(ComesThere(node));
  PassTimeFrozen();
  EXPECT_EQ(StateOf(node), v1::STATE_UNREACHABLE) << "is it frozen at all?";
  cluster_.process(node).Thaw();
  EXPECT_TRUE(workload_.WaitForCommits(10, absl::Seconds(30)));
  workload_.Stop();
  ASSERT_EQ(cluster_.WaitUntilSettled(kSettled).value_or(""), "");
  EXPECT_EQ(workload_.wrong_read(), "");
  audit_.Check(workload_.TakeTransfers());
}

INSTANTIATE_TEST_SUITE_P(Failpoints, FrozenNodeTest,
                         testing::Values("prepare_synced", "commit_answered"),
                         [](const auto& p) { return p.param; });

}  // namespace
}  // namespace lockstep::testing_support
