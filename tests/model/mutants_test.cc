// The exploration finds every rule that is switched off: else it could not be trusted when it finds
// nothing.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <functional>
#include <iostream>
#include <string>

#include "tests/model/search.h"

namespace lockstep::model {
namespace {

using simulation::Needs;

constexpr uint64_t kMostMutantStates = 4'000'000;
// Most are found within so many.
constexpr uint64_t kControlStates = 100'000;

struct Mutant {
  std::string rule;
  std::function<void(Setup*)> take_out;
  Faults faults;
  std::vector<ModelTransaction> transactions = {{Needs::kNothing, 0, {0, 1}},
                                                {Needs::kUnwritten, 1, {0, 1}}};
};

void PrintTo(const Mutant& mutant, std::ostream* out) { *out << mutant.rule; }

Setup SetupOf(const Mutant& mutant) {
  Setup setup;
  setup.transactions = mutant.transactions;
  setup.faults = mutant.faults;
  return setup;
}

Report RunSearch(const Setup& setup, uint64_t states) {
  Limits limits;
  limits.states = states;
  return Search(setup, limits).Run();
}

// Ends the process: with success if a state shows that the rule is needed.
[[noreturn]] void SearchMutant(const Mutant& mutant) {
  Setup setup = SetupOf(mutant);
  setup.is_broken = true;
  mutant.take_out(&setup);
  const Report report = RunSearch(setup, kMostMutantStates);
  std::fprintf(stderr, "\n%zu states: ", static_cast<size_t>(report.states));
  if (!report.violation) {
    std::fprintf(stderr, "nothing is found, %s\n", report.exhausted ? "exhausted" : "limit hit");
    std::_Exit(EXIT_FAILURE);
  }
  std::fprintf(stderr, "%s\n", report.violation->c_str());
  for (const std::string& step : report.trace) std::fprintf(stderr, "    %s\n", step.c_str());
  std::_Exit(EXIT_SUCCESS);
}

// A check in the protocol's own code, which ends its process, is a find too.
bool MutantFound(int status) {
  return (WIFEXITED(status) && WEXITSTATUS(status) == EXIT_SUCCESS) ||
         (WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT);
}

bool TellFind(const std::string& output) {
  std::cout << output << std::flush;
  return true;
}

class ModelMutantTest : public testing::TestWithParam<Mutant> {};

TEST_P(ModelMutantTest, IsFoundWithinBoundedStates) {
  EXPECT_EXIT(SearchMutant(GetParam()), MutantFound, testing::Truly(TellFind));
}

// Or what is found without the rule would say nothing.
TEST_P(ModelMutantTest, NothingIsFoundThereWithTheRule) {
  const Report report = RunSearch(SetupOf(GetParam()), kControlStates);
  EXPECT_EQ(report.violation.value_or(""), "");
}

// Each by the name of the rule that it leaves out, with the faults that show why it is there.
const Mutant kModelMutants[] = {
    {"R1_AnOlderTermIsObeyed",
     [](Setup* s) { s->broken_participant.obeys_older_terms = true; },
     {.second_starts = 1}},
    {"R1_TheTermIsNotDurable",
     [](Setup* s) { s->term_is_not_durable = true; },
     {.crashes = 1, .second_starts = 1, .reads = 1}},
    {"R1_TheLogForgetsItsTerm",
     [](Setup* s) { s->log_forgets_term = true; },
     {.coordinator_crashes = 1, .second_starts = 1}},
    {"R2_ANumberComesAgain", [](Setup* s) { s->broken.number_comes_again = true; }, {.losses = 1}},
    {"R3_AFinishedRoundIsRun",
     [](Setup* s) { s->broken_participant.runs_finished_rounds = true; },
     {.repeats = 1}},
    {"R3_TheTombstoneIsNotDurable",
     [](Setup* s) { s->tombstone_is_not_durable = true; },
     {.crashes = 1, .losses = 1}},
    {"R4_ARollbackEndsAnyRound",
     [](Setup* s) { s->broken_participant.rollback_ends_any_round = true; },
     {.losses = 1, .repeats = 1, .ticks = 1}},
    {"R4_TheMarkEndsADoubt",
     [](Setup* s) { s->broken_participant.mark_ends_doubt = true; },
     {.crashes = 1, .losses = 1}},
    {"R10_AParticipantDecidesAlone",
     [](Setup* s) { s->broken_participant.decides_alone = true; },
     {.crashes = 1}},
    // What a participant whose vote was lost took part in is kept elsewhere.
    {"R12_AMissingVoteKeeps",
     [](Setup* s) { s->broken.missing_vote_keeps = true; },
     {.losses = 1},
     {{Needs::kNothing, 0, {0}}, {Needs::kNothing, 0, {0, 1}}}},
    {"R13_AnswerBeforeDurable", [](Setup* s) { s->broken.answer_before_durable = true; }, {}},
    {"R14_FreeByTimeout", [](Setup* s) { s->broken.free_by_timeout = true; }, {.losses = 1}},
    {"R15_NoFenceOnANewBootId",
     [](Setup* s) { s->broken.no_fence_on_new_boot_id = true; },
     {.crashes = 1}},
    {"R16_RollBackWhatTheLogKeeps",
     [](Setup* s) { s->broken.rollback_unknown_decisions = true; },
     {.coordinator_crashes = 1}},
    {"R17_ForgetOnAcknowledgement",
     [](Setup* s) { s->broken.forget_on_acknowledgement = true; },
     {.crashes = 1}},
    {"R21_ReadAnyRound", [](Setup* s) { s->broken.read_any_round = true; }, {.reads = 1}},
};

INSTANTIATE_TEST_SUITE_P(Rules, ModelMutantTest, testing::ValuesIn(kModelMutants),
                         [](const testing::TestParamInfo<Mutant>& mutant) {
                           return mutant.param.rule;
                         });

}  // namespace
}  // namespace lockstep::model
