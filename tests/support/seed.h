// The seed of a random test.
#ifndef LOCKSTEP_TESTS_SUPPORT_SEED_H_
#define LOCKSTEP_TESTS_SUPPORT_SEED_H_

#include <gtest/gtest.h>

#include <charconv>
#include <cstdint>
#include <cstdlib>
#include <iostream>
#include <random>
#include <string>
#include <string_view>

#include "tests/support/repeat.h"

namespace lockstep {

// The one that LOCKSTEP_SEED gives, else a new one. Prints the command that repeats the running
// test before it can fail: a test that dies may say nothing any more.
inline uint64_t SeedOfTest() {
  uint64_t seed = std::random_device{}();
  if (const char* text = std::getenv("LOCKSTEP_SEED"); text != nullptr) {
    const std::string_view given = text;
    const auto [end, error] = std::from_chars(given.data(), given.data() + given.size(), seed);
    if (error != std::errc() || end != given.data() + given.size()) {
      ADD_FAILURE() << "LOCKSTEP_SEED is no number: " << given;
    }
  }
  RepeatWith("LOCKSTEP_SEED=" + std::to_string(seed));
  std::cout << "to repeat: " << RepeatCommand() << std::endl;
  return seed;
}

}  // namespace lockstep

#endif  // LOCKSTEP_TESTS_SUPPORT_SEED_H_
