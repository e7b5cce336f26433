// The whole protocol, with every fault, from seeds.
//
//   simulation_test                  the normal run: both levels
//   simulation_test --level=sqlite   participants are the engine over SQLite on simulated disks
//   simulation_test --level=model    participants stand on a model of a disk: far more worlds
//   simulation_test --seeds=N        N worlds of the level (model, if none is named)
//   simulation_test --first_seed=S   from seed S on
//   simulation_test --jobs=J         in J processes (default: one for each core)
//   simulation_test --trace          tell what happens; use it with --seeds=1
//
// LOCKSTEP_SIMULATION_SEEDS, LOCKSTEP_SIMULATION_SQLITE_SEEDS: how many worlds the normal run has
// of the model level (100000) and of the SQLite level (3000): half of them those from seed 1 on, so
// that what was seen once stays seen, and half from a seed that is drawn (LOCKSTEP_SEED).
#include "tests/simulation/spread.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <string_view>
#include <thread>

#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "tests/support/repeat.h"
#include "tests/support/seed.h"

namespace lockstep::simulation {
namespace {

Spread arguments;
bool has_seeds = false;  // or a first one

uint64_t SeedsFromEnvironment(const char* name, uint64_t otherwise) {
  const char* text = std::getenv(name);
  if (text == nullptr) return otherwise;
  uint64_t seeds = 0;
  EXPECT_TRUE(absl::SimpleAtoi(text, &seeds)) << name << " is not a number";
  return seeds;
}

void RunWorlds(const Spread& spread) {
  const SpreadResult result = Run(spread);
  const Totals& totals = result.totals;
  std::printf(
      "%llu worlds from seed %llu on: %llu committed, %llu of them by a request_id, %llu aborted, "
      "%llu decided rounds, %llu coordinators, %llu starts of participants, %llu reads\n",
      static_cast<unsigned long long>(totals.worlds),
      static_cast<unsigned long long>(spread.first_seed),
      static_cast<unsigned long long>(totals.committed),
      static_cast<unsigned long long>(totals.by_request_id),
      static_cast<unsigned long long>(totals.aborted),
      static_cast<unsigned long long>(totals.decided_rounds),
      static_cast<unsigned long long>(totals.coordinators),
      static_cast<unsigned long long>(totals.participant_starts),
      static_cast<unsigned long long>(totals.reads));
  if (result.failed_seed) RepeatByArguments(ArgumentsFor(spread.level, *result.failed_seed));
  ASSERT_FALSE(result.failed_seed.has_value()) << result.failure;
  EXPECT_EQ(totals.worlds, spread.seeds);
  // There are some eight in a world: most are not refused.
  EXPECT_TRUE(totals.worlds < 100 || totals.by_request_id > 4 * totals.worlds);
}

void RunLevel(Level level, uint64_t seeds) {
  Spread spread = arguments;
  spread.level = level;
  if (has_seeds) return RunWorlds(spread);
  spread.seeds = (seeds + 1) / 2;
  RunWorlds(spread);
  if (testing::Test::HasFatalFailure()) return;
  // Of 32 bits: far above those from 1 on, and never past the last.
  spread.first_seed = (uint64_t{1} << 32) + (SeedOfTest() & UINT32_MAX);
  spread.seeds = seeds / 2;
  RunWorlds(spread);
}

TEST(SimulationTest, NoWorldBreaksARuleAndEveryWorldComesToRest) {
  RunLevel(Level::kModel, SeedsFromEnvironment("LOCKSTEP_SIMULATION_SEEDS", 100'000));
}

TEST(SqliteSimulationTest, NoWorldBreaksARuleAndEveryWorldComesToRest) {
  RunLevel(Level::kSqlite, SeedsFromEnvironment("LOCKSTEP_SIMULATION_SQLITE_SEEDS", 3'000));
}

// Whether it is one of ours, and right.
bool Take(std::string_view argument) {
  const auto take = [&argument](std::string_view name) {
    if (!absl::StartsWith({argument.data(), argument.size()}, {name.data(), name.size()}))
      return false;
    argument.remove_prefix(name.size());
    return true;
  };
  const auto number = [&argument](auto* out) {
    return absl::SimpleAtoi({argument.data(), argument.size()}, out);
  };
  if (take("--seeds=")) {
    has_seeds = true;
    return number(&arguments.seeds);
  }
  if (take("--first_seed=")) {
    has_seeds = true;
    return number(&arguments.first_seed);
  }
  if (take("--jobs=")) return number(&arguments.jobs) && arguments.jobs > 0;
  if (argument == "--trace") return arguments.trace = true;
  if (!take("--level=")) return false;
  arguments.level = argument == "sqlite" ? Level::kSqlite : Level::kModel;
  return argument == "sqlite" || argument == "model";
}

}  // namespace
}  // namespace lockstep::simulation

int main(int argc, char** argv) {
  using lockstep::simulation::Level;
  testing::InitGoogleTest(&argc, argv);
  lockstep::simulation::arguments.jobs =
      static_cast<int>(std::max(1u, std::thread::hardware_concurrency()));
  bool selects = false;
  for (int i = 1; i < argc; ++i) {
    const std::string_view argument = argv[i];
    if (!lockstep::simulation::Take(argument)) {
      std::fprintf(stderr, "unknown argument %s\n", argv[i]);
      return 2;
    }
    selects = selects || argument.starts_with("--level=") || argument.starts_with("--seeds=");
  }
  if (selects) {
    testing::GTEST_FLAG(filter) = lockstep::simulation::arguments.level == Level::kSqlite
                                      ? "SqliteSimulationTest.*"
                                      : "SimulationTest.*";
  }
  return RUN_ALL_TESTS();
}
