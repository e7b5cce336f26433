#include "tests/simulation/options.h"

namespace lockstep::simulation {

Options DrawOptions(uint64_t seed) {
  SeededRandom random(Mix(seed, 1));
  Options options;
  options.replicas.clear();
  const uint64_t databases = 1 + random.Below(3);
  for (uint64_t i = 0; i < databases; ++i) {
    options.replicas.push_back(random.Chance(0.3) ? 2 : 1);
  }
  options.clients = 1 + static_cast<int>(random.Below(8));
  options.steps = 300 + static_cast<int>(random.Below(900));
  const bool loses = random.Chance(0.6);
  const bool crashes = random.Chance(0.6);
  const bool restarts = random.Chance(0.5);
  if (loses) {
    options.lose_request = 0.1 * static_cast<double>(random.Below(4)) / 3;
    options.lose_answer = 0.1 * static_cast<double>(random.Below(4)) / 3;
    options.repeat_request = 0.1 * static_cast<double>(random.Below(4)) / 3;
  }
  if (crashes) {
    options.participant_crash = 0.03 * static_cast<double>(random.Below(4)) / 3;
    options.crash_inside = 0.03 * static_cast<double>(random.Below(4)) / 3;
    options.power_loss = static_cast<double>(random.Below(3)) / 2;
    options.io_fails = random.Chance(0.5) ? 0.01 : 0;
  }
  if (restarts) {
    options.coordinator_crash = 0.01 * static_cast<double>(random.Below(3)) / 2;
    options.second_coordinator = 0.005 * static_cast<double>(random.Below(3)) / 2;
    options.write_fails = random.Chance(0.5) ? 0.05 : 0;
  }
  if (restarts && random.Chance(0.5)) {
    options.old_log = 0.02;
    options.mark_fails = static_cast<double>(random.Below(3)) / 4;
  }
  if (random.Chance(0.1)) {
    // Small and harsh: what is rare elsewhere meets here.
    options.replicas = {1};
    options.lose_answer = 0.3;
    options.crash_inside = 0.1;
    options.power_loss = 0.5;
  }
  if (random.Chance(0.3)) options.disk_full = 0.03 * static_cast<double>(1 + random.Below(3)) / 3;
  if (random.Chance(0.2)) options.slow_disk = 0.05;
  if (random.Chance(0.3)) options.clock_drift = 0.5;
  if (random.Chance(0.4)) {
    options.partition = 0.005 * static_cast<double>(random.Below(3)) / 2;
    options.one_way_partition = 0.005 * static_cast<double>(random.Below(3)) / 2;
    options.swizzle = 0.003 * static_cast<double>(random.Below(3)) / 2;
  }
  options.reorder = static_cast<double>(random.Below(3)) / 2;
  options.idle_sync = random.Chance(0.5) ? 0.02 : 0.002;
  options.delay = random.Chance(0.5) ? 0.2 : 0.6;
  options.answer_bytes = random.Chance(0.1) ? size_t{200} << 10 : 0;
  return options;
}

}  // namespace lockstep::simulation
