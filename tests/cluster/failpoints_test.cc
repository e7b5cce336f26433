// Processes end at every step of the protocol that can be named, and again at any step of the
// recovery from it, three deep; afterwards every transaction must have happened on all its
// participants or on none, as its client was told.
//
//   failpoints_test [--seconds N] [--depth N] [--seed N] [--chain FAILPOINT,FAILPOINT,...]
//
// Every failpoint comes first once, with others behind it that a seed draws; then chains of them go
// on until the time is over (LOCKSTEP_FAILPOINT_SECONDS; hours are possible). With --chain, that
// one only. LOCKSTEP_FAILPOINT_DEPTH: how many ends in a row (3).
#include <gtest/gtest.h>

#include <algorithm>
#include <csignal>
#include <cstdlib>
#include <cstring>
#include <iostream>
#include <map>
#include <random>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "absl/time/clock.h"
#include "tests/cluster/bank_audit.h"
#include "tests/cluster/bank_workload.h"
#include "tests/cluster/failpoint_orders.h"
#include "tests/support/process_cluster.h"

namespace lockstep::testing_support {
namespace {

constexpr absl::Duration kSettled = absl::Seconds(60);
// For the workload alone to bring a process to a failpoint; then it is helped.
constexpr absl::Duration kUnaided = absl::Seconds(1);
constexpr absl::Duration kAided = absl::Seconds(3);
constexpr size_t kChainsPerAudit = 20;
constexpr int kKilled = 128 + SIGKILL;

struct Plan {
  absl::Duration time = absl::ZeroDuration();
  size_t depth = 3;
  uint64_t seed = std::random_device{}();
  std::vector<std::string> chain;
};

Plan& ThePlan() {
  static Plan plan;
  return plan;
}

using Chain = std::vector<FailpointName>;

std::string TextOf(const Chain& chain) {
  return absl::StrJoin(chain, ",", [](std::string* out, const FailpointName& failpoint) {
    absl::StrAppend(out, failpoint.name);
  });
}

// Those that only the making of a new volume passes.
bool IsOfSetUp(const FailpointName& failpoint) { return failpoint.name.starts_with("set_up_"); }

Chain PointsOfWork() {
  Chain points = AllFailpoints();
  std::erase_if(points, IsOfSetUp);
  return points;
}

class FailpointsTest : public testing::Test {
 protected:
  // Ends one process after the other where the chain says. A failpoint behind the first that is not
  // reached in time counts for nothing; some are not part of every recovery.
  void Run(const Chain& chain) {
    SCOPED_TRACE(absl::StrCat("--chain ", TextOf(chain)));
    const size_t node = random_() % cluster_.size();
    for (size_t link = 0; link < chain.size(); ++link) {
      const size_t process = chain[link].of_coordinator ? cluster_.size() : node;
      const bool reached = EndAt(process, chain[link].name, /*must=*/link == 0);
      if (HasFailure()) return;
      if (!reached) break;
      ++reached_[chain[link].name];
      deepest_ = std::max(deepest_, link + 1);
      ++kills_by_depth_[link];
    }
    StartAllAgain();
  }

  // Whether the process ended there. Afterwards it is down, then, and everything else runs.
  bool EndAt(size_t process, const std::string& failpoint, bool must) {
    orders_.Arm(process, failpoint);
    StartAllAgain();
    const bool reached = HasEnded(process, kUnaided) ||
                         (must && EndsWhenHelped(process, failpoint)) ||
                         (orders_.Disarm(process) && HasEnded(process, kAided));
    EXPECT_TRUE(reached || !must) << cluster_.process_name(process) << " never comes to "
                                  << failpoint;
    return reached;
  }

  bool HasEnded(size_t process, absl::Duration limit) {
    const auto exit = cluster_.process(process).WaitForExit(limit);
    if (!exit) return false;
    EXPECT_TRUE(*exit == kKilled && orders_.Reached(process))
        << cluster_.process_name(process) << " ended by itself with " << *exit << ": "
        << cluster_.process(process).LogTail();
    return true;
  }

  // What leads to the rarer ones: a start, a start in doubt, a vote that is missing, quiet.
  bool EndsWhenHelped(size_t process, const std::string& failpoint) {
    for (int round = 0; round < 3; ++round) {
      Restart(process);
      if (HasEnded(process, kAided)) return true;
      if (process < cluster_.size() && StartsInDoubt(process, failpoint)) return true;
      Restart((process + 1) % cluster_.size());
      if (HasEnded(process, kAided)) return true;
      workload_.Stop();
      const bool ended = HasEnded(process, kAided);
      workload_.Start(kWriters, kReaders);
      if (ended || HasFailure()) return true;
    }
    return false;
  }

  bool StartsInDoubt(size_t process, const std::string& failpoint) {
    orders_.Arm(process, "prepare_synced");
    if (!HasEnded(process, kAided)) return false;
    orders_.Arm(process, failpoint);
    cluster_.process(process).Start();
    return HasEnded(process, kAided);
  }

  void Restart(size_t process) {
    cluster_.process(process).Kill();
    cluster_.process(process).Start();
  }

  void StartAllAgain() {
    for (size_t i = 0; i <= cluster_.size(); ++i) {
      if (const auto end = cluster_.process(i).Died()) {
        ADD_FAILURE() << cluster_.process_name(i) << " ended by itself: " << *end;
      }
    }
    cluster_.StartAll();
  }

  void Audit() {
    workload_.Stop();
    for (size_t i = 0; i <= cluster_.size(); ++i) orders_.Disarm(i);
    EXPECT_EQ(cluster_.WaitUntilSettled(kSettled).value_or(""), "");
    EXPECT_EQ(workload_.wrong_read(), "");
    if (!HasFailure()) audit_.Check(workload_.TakeTransfers());
  }

  // In parts, each of which ends with an audit.
  void RunAll(const std::vector<Chain>& chains) {
    for (size_t i = 0; i < chains.size() && !HasFailure();) {
      const size_t end = std::min(i + kChainsPerAudit, chains.size());
      workload_.Start(kWriters, kReaders);
      for (; i < end && !HasFailure(); ++i) Run(chains[i]);
      Audit();
    }
  }

  Chain Draw(Chain chain, size_t length) {
    const Chain all = PointsOfWork();
    while (chain.size() < length) chain.push_back(all[random_() % all.size()]);
    return chain;
  }

  void Report() const {
    size_t kills = 0;
    for (const auto& [depth, count] : kills_by_depth_) {
      kills += count;
      std::cout << count << " processes ended as number " << depth + 1 << " of their chain\n";
    }
    const WorkloadCounts counts = workload_.counts();
    std::cout << kills << " ends at " << reached_.size() << " failpoints, " << counts.committed
              << " committed, " << counts.aborted << " aborted, " << counts.unknown
              << " unknown (resolved: " << audit_.resolved().committed << " committed, "
              << audit_.resolved().aborted << " aborted), " << counts.reads << " reads, seed "
              << ThePlan().seed << std::endl;
  }

  static constexpr int kWriters = 8;
  static constexpr int kReaders = 2;

  ProcessCluster cluster_{FiveNodes(), {.has_failpoints = true}};
  FailpointOrders orders_{&cluster_};
  std::mt19937_64 random_{ThePlan().seed};
  BankWorkload workload_{&cluster_, ThePlan().seed};
  BankAudit audit_{&cluster_};
  std::map<std::string, int> reached_;
  std::map<size_t, size_t> kills_by_depth_;
  size_t deepest_ = 0;
};

TEST_F(FailpointsTest, WhereverProcessesEndThreeTimesInARowEveryTransferIsWholeAndAsItWasTold) {
  const Plan& plan = ThePlan();
  std::cout << "seed " << plan.seed << std::endl;
  cluster_.StartAll();
  ASSERT_EQ(cluster_.WaitUntilSettled(kSettled).value_or(""), "");
  workload_.CreateTables();
  ASSERT_FALSE(HasFatalFailure());
  std::vector<Chain> chains;
  for (const FailpointName& first : PointsOfWork()) {
    if (!plan.chain.empty() && first.name != plan.chain[0]) continue;
    chains.push_back(Draw({first}, plan.chain.empty() ? plan.depth : 1));
  }
  if (!plan.chain.empty()) {
    const Chain all = AllFailpoints();
    for (size_t i = 1; i < plan.chain.size(); ++i) {
      const auto found = std::find_if(all.begin(), all.end(), [&](const FailpointName& failpoint) {
        return failpoint.name == plan.chain[i];
      });
      ASSERT_NE(found, all.end()) << plan.chain[i];
      chains[0].push_back(*found);
    }
  }
  const absl::Time end = absl::Now() + plan.time;
  RunAll(chains);
  while (plan.chain.empty() && !HasFailure() && absl::Now() < end) {
    std::vector<Chain> more;
    while (more.size() < kChainsPerAudit) more.push_back(Draw({}, plan.depth));
    RunAll(more);
  }
  Report();
  if (HasFailure()) return;
  const WorkloadCounts counts = workload_.counts();
  EXPECT_EQ(audit_.resolved().committed + audit_.resolved().aborted, counts.unknown);
  EXPECT_EQ(deepest_, std::max(plan.depth, plan.chain.size()));
}

// A first start that is cut off leaves a volume that the next one takes for a new one, or for its
// own; never one that cannot be started.
TEST(SetUpFailpointsTest, AVolumeWhoseFirstStartEndedAnywhereIsSetUpByALaterStart) {
  for (const FailpointName& failpoint : AllFailpoints()) {
    if (!IsOfSetUp(failpoint) && !failpoint.name.starts_with("start_")) continue;
    SCOPED_TRACE(failpoint.name);
    ProcessCluster cluster({{"stock-1", "stock", true}}, {.has_failpoints = true});
    FailpointOrders orders(&cluster);
    cluster.coordinator().Start();
    for (int depth = 0; depth < 3; ++depth) {
      orders.Arm(0, failpoint.name);
      cluster.participant(0).Start();
      const auto exit = cluster.participant(0).WaitForExit(absl::Seconds(3));
      EXPECT_TRUE(exit == kKilled || (!exit && depth > 0)) << cluster.participant(0).LogTail();
      if (!exit) cluster.participant(0).Kill();
    }
    orders.Disarm(0);
    cluster.StartAll();
    EXPECT_EQ(cluster.WaitUntilSettled(kSettled).value_or(""), "");
  }
}

}  // namespace
}  // namespace lockstep::testing_support

int main(int argc, char** argv) {
  testing::InitGoogleTest(&argc, argv);
  auto& plan = lockstep::testing_support::ThePlan();
  const char* seconds = std::getenv("LOCKSTEP_FAILPOINT_SECONDS");
  const char* depth = std::getenv("LOCKSTEP_FAILPOINT_DEPTH");
  if (seconds != nullptr) plan.time = absl::Seconds(std::atoi(seconds));
  if (depth != nullptr) plan.depth = std::strtoull(depth, nullptr, 10);
  for (int i = 1; i < argc; i += 2) {
    const std::string option = argv[i];
    const char* value = i + 1 < argc ? argv[i + 1] : nullptr;
    if (option == "--seconds" && value != nullptr) {
      plan.time = absl::Seconds(std::atoi(value));
    } else if (option == "--depth" && value != nullptr) {
      plan.depth = std::strtoull(value, nullptr, 10);
    } else if (option == "--seed" && value != nullptr) {
      plan.seed = std::strtoull(value, nullptr, 10);
    } else if (option == "--chain" && value != nullptr) {
      plan.chain = absl::StrSplit(value, ',');
    } else {
      std::cerr << "usage: failpoints_test [--seconds N] [--depth N] [--seed N] [--chain A,B,C]\n";
      return 2;
    }
  }
  return RUN_ALL_TESTS();
}
