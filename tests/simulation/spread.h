// Runs worlds of many seeds in several processes.
#ifndef LOCKSTEP_TESTS_SIMULATION_SPREAD_H_
#define LOCKSTEP_TESTS_SIMULATION_SPREAD_H_

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>

#include "tests/simulation/options.h"

namespace lockstep::simulation {

struct Spread {
  Level level = Level::kModel;
  uint64_t first_seed = 1;
  uint64_t seeds = 1;
  int jobs = 1;  // processes
  bool trace = false;
};

struct Totals {
  uint64_t worlds = 0;
  uint64_t committed = 0;
  uint64_t by_request_id = 0;
  uint64_t aborted = 0;
  uint64_t decided_rounds = 0;
  uint64_t coordinators = 0;
  uint64_t participant_starts = 0;
  uint64_t reads = 0;
};

struct SpreadResult {
  Totals totals;
  // Of the lowest seed that breaks a rule.
  std::optional<uint64_t> failed_seed;
  std::string failure;
};

// Each process takes every jobs-th seed and ends at its first failure; the others go on. A check in
// the code under test, which ends its process, is a failure too. Requires that there are no
// threads.
SpreadResult Run(const Spread& spread);

// Of simulation_test: what runs one seed again and tells what happens.
std::string ArgumentsFor(Level level, uint64_t seed);

}  // namespace lockstep::simulation

#endif  // LOCKSTEP_TESTS_SIMULATION_SPREAD_H_
