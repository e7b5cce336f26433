// A seed is all that a world depends on: else the command that is told for a failure would not
// repeat it.
#include <gtest/gtest.h>
#include <sqlite3.h>

#include <string>
#include <vector>

#include "tests/simulation/world.h"

namespace lockstep::simulation {
namespace {

std::vector<std::string> TraceOf(Level level, uint64_t seed) {
  Options options = DrawOptions(seed);
  options.level = level;
  World world(options, seed);
  std::vector<std::string> lines;
  world.TellTrace([&lines](const std::string& line) { lines.push_back(line); });
  const std::optional<std::string> violation = world.Run();
  EXPECT_EQ(violation, std::nullopt) << "seed " << seed;
  return lines;
}

void ExpectTheSame(Level level, uint64_t seeds) {
  for (uint64_t seed = 0; seed < seeds; ++seed) {
    const std::vector<std::string> once = TraceOf(level, seed);
    // Others in between leave nothing behind.
    TraceOf(level, seed + seeds);
    const std::vector<std::string> again = TraceOf(level, seed);
    ASSERT_GT(once.size(), 0u);
    for (size_t i = 0; i < once.size(); ++i) {
      ASSERT_LT(i, again.size()) << "seed " << seed;
      ASSERT_EQ(once[i], again[i]) << "seed " << seed << ", line " << i;
    }
    ASSERT_EQ(once.size(), again.size()) << "seed " << seed;
  }
}

TEST(RepeatTest, TheSameSeedIsTheSameWorldOverTheModel) { ExpectTheSame(Level::kModel, 50); }

TEST(RepeatTest, TheSameSeedIsTheSameWorldOverSqlite) { ExpectTheSame(Level::kSqlite, 10); }

// What a torn frame unmasks to depends on them, which is too rare to be met by the traces.
TEST(RepeatTest, TheSaltsThatSqliteDrawsAreTheSeeds) {
  const auto salt_of = [](uint64_t seed) {
    Options options = DrawOptions(seed);
    options.level = Level::kSqlite;
    const World world(options, seed);
    uint64_t salt = 0;
    sqlite3_randomness(sizeof(salt), &salt);
    return salt;
  };
  const uint64_t salt = salt_of(1);
  EXPECT_NE(salt_of(2), salt);
  EXPECT_EQ(salt_of(1), salt);
}

}  // namespace
}  // namespace lockstep::simulation
