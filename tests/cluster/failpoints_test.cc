// Processes end at every step of the protocol that can be named, and again at any step of the
// recovery from it, three deep; afterwards every transaction must have happened on all its
// participants or on none, as its client was told.
//
//   failpoints_test [--seconds N] [--depth N] [--seed N] [--chain NODE:FAILPOINT,.../...]
//
// Every failpoint comes first once, with others behind it that a seed draws, each pair once before
// any comes again; then chains of them go on until the time is over (LOCKSTEP_FAILPOINT_SECONDS;
// hours are possible). An end counts as one in a recovery only if that was not over yet. With
// --chain, those only. LOCKSTEP_FAILPOINT_DEPTH: how many ends in a row (3).
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
#include "tests/cluster/failpoint_chains.h"
#include "tests/cluster/failpoint_orders.h"
#include "tests/cluster/recovery_watch.h"
#include "tests/support/process_cluster.h"
#include "tests/support/repeat.h"

namespace lockstep::testing_support {
namespace {

constexpr absl::Duration kSettled = absl::Seconds(60);
// For the workload alone to bring a process to a failpoint; then it is helped.
constexpr absl::Duration kUnaided = absl::Seconds(1);
constexpr absl::Duration kAided = absl::Seconds(3);
// Several rounds of help, for any one may be in vain.
constexpr absl::Duration kHelped = absl::Seconds(90);
// A recovery that takes longer is left alone; whether it ends at all the audit tells.
constexpr absl::Duration kRecovers = absl::Seconds(5);
// Between two looks whether it is over.
constexpr absl::Duration kLook = absl::Milliseconds(5);
constexpr size_t kFirstsPerAudit = 20;
// How many chains begin at one failpoint, until one is as deep as wanted.
constexpr int kTriesPerFirst = 5;
// Of a given chain: not every recovery passes a failpoint.
constexpr int kTriesOfGiven = 20;
constexpr int kKilled = 128 + SIGKILL;

struct Plan {
  absl::Duration time = absl::ZeroDuration();
  size_t depth = 3;
  uint64_t seed = std::random_device{}();
  std::vector<NodeChain> chains;
};

Plan& ThePlan() {
  static Plan plan;
  return plan;
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
  void RunFrom(const FailpointName& first) {
    const size_t node = random_() % cluster_.size();
    for (int i = 0; i < kTriesPerFirst && !HasFailure(); ++i) {
      // What is rare comes once.
      const size_t ends =
          RunChain(node, first, /*must=*/i == 0, ThePlan().depth,
                   [this](const Chain& done) { return pairs_.Draw(done.back().name); });
      if (ends == 0 || ends == ThePlan().depth) return;
    }
  }
  void RunGiven(const NodeChain& given) {
    ASSERT_LT(given.node, cluster_.size());
    const Chain& chain = given.chain;
    for (int i = 0; i < kTriesOfGiven && !HasFailure(); ++i) {
      const size_t ends = RunChain(given.node, chain[0], /*must=*/true, chain.size(),
                                   [&](const Chain& done) { return chain[done.size()]; });
      if (ends == chain.size()) return;
    }
    ADD_FAILURE() << TextOf(given) << " does not come about";
  }
  // Ends one process after the other, each in the recovery from the one before, as long as it comes
  // where it is to end. `next` tells where, from what is done. Returns how many ended.
  template <typename Next>
  size_t RunChain(size_t node, const FailpointName& first, bool must, size_t depth, Next next) {
    Chain done;
    // Also where it fails: the chain is to be told.
    if (EndAt(ProcessOf(first, node), first.name, must) || HasFailure()) done.push_back(first);
    while (!done.empty() && done.size() < depth && !HasFailure()) {
      const FailpointName point = next(done);
      if (!EndInRecovery(done.back(), point, node) && !HasFailure()) break;
      done.push_back(point);
    }
    Finish(done, node);
    return done.size();
  }
  void Finish(const Chain& chain, size_t node) {
    StartAllAgain();
    for (size_t depth = 0; depth < chain.size(); ++depth) {
      ++reached_[chain[depth].name];
      ++kills_by_depth_[depth];
    }
    if (!chain.empty()) since_audit_.push_back(TextOf({node, chain}));
  }

  size_t ProcessOf(const FailpointName& failpoint, size_t node) const {
    return failpoint.of_coordinator ? cluster_.size() : node;
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
  // Likewise, and the process that ended at `last` had not recovered by then; that one is down.
  bool EndInRecovery(const FailpointName& last, const FailpointName& next, size_t node) {
    const size_t process = ProcessOf(next, node);
    recovery_.Begin(ProcessOf(last, node));
    orders_.Arm(process, next.name);
    StartAllAgain();
    const absl::Time end = absl::Now() + kRecovers;
    bool ended = false;
    while (!ended && !recovery_.IsOver() && absl::Now() < end) ended = HasEnded(process, kLook);
    ended = ended || IsEnding(process);
    if (!ended) return false;
    if (recovery_.IsOver()) {
      // It came too late, and is the first of a chain of its own.
      Finish({next}, node);
      return false;
    }
    pairs_.Met(last.name, next.name);
    return true;
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
      const size_t end = std::min(i + kFirstsPerAudit, firsts.size());
      Part([&] {
        for (; i < end && !HasFailure(); ++i) RunFrom(firsts[i]);
      });
    }
  }
  static void RepeatWithSeed(const std::string& more = "") {
    const testing::TestInfo& test = *testing::UnitTest::GetInstance()->current_test_info();
    RepeatByArguments(absl::StrCat("--gtest_filter=", test.test_suite_name(), ".", test.name(),
                                   " --seed ", ThePlan().seed, more));
  }
  template <typename Body>
  void Part(Body body) {
    since_audit_.clear();
    workload_.Start(kWriters, kReaders);
    body();
    Audit();
    if (!HasFailure()) return;
    RepeatWithSeed(absl::StrCat(" --chain ", absl::StrJoin(since_audit_, "/")));
  }

  void RunGivenChains() {
    Part([&] {
      for (const NodeChain& given : ThePlan().chains) RunGiven(given);
    });
    Report();
  }

  void Report() const {
    size_t kills = 0;
    for (const auto& [depth, count] : kills_by_depth_) {
      kills += count;
      std::cout << count << " processes ended as number " << depth + 1
                << (depth == 0 ? " of their chain\n"
                               : " of their chain, in the recovery from the one before\n");
    }
    const WorkloadCounts counts = workload_.counts();
    std::cout << pairs_.Report() << '\n'
              << kills << " ends at " << reached_.size() << " failpoints, " << counts.committed
              << " committed, " << counts.aborted << " aborted, " << counts.unknown
              << " unknown (resolved: " << audit_.resolved().committed << " committed, "
              << audit_.resolved().aborted << " aborted; " << audit_.resolved().found
              << " told by GetTransaction), " << counts.reads << " reads, seed " << ThePlan().seed
              << std::endl;
  }

  static constexpr int kWriters = 8;
  static constexpr int kReaders = 2;

  ProcessCluster cluster_{FiveNodes(), {.has_failpoints = true}};
  FailpointOrders orders_{&cluster_};
  RecoveryWatch recovery_{&cluster_, &orders_};
  std::mt19937_64 random_{ThePlan().seed};
  FailpointPairs pairs_{PointsOfWork(), ThePlan().seed + 1};
  BankWorkload workload_{&cluster_, ThePlan().seed};
  BankAudit audit_{&cluster_};
  std::map<std::string, int> reached_;
  std::map<size_t, size_t> kills_by_depth_;
  std::vector<std::string> since_audit_;
};

TEST_F(FailpointsTest, WhereverProcessesEndThreeTimesInARowEveryTransferIsWholeAndAsItWasTold) {
  const Plan& plan = ThePlan();
  RepeatWithSeed();
  std::cout << "to repeat: " << RepeatCommand() << std::endl;
  cluster_.StartAll();
  ASSERT_EQ(cluster_.WaitUntilSettled(kSettled).value_or(""), "");
  workload_.CreateTables();
  ASSERT_FALSE(HasFatalFailure());
  if (!plan.chains.empty()) return RunGivenChains();
  const absl::Time end = absl::Now() + plan.time;
  const Chain all = PointsOfWork();
  RunAll(all);
  // Later on mostly pairs are left that never come about.
  for (size_t depth = 1; depth < plan.depth && !HasFailure(); ++depth) {
    EXPECT_GE(2 * kills_by_depth_[depth], all.size()) << "too few in the recovery";
  }
  while (!HasFailure() && absl::Now() < end) {
    Chain more = pairs_.InOrderOfNeed();
    more.resize(std::min(more.size(), kFirstsPerAudit));
    RunAll(more);
  }
  Report();
  if (HasFailure()) return;
  const WorkloadCounts counts = workload_.counts();
  EXPECT_EQ(audit_.resolved().committed + audit_.resolved().aborted, counts.unknown);
  // Every other one has a name to ask by.
  EXPECT_TRUE(audit_.resolved().found > 0 || counts.unknown < 30);
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
      // The first time it comes there; what was set up then is not set up again.
      const auto exit =
          cluster.participant(0).WaitForExit(depth == 0 ? kSettled : absl::Seconds(3));
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
      for (const absl::string_view text : absl::StrSplit(value, '/')) {
        plan.chains.push_back(lockstep::testing_support::ParseChain(std::string(text)));
        if (!plan.chains.back().chain.empty()) continue;
        std::cerr << "no chain: " << text << "\n";
        return 2;
      }
    } else {
      std::cerr << "usage: failpoints_test [--seconds N] [--depth N] [--seed N] [--chain "
                   "NODE:A,B,C/...]\n";
      return 2;
    }
  }
  return RUN_ALL_TESTS();
}
