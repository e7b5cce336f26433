// The one source of chance of a simulation.
#ifndef LOCKSTEP_TESTS_SIMULATION_RANDOM_H_
#define LOCKSTEP_TESTS_SIMULATION_RANDOM_H_

#include <cstdint>

#include "absl/time/time.h"

namespace lockstep::simulation {

// SplitMix64's mixing step: a hash of one number.
constexpr uint64_t Mix(uint64_t z) {
  z += 0x9e3779b97f4a7c15;
  z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9;
  z = (z ^ (z >> 27)) * 0x94d049bb133111eb;
  return z ^ (z >> 31);
}
constexpr uint64_t Mix(uint64_t a, uint64_t b) { return Mix(Mix(a) ^ b); }
constexpr uint64_t Mix(uint64_t a, uint64_t b, uint64_t c) { return Mix(Mix(a, b), c); }

// Where what is left open is drawn from.
class Random {
 public:
  virtual ~Random() = default;
  virtual uint64_t Next() = 0;
  // Requires limit > 0.
  virtual uint64_t Below(uint64_t limit) = 0;
  virtual bool Chance(double probability) = 0;
};

// The same seed gives the same numbers everywhere, which <random>'s distributions do not promise.
class SeededRandom final : public Random {
 public:
  explicit SeededRandom(uint64_t seed) : state_(Mix(seed)) {}

  uint64_t Next() override { return Mix(state_++); }
  uint64_t Below(uint64_t limit) override { return Next() % limit; }
  bool Chance(double probability) override {
    return static_cast<double>(Next() >> 11) * 0x1.0p-53 < probability;
  }

 private:
  uint64_t state_;
};

// From 0 on, in microseconds. Requires limit >= 1 us.
inline absl::Duration DrawBelow(absl::Duration limit, Random* random) {
  return absl::Microseconds(random->Below(static_cast<uint64_t>(limit / absl::Microseconds(1))));
}

}  // namespace lockstep::simulation

#endif  // LOCKSTEP_TESTS_SIMULATION_RANDOM_H_
