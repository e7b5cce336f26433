// Every state of small models of the whole protocol.
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

namespace lockstep::model {
namespace {

std::string only;
uint64_t most_states = 0;

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

void TellTrace(int) {
  std::signal(SIGABRT, SIG_DFL);
  if (running != nullptr) PrintTrace(running->TraceOfNow());
}

class ModelTest : public testing::TestWithParam<Exploration> {};

TEST_P(ModelTest, Explore) {
  Exploration exploration = GetParam();
  for (const FaultOption& option : fault_options) {
    if (option.value < 0) continue;
    exploration.setup.faults.*option.count = static_cast<uint8_t>(option.value);
  }
  if (std::getenv("ATOMIC")) exploration.setup.answers_travel = false;
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
  EXPECT_FALSE(report.violation) << *report.violation;
}

INSTANTIATE_TEST_SUITE_P(Small, ModelTest, testing::ValuesIn(Explorations()),
                         [](const auto& p) { return p.param.setup.name; });

}  // namespace
}  // namespace lockstep::model

int main(int argc, char** argv) {
  testing::InitGoogleTest(&argc, argv);
  for (int i = 1; i < argc; ++i) {
    const std::string argument = argv[i];
    if (argument.starts_with("--states=")) {
      lockstep::model::most_states = std::strtoull(argv[i] + std::strlen("--states="), nullptr, 10);
    }
    for (auto& option : lockstep::model::fault_options) {
      const std::string prefix = std::string("--") + option.name + "=";
      if (argument.starts_with(prefix)) option.value = std::atoi(argv[i] + prefix.size());
    }
  }
  std::signal(SIGABRT, lockstep::model::TellTrace);
  return RUN_ALL_TESTS();
}
