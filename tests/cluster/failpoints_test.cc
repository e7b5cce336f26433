// Processes end at every step of the protocol that can be named, and again at any step of the
// recovery from it, three deep; afterwards every transaction must have happened on all its
// participants or on none, as its client was told.
//
//   failpoints_test [--seconds N] [--depth N] [--seed N] [--chain FAILPOINT,... --node N]
//
// Every failpoint comes first once, with others behind it that a seed draws, mostly from those that
// a recovery was seen to pass; then chains of them go on until the time is over
// (LOCKSTEP_FAILPOINT_SECONDS; hours are possible). With --chain, that one only, at that node or at
// any. LOCKSTEP_FAILPOINT_DEPTH: how many ends in a row (3).
#include <gtest/gtest.h>

#include <algorithm>
#include <csignal>
#include <cstdlib>
#include <cstring>
#include <iostream>
#include <map>
#include <optional>
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
// Several rounds of help, for any one may be in vain.
constexpr absl::Duration kHelped = absl::Seconds(90);
constexpr size_t kChainsPerAudit = 20;
// How many others are tried where the recovery does not pass a failpoint in time.
constexpr int kTriesPerLink = 4;
constexpr int kKilled = 128 + SIGKILL;

struct Plan {
  absl::Duration time = absl::ZeroDuration();
  size_t depth = 3;
  uint64_t seed = std::random_device{}();
  std::vector<std::string> chain;
  std::optional<size_t> node;
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
  // Ends one process after the other: first where it is said, then where the recovery passes.
  void RunFrom(const FailpointName& first) {
    Chain done = {first};
    const size_t node = random_() % cluster_.size();
    if (EndAt(ProcessOf(first, node), first.name, /*must=*/true)) {
      Count(first, 0);
      while (done.size() < ThePlan().depth && EndInRecovery(node, &done)) {
      }
    }
    StartAllAgain();
    Remember(done, node);
  }
  bool EndInRecovery(size_t node, Chain* done) {
    for (int i = 0; i < kTriesPerLink && !HasFailure(); ++i) {
      const FailpointName next = DrawNext();
      if (!EndAt(ProcessOf(next, node), next.name, /*must=*/false)) continue;
      Count(next, done->size());
      done->push_back(next);
      return true;
    }
    return false;
  }
  // All of them are needed.
  void RunExactly(const Chain& chain, size_t node) {
    for (size_t link = 0; link < chain.size() && !HasFailure(); ++link) {
      if (!EndAt(ProcessOf(chain[link], node), chain[link].name, /*must=*/true)) return;
      Count(chain[link], link);
    }
    StartAllAgain();
    Remember(chain, node);
  }

  size_t ProcessOf(const FailpointName& failpoint, size_t node) const {
    return failpoint.of_coordinator ? cluster_.size() : node;
  }
  void Count(const FailpointName& failpoint, size_t depth) {
    ++reached_[failpoint.name];
    ++kills_by_depth_[depth];
    if (depth > 0) reached_in_recovery_.emplace(failpoint.name, failpoint);
  }
  void Remember(const Chain& chain, size_t node) {
    since_audit_.push_back(absl::StrCat("--chain ", TextOf(chain), " --node ", node));
  }
  // Any, and every other time one that a recovery has passed before.
  FailpointName DrawNext() {
    if (!reached_in_recovery_.empty() && random_() % 2 == 0) {
      auto place = reached_in_recovery_.begin();
      std::advance(place, random_() % reached_in_recovery_.size());
      return place->second;
    }
    const Chain all = PointsOfWork();
    return all[random_() % all.size()];
  }

  // Whether the process ended there. Afterwards it is down, then, and everything else runs.
  bool EndAt(size_t process, const std::string& failpoint, bool must) {
    orders_.Arm(process, failpoint);
    StartAllAgain();
    const bool reached = HasEnded(process, kUnaided) ||
                         (must && EndsWhenHelped(process, failpoint)) || IsEnding(process);
    EXPECT_TRUE(reached || !must) << cluster_.process_name(process) << " never comes to "
                                  << failpoint;
    return reached;
  }

  // Takes the order back, unless the process is just about to follow it.
  bool IsEnding(size_t process) { return orders_.Disarm(process) && HasEnded(process, kAided); }

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
    const absl::Time end = absl::Now() + kHelped;
    while (absl::Now() < end) {
      Restart(process);
      if (HasEnded(process, kAided)) return true;
      if (process < cluster_.size() && StartsInDoubt(process, failpoint)) return true;
      Restart((process + 1) % cluster_.size());
      if (HasEnded(process, kAided)) return true;
      if (EndsWhenQuiet(process) || HasFailure()) return true;
    }
    return false;
  }

  // After much was written a process that is left alone makes a checkpoint, and after little it
  // syncs the last commit.
  bool EndsWhenQuiet(size_t process) {
    workload_.Stop();
    bool ended = HasEnded(process, kAided);
    if (!ended) {
      workload_.Start(/*writers=*/1, /*readers=*/0);
      workload_.WaitForCommits(3, kAided);
      workload_.Stop();
      ended = HasEnded(process, kAided);
    }
    workload_.Start(kWriters, kReaders);
    return ended;
  }

  bool StartsInDoubt(size_t process, const std::string& failpoint) {
    orders_.Arm(process, "prepare_synced");
    const bool is_in_doubt = HasEnded(process, kAided) || IsEnding(process);
    orders_.Arm(process, failpoint);
    if (!is_in_doubt) return false;
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
  void RunAll(const Chain& firsts) {
    for (size_t i = 0; i < firsts.size() && !HasFailure();) {
      const size_t end = std::min(i + kChainsPerAudit, firsts.size());
      Part([&] {
        for (; i < end && !HasFailure(); ++i) RunFrom(firsts[i]);
      });
    }
  }
  template <typename Body>
  void Part(Body body) {
    since_audit_.clear();
    workload_.Start(kWriters, kReaders);
    body();
    Audit();
    if (!HasFailure()) return;
    ADD_FAILURE()
        << "it was one of these, the last one first, or something between them; all with --seed "
        << ThePlan().seed << ":\n"
        << absl::StrJoin(since_audit_.rbegin(), since_audit_.rend(), "\n");
  }

  void RunGivenChain() {
    const Chain all = AllFailpoints();
    Chain chain;
    for (const std::string& name : ThePlan().chain) {
      const auto found = std::find_if(all.begin(), all.end(), [&](const FailpointName& failpoint) {
        return failpoint.name == name;
      });
      ASSERT_NE(found, all.end()) << name;
      chain.push_back(*found);
    }
    Part([&] { RunExactly(chain, ThePlan().node.value_or(random_() % cluster_.size())); });
    Report();
  }

  void Report() const {
    size_t kills = 0;
    for (const auto& [depth, count] : kills_by_depth_) {
      kills += count;
      std::cout << count << " processes ended as number " << depth + 1 << " of their chain\n";
    }
    std::cout << "in a recovery: " << reached_in_recovery_.size() << " failpoints, and never:";
    for (const FailpointName& failpoint : PointsOfWork()) {
      if (!reached_in_recovery_.contains(failpoint.name)) std::cout << ' ' << failpoint.name;
    }
    const WorkloadCounts counts = workload_.counts();
    std::cout << '\n'
              << kills << " ends at " << reached_.size() << " failpoints, " << counts.committed
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
  std::map<std::string, FailpointName> reached_in_recovery_;
  std::map<size_t, size_t> kills_by_depth_;
  std::vector<std::string> since_audit_;
};

TEST_F(FailpointsTest, WhereverProcessesEndThreeTimesInARowEveryTransferIsWholeAndAsItWasTold) {
  const Plan& plan = ThePlan();
  std::cout << "seed " << plan.seed << std::endl;
  cluster_.StartAll();
  ASSERT_EQ(cluster_.WaitUntilSettled(kSettled).value_or(""), "");
  workload_.CreateTables();
  ASSERT_FALSE(HasFatalFailure());
  if (!plan.chain.empty()) return RunGivenChain();
  const Chain all = PointsOfWork();
  const absl::Time end = absl::Now() + plan.time;
  RunAll(all);
  while (!HasFailure() && absl::Now() < end) {
    Chain more;
    while (more.size() < kChainsPerAudit) more.push_back(all[random_() % all.size()]);
    RunAll(more);
  }
  Report();
  if (HasFailure()) return;
  const WorkloadCounts counts = workload_.counts();
  EXPECT_EQ(audit_.resolved().committed + audit_.resolved().aborted, counts.unknown);
  for (size_t depth = 1; depth < plan.depth; ++depth) {
    EXPECT_GE(2 * kills_by_depth_[depth], kills_by_depth_[0]) << "too few in the recovery";
  }
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
    } else if (option == "--node" && value != nullptr) {
      plan.node = std::strtoull(value, nullptr, 10);
    } else {
      std::cerr << "usage: failpoints_test [--seconds N] [--depth N] [--seed N] [--chain A,B,C "
                   "--node N]\n";
      return 2;
    }
  }
  return RUN_ALL_TESTS();
}
