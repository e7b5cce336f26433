// The whole protocol, with every fault, from seeds.
//
//   simulation_test                  the normal run
//   simulation_test --seeds=N        N worlds
//   simulation_test --first_seed=S   from seed S on
//   simulation_test --trace          tell what happens; use it with --seeds=1
#include <gtest/gtest.h>

#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string>

#include "tests/simulation/options.h"
#include "tests/simulation/world.h"

namespace lockstep::simulation {
namespace {

uint64_t seeds = 4000;
uint64_t first_seed = 1;
bool trace = false;
uint64_t running_seed = 0;

// A broken invariant ends the process: say first where it was.
void TellSeed(int) {
  std::fprintf(stderr, "repeat it with --seeds=1 --trace --first_seed=%llu\n",
               static_cast<unsigned long long>(running_seed));
}

TEST(SimulationTest, NoWorldBreaksARuleAndEveryWorldComesToRest) {
  std::printf("seeds %llu to %llu\n", static_cast<unsigned long long>(first_seed),
              static_cast<unsigned long long>(first_seed + seeds - 1));
  size_t committed = 0;
  size_t aborted = 0;
  size_t rounds = 0;
  size_t coordinators = 0;
  size_t requests = 0;
  for (uint64_t seed = first_seed; seed < first_seed + seeds; ++seed) {
    Options options = DrawOptions(seed);
    options.trace = trace;
    World world(options, seed);
    running_seed = seed;
    const auto violation = world.Run();
    ASSERT_FALSE(violation.has_value())
        << *violation << "\nrepeat it with --seeds=1 --trace --first_seed=" << seed;
    committed += world.truth().committed();
    aborted += world.truth().aborted();
    rounds += world.truth().decided_rounds();
    coordinators += world.coordinators();
    requests += world.truth().committed_requests();
  }
  std::printf(
      "%zu committed, %zu of them by a request_id, %zu aborted, %zu decided rounds, "
      "%zu coordinators\n",
      committed, requests, aborted, rounds, coordinators);
}

}  // namespace
}  // namespace lockstep::simulation

int main(int argc, char** argv) {
  testing::InitGoogleTest(&argc, argv);
  for (int i = 1; i < argc; ++i) {
    const std::string argument = argv[i];
    if (argument.starts_with("--seeds=")) {
      lockstep::simulation::seeds = std::strtoull(argv[i] + std::strlen("--seeds="), nullptr, 10);
    } else if (argument.starts_with("--first_seed=")) {
      lockstep::simulation::first_seed =
          std::strtoull(argv[i] + std::strlen("--first_seed="), nullptr, 10);
    } else if (argument == "--trace") {
      lockstep::simulation::trace = true;
    } else {
      std::fprintf(stderr, "unknown argument %s\n", argv[i]);
      return 2;
    }
  }
  std::signal(SIGABRT, lockstep::simulation::TellSeed);
  return RUN_ALL_TESTS();
}
