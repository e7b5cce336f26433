// One case of the whole protocol, step by step, from a text file.
#ifndef LOCKSTEP_TESTS_SIMULATION_SCENARIO_H_
#define LOCKSTEP_TESTS_SIMULATION_SCENARIO_H_

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "tests/simulation/world.h"

namespace lockstep::simulation {

// A world without chance in which only that happens which a line says; scenario_test.cc has the
// format.
class Scenario {
 public:
  // Carries the steps out, one a line. What happened, as lines: each step, and below it, indented,
  // what it led to. Ends with the first broken rule, or with a step that cannot be made.
  std::vector<std::string> Run(const std::vector<std::string>& steps);

 private:
  using Words = std::vector<std::string>;

  void Carry(const Words& words);
  bool SetUp(const Words& words);
  bool DoCoordinator(const Words& words);
  bool DoParticipant(const Words& words);
  bool DoMessage(const Words& words);

  void Make();
  void RunCoordinators();
  void WriteAndFail(size_t coordinator);
  void Submit(const Words& words);
  void Try(const Words& words);
  void Read(const Words& words);
  void Wait(int64_t ms);
  void Settle();
  // The oldest one, taken out unless it is to stay.
  std::optional<Request> TakeRequest(const Words& words, bool stays);
  std::optional<Answer> TakeAnswer(const std::string& participant);
  void Tell(const std::string& line) { lines_.push_back("    " + line); }
  void Fail(const std::string& why) { failed_ = why; }

  Options options_;
  uint64_t seed_ = 1;
  std::unique_ptr<World> world_;
  std::vector<std::string> lines_;
  std::optional<std::string> failed_;
};

}  // namespace lockstep::simulation

#endif  // LOCKSTEP_TESTS_SIMULATION_SCENARIO_H_
