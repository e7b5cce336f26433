// Power loss: whatever subset of unsynced sectors comes back, no committed round is lost, no
// aborted one returns, and nobody is asked who cannot know. R3, R4, R5, R6, R7, R9,
// P0 to P9.
//
// LOCKSTEP_POWER_LOSS_IMAGES=N runs N images instead of 20,000, LOCKSTEP_POWER_LOSS_SEED=S begins
// with seed S. A violation names the seed that repeats it alone.
#include <gtest/gtest.h>

#include <cstdlib>
#include <iostream>
#include <string>

#include "tests/participant/storage/power_loss/driver.h"
#include "tests/participant/storage/power_loss/lives.h"

namespace lockstep::participant {
namespace {

int64_t FromEnvironment(const char* name, int64_t otherwise) {
  const char* text = std::getenv(name);
  return text == nullptr ? otherwise : std::atoll(text);
}

TEST(PowerLossTest, NoImageLosesACommittedRoundOrKeepsAnAbortedOne) {
  const int64_t images = FromEnvironment("LOCKSTEP_POWER_LOSS_IMAGES", 20'000);
  const auto seed = static_cast<uint64_t>(FromEnvironment("LOCKSTEP_POWER_LOSS_SEED", 1));
  std::cout << "seed " << seed << "; to repeat: LOCKSTEP_POWER_LOSS_SEED=" << seed
            << " LOCKSTEP_POWER_LOSS_IMAGES=" << images << "\n";
  const LivesResult result = RunLives(seed, images, {}, {});
  std::cout << result.counts.ToString() << "\n";
  EXPECT_EQ(result.violation, "") << "to repeat: LOCKSTEP_POWER_LOSS_SEED=" << result.violating_seed
                                  << " LOCKSTEP_POWER_LOSS_IMAGES=" << kImagesOfALife;
  // Everything was there.
  EXPECT_GT(result.counts.kills, 0);
  EXPECT_GT(result.counts.recoveries_cut_off, 0);
  EXPECT_GT(result.counts.cuts, 0);
  EXPECT_GT(result.counts.unseen_rollbacks, 0);
  EXPECT_GT(result.counts.locals, 0);
  EXPECT_GT(result.counts.no_only, 0);
  EXPECT_GT(result.counts.checkpoints, 0);
  EXPECT_GT(result.counts.in_doubt_without_record, 0);
  EXPECT_GT(result.counts.redone, 0);
}

}  // namespace
}  // namespace lockstep::participant
