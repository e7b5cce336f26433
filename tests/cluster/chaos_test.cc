// Processes, networks, clocks, disks and volumes of a cluster fail at random moments under two
// workloads; afterwards every transaction must have happened on all its participants or on none, as
// its client was told, and all that clients saw must fit one order, that of the clock.
//
//   chaos_test [--kills N] [--seconds N] [--seed N]
//
// N processes are killed with kill -9 (200, or LOCKSTEP_KILLS), and more until the time is over
// (LOCKSTEP_CHAOS_SECONDS; hours are possible). A planned stop is no kill, and counted apart.
#include <gtest/gtest.h>
#include <sqlite3.h>

#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <random>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "tests/cluster/bank_audit.h"
#include "tests/cluster/bank_workload.h"
#include "tests/cluster/list_workload.h"
#include "tests/cluster/nemesis.h"
#include "tests/support/process_cluster.h"
#include "tests/support/repeat.h"

namespace lockstep::testing_support {
namespace {

// Between two audits.
constexpr int kKillsAtOnce = 100;
// From the end of all faults until nothing is in doubt.
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
void StrikeSome(Nemesis* nemesis, int kills, ProcessCluster* cluster, BankWorkload* workload) {
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

void Report(const Plan& plan, const Nemesis& nemesis, const WorkloadCounts& bank,
            const ResolvedCounts& resolved, const ListWorkload& lists) {
  const ListCounts list = lists.counts();
  std::cout << nemesis.kills() << " kills (" << nemesis.coordinator_kills()
            << " of the coordinator), seed " << plan.seed << "\nbank: " << bank.committed
            << " committed, " << bank.aborted << " aborted, " << bank.unknown
            << " unknown (resolved: " << resolved.committed << " committed, " << resolved.aborted
            << " aborted; " << resolved.found << " told by GetTransaction), " << bank.reads
            << " reads\nlists: " << list.committed << " committed, " << list.failed << " failed, "
            << list.unknown << " unknown (" << lists.proved() << " of them proved by reads), "
            << list.reads << " reads, " << list.retries << " retries, " << list.deduplicated
            << " answers of earlier tries, " << lists.compared()
            << " older lists compared\nstrikes:";
  for (const auto& [kind, count] : nemesis.strikes()) std::cout << "  " << kind << " " << count;
  std::cout << "\nrefused:";
  for (const auto& [reason, count] : bank.reasons) std::cout << "  " << reason << " " << count;
  std::cout << std::endl;
}

TEST(ChaosTest, EveryTransactionIsWholeAndAsItWasToldWhateverHappens) {
  const Plan& plan = ThePlan();
  RepeatByArguments(absl::StrCat("--kills ", plan.kills, " --seconds ",
                                 absl::ToInt64Seconds(plan.time), " --seed ", plan.seed));
  std::cout << "to repeat: " << RepeatCommand() << std::endl;
  ProcessCluster cluster(FiveNodes(), {.has_proxy = true, .has_shims = true});
  cluster.StartAll();
  ASSERT_EQ(cluster.WaitUntilSettled(kSettled).value_or(""), "");
  BankWorkload workload(&cluster, plan.seed);
  ListWorkload lists(&cluster, plan.seed);
  workload.CreateTables();
  lists.CreateTables();
  ASSERT_FALSE(HasFatalFailure());
  Nemesis nemesis(&cluster, &workload, plan.seed);
  BankAudit audit(&cluster);
  const absl::Time end = absl::Now() + plan.time;
  std::string unsettled;
  int audits = 0;
  do {
    workload.Start(/*writers=*/6, /*readers=*/2);
    lists.Start(/*clients=*/6);
    if (nemesis.kills() == 0) nemesis.StrikeWithEach();
    const int left = std::max(plan.kills - nemesis.kills(), 0);
    StrikeSome(&nemesis, nemesis.kills() + std::min(left > 0 ? left : kKillsAtOnce, kKillsAtOnce),
               &cluster, &workload);
    const absl::Time struck = absl::Now();
    lists.Stop();
    workload.Stop();
    // Clients hold their last calls for up to 18 s of it.
    unsettled = cluster.WaitUntilSettled(struck + kSettled - absl::Now()).value_or("");
    std::cout << nemesis.kills() << " kills; " << (absl::Now() - struck)
              << " after the last: " << (unsettled.empty() ? "settled" : unsettled) << std::endl;
    EXPECT_EQ(unsettled, "");
    EXPECT_EQ(workload.wrong_read(), "");
    if (unsettled.empty()) audit.Check(workload.TakeTransfers());
    if (unsettled.empty()) lists.Check();
    ++audits;
  } while (!HasFailure() && (nemesis.kills() < plan.kills || absl::Now() < end));
  const WorkloadCounts counts = workload.counts();
  Report(plan, nemesis, counts, audit.resolved(), lists);
  if (HasFailure()) return;
  EXPECT_EQ(audit.resolved().committed + audit.resolved().aborted, counts.unknown);
  // Every other one has a name to ask by.
  EXPECT_TRUE(audit.resolved().found > 0 || counts.unknown < 30);
  EXPECT_GT(counts.committed, nemesis.kills());
  EXPECT_GT(counts.reads, 0);
  EXPECT_GT(lists.counts().committed, nemesis.kills());
  EXPECT_TRUE(audits == 1 || lists.compared() > 0);
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
