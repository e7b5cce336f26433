// A state of the whole model: the numbers of its parts.
#ifndef LOCKSTEP_TESTS_MODEL_STATE_H_
#define LOCKSTEP_TESTS_MODEL_STATE_H_

#include <array>
#include <cstdint>
#include <cstring>
#include <type_traits>

#include "tests/model/interner.h"
#include "tests/model/setup.h"

namespace lockstep::model {

inline constexpr size_t kMostParticipants = 3;
inline constexpr size_t kMostRuns = 2;  // alive at once

struct State {
  std::array<Id, kMostRuns> runs = {};  // the living, oldest first; 0: none
  std::array<Id, kMostParticipants> participants = {};
  Id network = 0;
  Id log = 0;
  Id truth = 0;
  Faults left;
  uint8_t submitted = 0;  // transactions, then probes
  bool calm = false;      // faults have stopped
  bool of_use = false;    // calm: a probe was voted on
  uint8_t unused = 0;

  friend bool operator==(const State& a, const State& b) {
    return std::memcmp(&a, &b, sizeof(State)) == 0;
  }
};
static_assert(std::has_unique_object_representations_v<State>);
static_assert(sizeof(State) % sizeof(uint32_t) == 0);

struct StateHash {
  size_t operator()(const State& state) const {
    std::array<uint32_t, sizeof(State) / sizeof(uint32_t)> words = {};
    std::memcpy(words.data(), &state, sizeof(State));
    uint64_t hash = 0;
    for (const uint32_t word : words) {
      hash = (hash ^ word) * 0x9e3779b97f4a7c15;
      hash ^= hash >> 32;
    }
    return hash;
  }
};

}  // namespace lockstep::model

#endif  // LOCKSTEP_TESTS_MODEL_STATE_H_
