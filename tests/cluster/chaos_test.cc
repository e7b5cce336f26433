// Processes of a cluster are killed at random moments under a workload; afterwards every
// transaction must have happened on all its participants or on none, as its client was told.
//
//   chaos_test [--kills N] [--seconds N] [--seed N]
//
// N processes are killed with kill -9 (200, or LOCKSTEP_KILLS), and more until the time is over
// (LOCKSTEP_CHAOS_SECONDS; hours are possible). A planned stop is no kill, and counted apart.
#include <gtest/gtest.h>
#include <sqlite3.h>

#include <algorithm>
#include <csignal>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <random>
#include <set>

#include "absl/time/clock.h"
#include "tests/cluster/bank_audit.h"
#include "tests/cluster/bank_workload.h"
#include "tests/support/process_cluster.h"

namespace lockstep::testing_support {
namespace {

// Between two audits.
constexpr int kKillsAtOnce = 100;
// From the last restart until nothing is in doubt.
constexpr absl::Duration kSettled = absl::Seconds(30);

struct Plan {
  int kills = 200;                             // at least
  absl::Duration time = absl::ZeroDuration();  // at least
  uint64_t seed = std::random_device{}();
};

Plan& ThePlan() {
  static Plan plan;
  return plan;
}

// Kills one or several at a time, sometimes all: that is what a power cut does to processes. Now
// and then it asks one to stop instead, as an operator does.
class Nemesis {
 public:
  Nemesis(ProcessCluster* cluster, BankWorkload* workload, uint64_t seed)
      : cluster_(*cluster), workload_(*workload), random_(seed) {}

  int kills() const { return kills_; }  // kill -9 only
  int coordinator_kills() const { return coordinator_kills_; }
  int stops() const { return stops_; }
  absl::Time last_start() const { return last_start_; }

  void Strike() {
    // Mostly a cluster that works; now and then one that is still busy with the last blow.
    if (random_() % 4 != 0) workload_.WaitForCommits(1, absl::Seconds(10));
    workload_.WaitForCommits(static_cast<int64_t>(random_() % 200), Moment());
    const std::set<size_t> victims = Victims();
    const bool planned = random_() % 8 == 0;
    for (const size_t victim : victims) {
      if (const auto end = cluster_.process(victim).Died()) {
        ADD_FAILURE() << cluster_.process_name(victim) << " ended by itself: " << *end;
        return;
      }
      planned ? Stop(victim) : Kill(victim);
    }
    workload_.WaitForCommits(static_cast<int64_t>(random_() % 50), Moment());
    for (const size_t victim : victims) cluster_.process(victim).Start();
    last_start_ = absl::Now();
  }

 private:
  std::set<size_t> Victims() {
    std::set<size_t> victims = {Victim()};
    const uint64_t dice = random_() % 20;
    if (dice < 4) victims.insert(Victim());
    if (dice == 0) {
      for (size_t i = 0; i <= cluster_.size(); ++i) victims.insert(i);
    }
    return victims;
  }
  // The coordinator is one of six, and the interesting one.
  size_t Victim() { return random_() % 4 == 0 ? cluster_.size() : random_() % cluster_.size(); }
  void Kill(size_t victim) {
    cluster_.process(victim).Kill();
    ++kills_;
    if (victim == cluster_.size()) ++coordinator_kills_;
  }
  void Stop(size_t victim) {
    Process& process = cluster_.process(victim);
    process.Terminate();
    const auto exit = process.WaitForExit(absl::Seconds(20));
    // One that has only just been started may not have come as far as to take the signal in order.
    EXPECT_TRUE(exit == 0 || exit == 128 + SIGTERM)
        << cluster_.process_name(victim) << " exits with " << exit.value_or(-1) << ": "
        << process.LogTail();
    if (process.started()) process.Kill();
    ++stops_;
  }
  absl::Duration Moment() { return absl::Milliseconds(random_() % 400); }

  ProcessCluster& cluster_;
  BankWorkload& workload_;
  std::mt19937_64 random_;
  int kills_ = 0;
  int coordinator_kills_ = 0;
  int stops_ = 0;
  absl::Time last_start_;
};

bool IsSqliteFile(const std::filesystem::path& path) {
  char head[16] = {};
  std::ifstream(path, std::ios::binary).read(head, sizeof(head));
  return std::memcmp(head, "SQLite format 3", sizeof(head)) == 0;
}

std::string IntegrityOf(const std::filesystem::path& path) {
  sqlite3* database = nullptr;
  std::string answer = "cannot be opened";
  if (sqlite3_open_v2(path.c_str(), &database, SQLITE_OPEN_READWRITE, nullptr) == SQLITE_OK) {
    sqlite3_stmt* statement = nullptr;
    if (sqlite3_prepare_v2(database, "PRAGMA integrity_check", -1, &statement, nullptr) ==
            SQLITE_OK &&
        sqlite3_step(statement) == SQLITE_ROW) {
      answer = reinterpret_cast<const char*>(sqlite3_column_text(statement, 0));
    }
    sqlite3_finalize(statement);
  }
  sqlite3_close(database);
  return answer;
}

// Once no process of ours has them open any more, the files are SQLite's own again.
void CheckFiles(const ProcessCluster& cluster) {
  for (size_t i = 0; i < cluster.size(); ++i) {
    int databases = 0;
    for (const auto& entry : std::filesystem::directory_iterator(cluster.data_directory(i))) {
      if (!entry.is_regular_file() || !IsSqliteFile(entry.path())) continue;
      ++databases;
      EXPECT_EQ(IntegrityOf(entry.path()), "ok") << entry.path();
    }
    EXPECT_GE(databases, 1) << cluster.node(i).node_id;
  }
}

void Terminate(ProcessCluster* cluster) {
  for (size_t i = 0; i <= cluster->size(); ++i) {
    Process& process = cluster->process(i);
    process.Terminate();
    const auto exit = process.WaitForExit(absl::Seconds(20));
    ASSERT_TRUE(exit.has_value()) << cluster->process_name(i) << " does not stop";
    EXPECT_EQ(*exit, 0) << cluster->process_name(i) << ": " << process.LogTail();
  }
}

// Until so many were killed in all.
void KillSome(Nemesis* nemesis, int kills, ProcessCluster* cluster, BankWorkload* workload) {
  int next_pause = nemesis->kills() + 20;
  while (nemesis->kills() < kills && !testing::Test::HasFailure()) {
    nemesis->Strike();
    if (nemesis->kills() < next_pause) continue;
    next_pause = nemesis->kills() + 20;
    EXPECT_TRUE(workload->WaitForCommits(1, absl::Seconds(30)))
        << "nothing commits any more: "
        << cluster->WaitUntilSettled(absl::Seconds(1)).value_or("settled");
  }
}

void Report(const Plan& plan, const Nemesis& nemesis, const WorkloadCounts& counts,
            const ResolvedCounts& resolved) {
  std::cout << nemesis.kills() << " kills (" << nemesis.coordinator_kills()
            << " of the coordinator), " << nemesis.stops() << " stops, " << counts.committed
            << " committed, " << counts.aborted << " aborted, " << counts.unknown
            << " unknown (resolved: " << resolved.committed << " committed, " << resolved.aborted
            << " aborted), " << counts.reads << " reads, seed " << plan.seed << "\n";
  for (const auto& [reason, count] : counts.reasons) {
    std::cout << "  " << reason << " " << count << "\n";
  }
  std::cout << std::flush;
}

TEST(ChaosTest, EveryTransferIsWholeAndAsItWasToldWhateverIsKilled) {
  const Plan& plan = ThePlan();
  std::cout << "seed " << plan.seed << std::endl;
  ProcessCluster cluster;
  cluster.StartAll();
  ASSERT_EQ(cluster.WaitUntilSettled(kSettled).value_or(""), "");
  BankWorkload workload(&cluster, plan.seed);
  workload.CreateTables();
  ASSERT_FALSE(HasFatalFailure());
  Nemesis nemesis(&cluster, &workload, plan.seed);
  BankAudit audit(&cluster);
  const absl::Time end = absl::Now() + plan.time;
  std::string unsettled;
  do {
    workload.Start(/*writers=*/8, /*readers=*/2);
    const int left = plan.kills > nemesis.kills() ? plan.kills - nemesis.kills() : kKillsAtOnce;
    KillSome(&nemesis, nemesis.kills() + std::min(left, kKillsAtOnce), &cluster, &workload);
    workload.Stop();
    const absl::Time limit = nemesis.last_start() + kSettled;
    unsettled = cluster.WaitUntilSettled(limit - absl::Now()).value_or("");
    std::cout << nemesis.kills() << " kills; " << (absl::Now() - nemesis.last_start())
              << " after the last start: " << (unsettled.empty() ? "settled" : unsettled)
              << std::endl;
    EXPECT_EQ(unsettled, "");
    EXPECT_EQ(workload.wrong_read(), "");
    if (unsettled.empty()) audit.Check(workload.TakeTransfers());
  } while (!HasFailure() && (nemesis.kills() < plan.kills || absl::Now() < end));
  const WorkloadCounts counts = workload.counts();
  Report(plan, nemesis, counts, audit.resolved());
  if (HasFailure()) return;
  EXPECT_EQ(audit.resolved().committed + audit.resolved().aborted, counts.unknown);
  EXPECT_GT(counts.committed, nemesis.kills());
  EXPECT_GT(counts.reads, 0);
  Terminate(&cluster);
  CheckFiles(cluster);
}

}  // namespace
}  // namespace lockstep::testing_support

int main(int argc, char** argv) {
  testing::InitGoogleTest(&argc, argv);
  auto& plan = lockstep::testing_support::ThePlan();
  const char* kills = std::getenv("LOCKSTEP_KILLS");
  const char* seconds = std::getenv("LOCKSTEP_CHAOS_SECONDS");
  if (kills != nullptr) plan.kills = std::atoi(kills);
  if (seconds != nullptr) plan.time = absl::Seconds(std::atoi(seconds));
  for (int i = 1; i < argc; i += 2) {
    const std::string option = argv[i];
    const char* number = i + 1 < argc ? argv[i + 1] : nullptr;
    if (option == "--kills" && number != nullptr) {
      plan.kills = std::atoi(number);
    } else if (option == "--seconds" && number != nullptr) {
      plan.time = absl::Seconds(std::atoi(number));
    } else if (option == "--seed" && number != nullptr) {
      plan.seed = std::strtoull(number, nullptr, 10);
    } else {
      std::cerr << "usage: chaos_test [--kills N] [--seconds N] [--seed N]\n";
      return 2;
    }
  }
  return RUN_ALL_TESTS();
}
