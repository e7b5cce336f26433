// The cases that matter most, as text: every file in scenarios/ is run and compared.
//
//   scenario_test            run all
//   scenario_test --accept   write what happens into the files, to be read before a commit
//
// A file has comments (#), steps, and below each step, indented, what it has to lead to: what a
// coordinator c0, c1, … does, and what a participant p0, p1, … answers, in this order and nothing
// else. The invariants are checked after each step, too. Steps:
//
//   level sqlite|model       before all others; what participants stand on (model)
//   replicas N...            of each database, 0 and so on (1 1)
//   seed N                   what a power loss keeps, and what transactions find
//   coordinator              another one starts on the log
//   end c0                   it is killed
//   submit c0 D...           a transaction in these databases
//   try c0 ID ATTEMPT D...   the same with a request_id
//   read c0 D                a client's read of a database
//   run                      coordinators do what they can, and their logs write
//   write-fails c0           its decision is written, and it is told that the write failed
//   deliver KIND p0          the oldest request of that kind arrives; `repeat`: and comes again;
//   lose KIND p0             or never arrives
//   answer p0                its oldest answer arrives; lose-answer p0: or does not
//   crash p0 [power]         the process is killed, or power is lost
//   start p0                 it starts again
//   idle p0                  it syncs what is not durable
//   wait MS                  time passes; calls whose time is over fail
//   settle                   everything arrives until all is at rest; it has to come to that
#include "tests/simulation/scenario.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

#include "common/logging.h"

namespace lockstep::simulation {
namespace {

bool accept = false;

std::vector<std::string> LinesOf(const std::filesystem::path& path) {
  std::ifstream file(path);
  std::vector<std::string> lines;
  for (std::string line; std::getline(file, line);) lines.push_back(line);
  return lines;
}

bool IsComment(const std::string& line) { return line.empty() || line[0] == '#'; }
bool IsStep(const std::string& line) { return !IsComment(line) && line[0] != ' '; }

// The file's comments stay where they are: before the step that they stand before.
void Accept(const std::filesystem::path& path, const std::vector<std::string>& told) {
  const std::vector<std::string> before = LinesOf(path);
  std::ofstream file(path);
  auto line = before.begin();
  for (const std::string& now : told) {
    if (IsStep(now)) {
      for (; line != before.end() && *line != now; ++line) {
        if (IsComment(*line)) file << *line << "\n";
      }
      if (line != before.end()) ++line;
    }
    file << now << "\n";
  }
  // A step that could not be made was the last: those behind it stay.
  for (; line != before.end(); ++line) {
    if (IsComment(*line) || IsStep(*line)) file << *line << "\n";
  }
}

class ScenarioTest : public testing::TestWithParam<std::filesystem::path> {};

TEST_P(ScenarioTest, LeadsToWhatItsFileSays) {
  SetLogLevel(LogLevel::kCritical);
  std::vector<std::string> expected;
  std::vector<std::string> steps;
  for (const std::string& line : LinesOf(GetParam())) {
    if (IsStep(line)) steps.push_back(line);
    if (!IsComment(line)) expected.push_back(line);
  }
  ASSERT_FALSE(steps.empty());
  const std::vector<std::string> told = Scenario().Run(steps);
  if (accept) return Accept(GetParam(), told);
  for (size_t i = 0; i < std::max(told.size(), expected.size()); ++i) {
    ASSERT_LT(i, told.size()) << "missing: " << expected[i];
    ASSERT_LT(i, expected.size()) << "one more: " << told[i];
    ASSERT_EQ(told[i], expected[i]) << "line " << i + 1 << " without comments";
  }
}

std::vector<std::filesystem::path> Files() {
  std::vector<std::filesystem::path> files;
  for (const auto& entry : std::filesystem::directory_iterator(LOCKSTEP_SCENARIOS)) {
    if (entry.path().extension() == ".txt") files.push_back(entry.path());
  }
  std::sort(files.begin(), files.end());
  return files;
}

INSTANTIATE_TEST_SUITE_P(Files, ScenarioTest, testing::ValuesIn(Files()),
                         [](const testing::TestParamInfo<std::filesystem::path>& file) {
                           return file.param.stem().string();
                         });

}  // namespace
}  // namespace lockstep::simulation

int main(int argc, char** argv) {
  testing::InitGoogleTest(&argc, argv);
  lockstep::simulation::accept = argc > 1 && std::strcmp(argv[1], "--accept") == 0;
  return RUN_ALL_TESTS();
}
