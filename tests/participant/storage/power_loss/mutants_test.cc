// The power-loss test can fail: with any of these rules taken out it finds a violation.
//
// LOCKSTEP_POWER_LOSS_SEED=S begins with seed S.
#include <gtest/gtest.h>

#include <cstdlib>
#include <functional>
#include <iostream>
#include <string>

#include "tests/participant/storage/power_loss/lives.h"

namespace lockstep::participant {
namespace {

// With seed 1 the slowest one was found after 2,833 images.
constexpr int64_t kMostImages = 40'000;

struct Mutant {
  std::string name;  // with the rule that it leaves out
  std::function<void(StoreFaults*, OracleFaults*)> take_out;
};

void PrintTo(const Mutant& mutant, std::ostream* out) { *out << mutant.name; }

class PowerLossMutantTest : public testing::TestWithParam<Mutant> {};

TEST_P(PowerLossMutantTest, IsFound) {
  StoreFaults store_faults;
  OracleFaults oracle_faults;
  GetParam().take_out(&store_faults, &oracle_faults);
  const char* text = std::getenv("LOCKSTEP_POWER_LOSS_SEED");
  const uint64_t seed = text == nullptr ? 1 : static_cast<uint64_t>(std::atoll(text));
  const LivesResult result = RunLives(seed, kMostImages, store_faults, oracle_faults);
  std::cout << GetParam().name << ": " << result.counts.images << " images from seed " << seed
            << " until: " << result.violation.substr(0, 90) << "\n";
  EXPECT_NE(result.violation, "");
}

INSTANTIATE_TEST_SUITE_P(
    Rules, PowerLossMutantTest,
    testing::Values(
        Mutant{"P0_CacheSpill", [](StoreFaults* s, OracleFaults*) { s->cache_spill = true; }},
        Mutant{"P2_Mask", [](StoreFaults* s, OracleFaults*) { s->no_mask = true; }},
        Mutant{"P3_HiddenHeader",
               [](StoreFaults* s, OracleFaults*) { s->no_hidden_header = true; }},
        Mutant{"R5_PrepareSync", [](StoreFaults* s, OracleFaults*) { s->no_prepare_sync = true; }},
        Mutant{"R1_TermSync", [](StoreFaults* s, OracleFaults*) { s->no_term_sync = true; }},
        Mutant{"R3_TombstoneSync",
               [](StoreFaults* s, OracleFaults*) { s->no_tombstone_sync = true; }},
        Mutant{"R7_RedoSync", [](StoreFaults* s, OracleFaults*) { s->no_redo_sync = true; }},
        Mutant{"R7_RedoAtStart", [](StoreFaults* s, OracleFaults*) { s->redo_ignored = true; }},
        Mutant{"R9_StartSync", [](StoreFaults* s, OracleFaults*) { s->no_start_sync = true; }},
        Mutant{"R9_DurableOnlyAfterASync",
               [](StoreFaults* s, OracleFaults*) { s->durable_at_commit = true; }},
        Mutant{"R4_TombstoneNotUsedAtStart",
               [](StoreFaults* s, OracleFaults*) { s->tombstone_at_start = true; }},
        Mutant{"P8_UnmaskSync", [](StoreFaults* s, OracleFaults*) { s->no_unmask_sync = true; }},
        Mutant{"LocalSync", [](StoreFaults* s, OracleFaults*) { s->no_local_sync = true; }},
        Mutant{"R17_ForgetOnlyWhenDurable",
               [](StoreFaults*, OracleFaults* o) { o->forget_on_acknowledgement = true; }},
        Mutant{"P8_RecordlessIsNotAborted",
               [](StoreFaults*, OracleFaults* o) { o->recordless_is_aborted = true; }},
        Mutant{"P8_RecordlessIsNotCommitted",
               [](StoreFaults*, OracleFaults* o) { o->recordless_is_committed = true; }}),
    [](const testing::TestParamInfo<Mutant>& mutant) { return mutant.param.name; });

}  // namespace
}  // namespace lockstep::participant
