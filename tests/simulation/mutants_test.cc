// The simulator finds every rule that is switched off: else it could not be trusted when it finds
// nothing.
#include <gtest/gtest.h>

#include <cstdio>
#include <string>

#include "tests/simulation/options.h"
#include "tests/simulation/world.h"

namespace lockstep::simulation {
namespace {

using coordinator::BrokenRules;

constexpr uint64_t kMostSeeds = 3000;

struct Mutant {
  std::string rule;
  bool BrokenRules::*broken;
};

class MutantTest : public testing::TestWithParam<Mutant> {};

TEST_P(MutantTest, IsFoundWithinBoundedSeeds) {
  for (uint64_t seed = 1; seed <= kMostSeeds; ++seed) {
    Options options = DrawOptions(seed);
    options.broken.*GetParam().broken = true;
    options.is_broken = true;
    World world(options, seed);
    if (const auto violation = world.Run()) {
      std::printf("seed %llu: %s\n", static_cast<unsigned long long>(seed), violation->c_str());
      return;
    }
  }
  FAIL() << "no seed up to " << kMostSeeds << " shows that the rule is needed";
}

TEST(ParticipantMutantTest, R22_ObeyAnyRunIsFoundWithinBoundedSeeds) {
  for (uint64_t seed = 1; seed <= kMostSeeds; ++seed) {
    Options options = DrawOptions(seed);
    options.obey_any_run = true;
    World world(options, seed);
    if (const auto violation = world.Run()) {
      std::printf("seed %llu: %s\n", static_cast<unsigned long long>(seed), violation->c_str());
      return;
    }
  }
  FAIL() << "no seed up to " << kMostSeeds << " shows that the rule is needed";
}

INSTANTIATE_TEST_SUITE_P(
    Rules, MutantTest,
    testing::Values(Mutant{"R12_AMissingVoteKeeps", &BrokenRules::missing_vote_keeps},
                    Mutant{"R13_AnswerBeforeDurable", &BrokenRules::answer_before_durable},
                    Mutant{"R14_FreeByTimeout", &BrokenRules::free_by_timeout},
                    Mutant{"R15_NoFenceOnANewBootId", &BrokenRules::no_fence_on_new_boot_id},
                    Mutant{"R16_RollBackWhatTheLogKeeps", &BrokenRules::rollback_unknown_decisions},
                    Mutant{"R17_ForgetOnAcknowledgement", &BrokenRules::forget_on_acknowledgement},
                    Mutant{"R21_ReadAnyRound", &BrokenRules::read_any_round}),
    [](const testing::TestParamInfo<Mutant>& mutant) { return mutant.param.rule; });

}  // namespace
}  // namespace lockstep::simulation
