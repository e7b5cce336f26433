// Processes of a cluster are killed at random moments under a workload; afterwards every
// transaction must have happened on all its participants or on none, as its client was told.
//
//   chaos_test [--kills N] [--minutes N] [--seed N]
//
// Without arguments LOCKSTEP_KILLS kills, or 200; with --minutes, kills until the time is over.
#include <gtest/gtest.h>
#include <sqlite3.h>

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
#include "tests/cluster/bank_workload.h"
#include "tests/support/process_cluster.h"

namespace lockstep::testing_support {
namespace {

struct Plan {
  int kills = 200;
  absl::Duration time = absl::ZeroDuration();  // zero: as long as the kills take
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
  Nemesis(ProcessCluster* cluster, BankWorkload* workload, std::mt19937_64* random)
      : cluster_(*cluster), workload_(*workload), random_(*random) {}

  // Returns how many were killed, or fails the test.
  int Strike() {
    std::set<size_t> victims = {Victim()};
    const uint64_t dice = random_() % 20;
    if (dice < 4) victims.insert(Victim());
    if (dice == 0) {
      for (size_t i = 0; i <= cluster_.size(); ++i) victims.insert(i);
    }
    // Mostly a cluster that works; now and then one that is still busy with the last blow.
    if (random_() % 4 != 0) workload_.WaitForCommits(1, absl::Seconds(10));
    workload_.WaitForCommits(static_cast<int64_t>(random_() % 200), Moment());
    const bool planned = random_() % 8 == 0;
    for (size_t victim : victims) {
      if (const auto end = cluster_.process(victim).Died()) {
        ADD_FAILURE() << cluster_.process_name(victim) << " ended by itself: " << *end;
        return 0;
      }
      if (planned) {
        Stop(victim);
      } else {
        cluster_.process(victim).Kill();
      }
    }
    workload_.WaitForCommits(static_cast<int64_t>(random_() % 50), Moment());
    for (size_t victim : victims) cluster_.process(victim).Start();
    return static_cast<int>(victims.size());
  }

 private:
  // The coordinator is one of six, and the interesting one.
  size_t Victim() { return random_() % 4 == 0 ? cluster_.size() : random_() % cluster_.size(); }
  void Stop(size_t victim) {
    Process& process = cluster_.process(victim);
    process.Terminate();
    const auto exit = process.WaitForExit(absl::Seconds(20));
    // One that has only just been started may not have come as far as to take the signal in order.
    EXPECT_TRUE(exit == 0 || exit == 128 + SIGTERM)
        << cluster_.process_name(victim) << " exits with " << exit.value_or(-1) << ": "
        << process.LogTail();
    if (process.started()) process.Kill();
  }
  absl::Duration Moment() { return absl::Milliseconds(random_() % 400); }

  ProcessCluster& cluster_;
  BankWorkload& workload_;
  std::mt19937_64& random_;
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

void Report(const WorkloadCounts& counts, int kills) {
  std::cout << kills << " kills, " << counts.committed << " committed, " << counts.aborted
            << " aborted, " << counts.unknown << " unknown, " << counts.reads << " reads\n";
  for (const auto& [reason, count] : counts.reasons) {
    std::cout << "  " << reason << " " << count << "\n";
  }
  std::cout << std::flush;
}

TEST(ChaosTest, EveryTransferIsWholeAndAsItWasToldWhateverIsKilled) {
  const Plan& plan = ThePlan();
  std::cout << "seed " << plan.seed << std::endl;
  std::mt19937_64 random(plan.seed);
  ProcessCluster cluster;
  cluster.StartAll();
  ASSERT_EQ(cluster.WaitUntilSettled(absl::Seconds(30)).value_or(""), "");
  BankWorkload workload(&cluster, plan.seed);
  workload.CreateTables();
  ASSERT_FALSE(HasFatalFailure());
  workload.Start(/*writers=*/8, /*readers=*/2);

  Nemesis nemesis(&cluster, &workload, &random);
  const absl::Time end = absl::Now() + plan.time;
  int kills = 0;
  int next_pause = 20;
  const auto more = [&] {
    return plan.time > absl::ZeroDuration() ? absl::Now() < end : kills < plan.kills;
  };
  while (more() && !HasFailure()) {
    kills += nemesis.Strike();
    if (kills < next_pause) continue;
    next_pause = kills + 20;
    EXPECT_TRUE(workload.WaitForCommits(1, absl::Seconds(30)))
        << "nothing commits any more: "
        << cluster.WaitUntilSettled(absl::Seconds(1)).value_or("settled");
  }
  workload.Stop();
  Report(workload.counts(), kills);
  ASSERT_EQ(cluster.WaitUntilSettled(absl::Seconds(30)).value_or(""), "");
  workload.CheckEverything();
  EXPECT_GT(workload.counts().committed, kills);
  EXPECT_GT(workload.counts().reads, 0);
  Terminate(&cluster);
  CheckFiles(cluster);
}

}  // namespace
}  // namespace lockstep::testing_support

int main(int argc, char** argv) {
  testing::InitGoogleTest(&argc, argv);
  auto& plan = lockstep::testing_support::ThePlan();
  if (const char* kills = std::getenv("LOCKSTEP_KILLS")) plan.kills = std::atoi(kills);
  for (int i = 1; i < argc; i += 2) {
    const std::string option = argv[i];
    if (i + 1 == argc) {
      std::cerr << option << " needs a number\n";
      return 2;
    }
    if (option == "--kills") {
      plan.kills = std::atoi(argv[i + 1]);
    } else if (option == "--minutes") {
      plan.time = absl::Minutes(std::atof(argv[i + 1]));
    } else if (option == "--seed") {
      plan.seed = std::strtoull(argv[i + 1], nullptr, 10);
    } else {
      std::cerr << "usage: chaos_test [--kills N] [--minutes N] [--seed N]\n";
      return 2;
    }
  }
  return RUN_ALL_TESTS();
}
