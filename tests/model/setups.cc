#include "tests/model/setups.h"

#include <utility>

namespace lockstep::model {
namespace {

using simulation::Needs;

// Writes both databases, and needs nothing.
const ModelTransaction kFirst = {Needs::kNothing, 0, {0, 1}};
// Database 1 votes NO once an earlier one has written.
const ModelTransaction kOnlyFirst = {Needs::kUnwritten, 1, {0, 1}};
// Stands behind the one before at database 0 alone, and needs what it writes.
const ModelTransaction kBehind = {Needs::kWritten, 0, {0}};

Setup MakeSetup(std::string name, std::vector<ModelTransaction> transactions, Faults faults) {
  Setup setup;
  setup.name = std::move(name);
  setup.transactions = std::move(transactions);
  setup.faults = faults;
  return setup;
}

Setup MakeWide(std::string name, std::vector<uint32_t> replicas,
               std::vector<ModelTransaction> transactions, Faults faults) {
  Setup setup = MakeSetup(std::move(name), std::move(transactions), faults);
  setup.replicas = std::move(replicas);
  return setup;
}

std::vector<Exploration> MakeExplorations() {
  std::vector<Exploration> all;
  const auto add = [&all](Setup setup, uint64_t states, bool exhausted) {
    all.push_back({std::move(setup), states, exhausted});
  };
  add(MakeSetup("Crashes", {kFirst, kOnlyFirst}, {.crashes = 2}), 1'000'000, true);
  add(MakeSetup("Restarts", {kFirst, kOnlyFirst}, {.crashes = 1, .coordinator_crashes = 1}),
      1'000'000, true);
  add(MakeSetup("Losses", {kFirst, kOnlyFirst}, {.losses = 2}), 1'000'000, true);
  add(MakeSetup("LossesInTime", {kFirst, kOnlyFirst}, {.losses = 2, .ticks = 1}), 300'000, false);
  add(MakeSetup("Repeats", {kFirst, kOnlyFirst}, {.losses = 1, .repeats = 1}), 1'000'000, true);
  add(MakeSetup("TwoCoordinators", {kFirst, kOnlyFirst}, {.second_starts = 1, .reads = 1}),
      1'000'000, true);
  add(MakeSetup("TwoCoordinatorsAndLosses", {kFirst, kOnlyFirst},
                {.second_starts = 1, .losses = 1}),
      1'100'000, true);
  add(MakeSetup("TwoCoordinatorsAndARestart", {kFirst, kOnlyFirst},
                {.coordinator_crashes = 1, .second_starts = 1}),
      1'000'000, true);
  add(MakeSetup("Cuts", {kFirst, kOnlyFirst, kBehind}, {.crashes = 1, .defers = 1}), 1'000'000,
      true);
  add(MakeSetup("CrashesAndRepeats", {kFirst, kOnlyFirst}, {.crashes = 1, .repeats = 1}), 1'000'000,
      true);
  add(MakeSetup("CrashesAndLosses", {kFirst, kOnlyFirst}, {.crashes = 1, .losses = 1}), 1'000'000,
      true);
  add(MakeSetup("RestartsAndLosses", {kFirst, kOnlyFirst}, {.coordinator_crashes = 1, .losses = 1}),
      1'000'000, true);
  const ModelTransaction all_three = {Needs::kNothing, 0, {0, 1, 2}};
  const ModelTransaction only_first = {Needs::kUnwritten, 1, {0, 1, 2}};
  const auto add_wide = [&](std::string name, Faults faults, uint64_t states, bool exhausted) {
    add(MakeWide(std::move(name), {2, 1}, {all_three, only_first}, faults), states, exhausted);
  };
  add_wide("ThreeParticipants", {.crashes = 1}, 1'000'000, true);
  add_wide("ThreeParticipantsAndLosses", {.losses = 1}, 1'000'000, true);
  add_wide("ThreeParticipantsAndRepeats", {.repeats = 1}, 1'000'000, true);
  add_wide("ThreeParticipantsAndARestart", {.coordinator_crashes = 1}, 1'000'000, true);
  const ModelTransaction behind = {Needs::kWritten, 0, {0, 1}};
  const auto add_three = [&](std::string name, Faults faults) {
    add(MakeWide(std::move(name), {2, 1}, {all_three, only_first, behind}, faults), 1'000'000,
        true);
  };
  add_three("ThreeOfThree", {.crashes = 1});
  add_three("ThreeOfThreeAndLosses", {.losses = 1});
  add_three("ThreeOfThreeAndARestart", {.coordinator_crashes = 1});
  // Too many states for every run; what is near the start is there.
  add_wide("ThreeParticipantsTwoCrashes", {.crashes = 2}, 500'000, false);
  add_wide("ThreeParticipantsCrashesAndLosses", {.crashes = 1, .losses = 1}, 500'000, false);
  add(MakeSetup("TwoCoordinatorsAndACrash", {kFirst, kOnlyFirst},
                {.crashes = 1, .second_starts = 1, .reads = 1}),
      500'000, false);
  add(MakeSetup("AllAtOnce", {kFirst, kOnlyFirst},
                {.crashes = 1, .coordinator_crashes = 1, .losses = 1, .repeats = 1}),
      500'000, false);
  return all;
}

}  // namespace

const std::vector<Exploration>& Explorations() {
  static const std::vector<Exploration> all = MakeExplorations();
  return all;
}

}  // namespace lockstep::model
