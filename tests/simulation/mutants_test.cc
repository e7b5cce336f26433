// The simulator finds every rule that is switched off: else it could not be trusted when it finds
// nothing.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <functional>
#include <iostream>
#include <string>

#include "common/logging.h"
#include "participant/storage/store_options.h"
#include "tests/simulation/options.h"
#include "tests/simulation/world.h"

namespace lockstep::simulation {
namespace {

constexpr uint64_t kMostSeeds = 3000;
constexpr uint64_t kMostSqliteSeeds = 1000;

struct Mutant {
  std::string rule;
  std::function<void(Options*)> take_out;
  Level level = Level::kModel;
};

// `harsher`: what makes the place more frequent where the rule counts.
Mutant OfTheStore(
    const char* rule, bool participant::StoreFaults::*fault,
    const std::function<void(Options*)>& harsher = [](Options*) {}) {
  const auto take_out = [fault, harsher](Options* options) {
    options->store_faults.*fault = true;
    harsher(options);
  };
  return {rule, take_out, Level::kSqlite};
}

// Syncs of the files of the decision log that end so do not happen.
Mutant OfTheLog(const char* rule, const char* file) {
  return {rule, [file](Options* options) { options->log_loses_syncs_of = file; }, Level::kSqlite};
}

// Full rounds at one participant that loses power in the middle of them; all else is calm, or the
// few rounds that are cut would not get that far.
void MoreCuts(Options* options) {
  Options calm;
  calm.level = options->level;
  calm.store_faults = options->store_faults;
  calm.reorder = options->reorder;
  calm.replicas = {1};
  calm.clients = 16;
  calm.steps = 1500;
  calm.veto = 0.3;
  calm.nondeterministic = 0;
  calm.short_deadline = 0;
  calm.request_id = 0;
  calm.crash_inside = 0.1;
  calm.power_loss = 0.9;
  calm.idle_sync = 0.002;
  *options = calm;
}

void PrintTo(const Mutant& mutant, std::ostream* out) { *out << mutant.rule; }

// Ends the process: with success if a seed shows that the rule is needed.
[[noreturn]] void Search(const Mutant& mutant) {
  SetLogLevel(LogLevel::kCritical);
  const uint64_t most = mutant.level == Level::kSqlite ? kMostSqliteSeeds : kMostSeeds;
  for (uint64_t seed = 1; seed <= most; ++seed) {
    Options options = DrawOptions(seed);
    options.level = mutant.level;
    mutant.take_out(&options);
    options.is_broken = true;
    std::fprintf(stderr, "\nseed %llu: ", static_cast<unsigned long long>(seed));
    World world(options, seed);
    if (const auto violation = world.Run()) {
      std::fprintf(stderr, "%s\n", violation->c_str());
      std::_Exit(EXIT_SUCCESS);
    }
  }
  std::_Exit(EXIT_FAILURE);
}

// A check in the protocol's own code, which ends its process, is a find too.
bool Found(int status) {
  return (WIFEXITED(status) && WEXITSTATUS(status) == EXIT_SUCCESS) ||
         (WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT);
}

bool Tell(const std::string& output) {
  const size_t seed = output.rfind("\nseed ");
  std::cout << output.substr(seed == std::string::npos ? 0 : seed + 1) << std::flush;
  return true;
}

class MutantTest : public testing::TestWithParam<Mutant> {};

TEST_P(MutantTest, IsFoundWithinBoundedSeeds) {
  EXPECT_EXIT(Search(GetParam()), Found, testing::Truly(Tell));
}

// Or what is found with a rule taken out would say nothing.
TEST(MutantControlTest, ManyCutsBreakNoRuleThatIsKept) {
  constexpr uint64_t kSeeds = 30;
  SetLogLevel(LogLevel::kCritical);
  for (uint64_t seed = 1; seed <= kSeeds; ++seed) {
    Options options = DrawOptions(seed);
    options.level = Level::kSqlite;
    MoreCuts(&options);
    EXPECT_EQ(World(options, seed).Run().value_or(""), "") << "seed " << seed;
  }
}

// Each by the name of the rule that it leaves out.
const Mutant kMutants[] = {
    {"R1_AnOlderTermIsObeyed", [](Options* o) { o->broken_participant.obeys_older_terms = true; }},
    {"R1_TheTermIsNotDurable", [](Options* o) { o->term_is_not_durable = true; }},
    {"R1_TheLogForgetsItsTerm", [](Options* o) { o->log_forgets_term = true; }},
    {"R2_ANumberComesAgain", [](Options* o) { o->broken.number_comes_again = true; }},
    {"R3_AFinishedRoundIsRun",
     [](Options* o) { o->broken_participant.runs_finished_rounds = true; }},
    {"R3_TheTombstoneIsNotDurable", [](Options* o) { o->tombstone_is_not_durable = true; }},
    {"R4_ARollbackEndsAnyRound",
     [](Options* o) { o->broken_participant.rollback_ends_any_round = true; }},
    {"R4_TheMarkEndsADoubt", [](Options* o) { o->broken_participant.mark_ends_doubt = true; }},
    {"R10_AParticipantDecidesAlone",
     [](Options* o) { o->broken_participant.decides_alone = true; }},
    {"R12_AMissingVoteKeeps", [](Options* o) { o->broken.missing_vote_keeps = true; }},
    {"R13_AnswerBeforeDurable", [](Options* o) { o->broken.answer_before_durable = true; }},
    {"R14_FreeByTimeout", [](Options* o) { o->broken.free_by_timeout = true; }},
    {"R15_NoFenceOnANewBootId", [](Options* o) { o->broken.no_fence_on_new_boot_id = true; }},
    {"R16_RollBackWhatTheLogKeeps",
     [](Options* o) { o->broken.rollback_unknown_decisions = true; }},
    {"R17_ForgetOnAcknowledgement", [](Options* o) { o->broken.forget_on_acknowledgement = true; }},
    {"R18_TheIdsAreForgottenAtARestart", [](Options* o) { o->log_forgets_requests = true; }},
    {"R18_TheAnswersAreWrittenApart", [](Options* o) { o->answers_are_written_apart = true; }},
    {"R18_WhatWasKeptForAnExpireTimeLeavesNone",
     [](Options* o) { o->log_forgets_expiries = true; }},
    {"R19_AttemptsAreIgnored", [](Options* o) { o->attempts_are_ignored = true; }},
    {"R21_ReadAnyRound", [](Options* o) { o->broken.read_any_round = true; }},
    {"R22_AnyRunIsObeyed", [](Options* o) { o->obey_any_run = true; }},
    {"R23_TheClockMayFall", [](Options* o) { o->broken.clock_may_fall = true; }},
    {"R23_ASeedComesAgain", [](Options* o) { o->broken.seed_comes_again = true; }},
    // What is below the protocol: the same worlds over SQLite.
    OfTheStore("R1_ATermIsNotSynced", &participant::StoreFaults::no_term_sync),
    OfTheStore("R4_ATombstoneEndsADoubtAtAStart", &participant::StoreFaults::tombstone_at_start),
    OfTheStore("R5_APrepareIsNotSynced", &participant::StoreFaults::no_prepare_sync),
    OfTheStore("R7_ARedoBlockIsNotSynced", &participant::StoreFaults::no_redo_sync, MoreCuts),
    OfTheStore("P2_TheCommitFrameIsNotMasked", &participant::StoreFaults::no_mask),
    OfTheStore("P3_TheEndOfTheWalIsNotHidden", &participant::StoreFaults::no_hidden_header),
    OfTheStore("P4_ACommitIsCalledDurable", &participant::StoreFaults::durable_at_commit),
    OfTheStore("P8_AStartIgnoresTheRedoBlock", &participant::StoreFaults::redo_ignored, MoreCuts),
    OfTheStore("P8_AnUnmaskedDoubtIsNotSynced", &participant::StoreFaults::no_unmask_sync),
    OfTheLog("R13_ADecisionIsNotSynced", "decisions.db.wal"),
    OfTheLog("R13_ACheckpointOfTheDecisionLogIsNotSynced", "decisions.db"),
};

INSTANTIATE_TEST_SUITE_P(Rules, MutantTest, testing::ValuesIn(kMutants),
                         [](const testing::TestParamInfo<Mutant>& mutant) {
                           return mutant.param.rule;
                         });

}  // namespace
}  // namespace lockstep::simulation
