// Every state of small models of the whole protocol, with the code that ships: coordinators and
// participants over a log, disks and a network that is a multiset of messages. In every state the
// invariants of docs/PROTOCOL.md hold, and from every state all comes to rest once faults stop.
//
// What is left out: request_ids (R18, R19), copies of the log (R22), clocks and seeds (R23),
// vetoes, and transactions that run out of time while they wait. Time is one event that makes
// whatever waits due.
//
//   model_test                          the normal run
//   model_test --gtest_filter=*/Losses  one model of setups.cc
//   model_test --states=N               at most N states of each (also: LOCKSTEP_MODEL_STATES)
//   model_test --losses=N               the same for --crashes, --coordinator_crashes, --repeats,
//                                       --second_starts, --ticks, --defers and --reads
#include <gtest/gtest.h>

#include <chrono>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <iostream>
#include <string>

#include "tests/model/search.h"
#include "tests/model/setups.h"
#include "tests/support/repeat.h"

namespace lockstep::model {
namespace {

uint64_t most_states = 0;
bool faults_are_chosen = false;
std::string arguments;  // that change what is explored

struct FaultOption {
  const char* name;
  uint8_t Faults::*count;
  int value = -1;
};
FaultOption fault_options[] = {
    {"crashes", &Faults::crashes},
    {"coordinator_crashes", &Faults::coordinator_crashes},
    {"second_starts", &Faults::second_starts},
    {"losses", &Faults::losses},
    {"repeats", &Faults::repeats},
    {"ticks", &Faults::ticks},
    {"defers", &Faults::defers},
    {"reads", &Faults::reads},
};
Search* running = nullptr;

void PrintTrace(const std::vector<std::string>& trace) {
  for (size_t i = 0; i < trace.size(); ++i) std::printf("%4zu  %s\n", i + 1, trace[i].c_str());
  std::fflush(stdout);
}

// A check of a participant that fails ends the process.
void TellTrace(int) {
  std::signal(SIGABRT, SIG_DFL);
  if (running != nullptr) PrintTrace(running->TraceOfNow());
  std::printf("to repeat: %s\n", RepeatCommand().c_str());
  std::fflush(stdout);
}

class ModelTest : public testing::TestWithParam<Exploration> {};

TEST_P(ModelTest, NoStateBreaksARuleAndEveryStateComesToRest) {
  Exploration exploration = GetParam();
  RepeatByArguments(arguments + "--gtest_filter='*/" + exploration.setup.name + "'");
  std::signal(SIGABRT, TellTrace);
  for (const FaultOption& option : fault_options) {
    if (option.value < 0) continue;
    faults_are_chosen = true;
    exploration.setup.faults.*option.count = static_cast<uint8_t>(option.value);
  }
  Limits limits;
  limits.states = most_states > 0 ? most_states : exploration.states;
  Search search(exploration.setup, limits);
  running = &search;
  const auto start = std::chrono::steady_clock::now();
  const Report report = search.Run();
  running = nullptr;
  const double seconds =
      std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
  std::printf("%s: %zu states, %zu transitions, %zu steps deep, %zu calm, %s; %.1f s, %.0f/s; %s\n",
              exploration.setup.name.c_str(), report.states, report.transitions, report.depth,
              report.calm_states, report.exhausted ? "exhausted" : "LIMIT HIT", seconds,
              static_cast<double>(report.states) / seconds, search.machine().Sizes().c_str());
  if (report.violation) PrintTrace(report.trace);
  ASSERT_FALSE(report.violation) << *report.violation;
  const bool is_normal = most_states == 0 && !faults_are_chosen;
  EXPECT_TRUE(report.exhausted || !is_normal || !exploration.exhausted);
}

INSTANTIATE_TEST_SUITE_P(Small, ModelTest, testing::ValuesIn(Explorations()),
                         [](const auto& p) { return p.param.setup.name; });

}  // namespace
}  // namespace lockstep::model

int main(int argc, char** argv) {
  using namespace lockstep::model;
  testing::InitGoogleTest(&argc, argv);
  if (const char* states = std::getenv("LOCKSTEP_MODEL_STATES")) {
    most_states = std::strtoull(states, nullptr, 10);
  }
  for (int i = 0; i < argc; ++i) {
    const std::string argument = argv[i];
    if (i > 0) arguments += argument + " ";
    bool known = i == 0;
    if (argument.starts_with("--states=")) {
      most_states = std::strtoull(argv[i] + std::strlen("--states="), nullptr, 10);
      known = true;
    }
    for (FaultOption& option : fault_options) {
      const std::string prefix = std::string("--") + option.name + "=";
      if (!argument.starts_with(prefix)) continue;
      option.value = std::atoi(argv[i] + prefix.size());
      known = true;
    }
    if (known) continue;
    std::fprintf(stderr, "unknown argument %s\n", argv[i]);
    return 2;
  }
  return RUN_ALL_TESTS();
}
