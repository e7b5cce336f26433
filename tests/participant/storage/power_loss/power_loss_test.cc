// Power loss: whatever subset of unsynced sectors comes back, no committed round is lost, no
// aborted one returns, and nobody is asked who cannot know. R3, R4, R5, R6, R7, R9,
// P0 to P9.
//
// LOCKSTEP_POWER_LOSS_IMAGES=N runs N images instead of 20,000: half of them those from seed 1 on,
// so that what was seen once stays seen, and half from a seed that is drawn (LOCKSTEP_SEED).
// LOCKSTEP_POWER_LOSS_SEED=S runs all from seed S on; a violation names the one that repeats it.
#include <gtest/gtest.h>

#include <cstdlib>
#include <iostream>
#include <string>

#include "absl/strings/str_cat.h"
#include "tests/participant/storage/power_loss/driver.h"
#include "tests/participant/storage/power_loss/lives.h"
#include "tests/support/repeat.h"
#include "tests/support/seed.h"

namespace lockstep::participant {
namespace {

int64_t FromEnvironment(const char* name, int64_t otherwise) {
  const char* text = std::getenv(name);
  return text == nullptr ? otherwise : std::atoll(text);
}

// Adds to `counts` what was met.
void RunFrom(uint64_t seed, int64_t images, Counts* counts) {
  const LivesResult result = RunLives(seed, images, {}, {});
  std::cout << "from seed " << seed << " on: " << result.counts.ToString() << "\n";
  counts->Add(result.counts);
  if (!result.violation.empty()) {
    RepeatWith(absl::StrCat("LOCKSTEP_POWER_LOSS_SEED=", result.violating_seed));
    RepeatWith(absl::StrCat("LOCKSTEP_POWER_LOSS_IMAGES=", kImagesOfALife));
  }
  ASSERT_EQ(result.violation, "");
}

TEST(PowerLossTest, NoImageLosesACommittedRoundOrKeepsAnAbortedOne) {
  const int64_t images = FromEnvironment("LOCKSTEP_POWER_LOSS_IMAGES", 20'000);
  Counts counts;
  if (const int64_t seed = FromEnvironment("LOCKSTEP_POWER_LOSS_SEED", 0); seed > 0) {
    return RunFrom(static_cast<uint64_t>(seed), images, &counts);
  }
  RunFrom(1, (images + 1) / 2, &counts);
  if (HasFatalFailure()) return;
  // Far above those from 1 on.
  RunFrom((uint64_t{1} << 32) + (SeedOfTest() & UINT32_MAX), images / 2, &counts);
  // Everything was there.
  EXPECT_GT(counts.kills, 0);
  EXPECT_GT(counts.recoveries_cut_off, 0);
  EXPECT_GT(counts.cuts, 0);
  EXPECT_GT(counts.unseen_rollbacks, 0);
  EXPECT_GT(counts.locals, 0);
  EXPECT_GT(counts.no_only, 0);
  EXPECT_GT(counts.checkpoints, 0);
  EXPECT_GT(counts.in_doubt_without_record, 0);
  EXPECT_GT(counts.redone, 0);
}

}  // namespace
}  // namespace lockstep::participant
