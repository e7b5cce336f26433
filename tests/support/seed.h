// The seed of a random test, and the command that repeats it.
#ifndef LOCKSTEP_TESTS_SUPPORT_SEED_H_
#define LOCKSTEP_TESTS_SUPPORT_SEED_H_

#include <gtest/gtest.h>
#include <unistd.h>

#include <charconv>
#include <cstdint>
#include <cstdlib>
#include <filesystem>
#include <iostream>
#include <random>
#include <string>
#include <string_view>

namespace lockstep {

// The one that LOCKSTEP_SEED gives, else a new one. Prints the command that repeats the running
// test before it can fail: a test that dies says nothing any more.
inline uint64_t SeedOfTest() {
  uint64_t seed = std::random_device{}();
  std::string settings;
  for (char** variable = environ; *variable != nullptr; ++variable) {
    const std::string_view setting = *variable;
    if (setting.substr(0, 9) == "LOCKSTEP_" && setting.substr(0, 14) != "LOCKSTEP_SEED=") {
      settings += " " + std::string(setting);
    }
  }
  if (const char* text = std::getenv("LOCKSTEP_SEED"); text != nullptr) {
    const std::string_view given = text;
    const auto [end, error] = std::from_chars(given.data(), given.data() + given.size(), seed);
    if (error != std::errc() || end != given.data() + given.size()) {
      ADD_FAILURE() << "LOCKSTEP_SEED is no number: " << given;
    }
  }
  const testing::TestInfo& test = *testing::UnitTest::GetInstance()->current_test_info();
  std::cout << "to repeat: LOCKSTEP_SEED=" << seed << settings << " "
            << std::filesystem::read_symlink("/proc/self/exe").string()
            << " --gtest_filter=" << test.test_suite_name() << "." << test.name() << std::endl;
  return seed;
}

}  // namespace lockstep

#endif  // LOCKSTEP_TESTS_SUPPORT_SEED_H_
