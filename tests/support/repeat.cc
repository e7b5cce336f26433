#include "tests/support/repeat.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <algorithm>
#include <csignal>
#include <cstdlib>
#include <filesystem>
#include <iostream>
#include <memory>
#include <string_view>
#include <vector>

namespace lockstep {
namespace {

constexpr std::string_view kPrefix = "LOCKSTEP_";

// Of the running test.
struct Repetition {
  std::vector<std::string> drawn;  // settings
  std::string arguments;           // empty: the test's name
  // Ready to be written by a signal handler of this process: a child's end is its parent's affair.
  char at_abort[4096];
  pid_t process;
};
Repetition now;

bool HaveOneName(std::string_view setting, std::string_view other) {
  return setting.substr(0, setting.find('=')) == other.substr(0, other.find('='));
}

std::string Settings() {
  std::string settings;
  for (char** variable = environ; *variable != nullptr; ++variable) {
    const std::string_view given = *variable;
    const bool is_drawn = std::any_of(now.drawn.begin(), now.drawn.end(),
                                      [&](const auto& drawn) { return HaveOneName(drawn, given); });
    if (given.starts_with(kPrefix) && !is_drawn) settings += std::string(given) + " ";
  }
  for (const std::string& drawn : now.drawn) settings += drawn + " ";
  return settings;
}

void PrepareForAbort() {
  const std::string text = "\nto repeat: " + RepeatCommand() + "\n";
  const size_t length = std::min(text.size(), sizeof(now.at_abort) - 1);
  std::copy_n(text.begin(), length, now.at_abort);
  now.at_abort[length] = '\0';
  now.process = getpid();
}

void TellAndAbort(int) {
  std::signal(SIGABRT, SIG_DFL);
  const std::string_view text = now.at_abort;
  const bool is_ours = getpid() == now.process;
  const ssize_t written = is_ours ? write(STDOUT_FILENO, text.data(), text.size()) : 0;
  (void)written;  // it ends the same way without it
  std::raise(SIGABRT);
}

class Teller final : public testing::EmptyTestEventListener {
  void OnTestStart(const testing::TestInfo&) override {
    now = {};
    PrepareForAbort();
    std::signal(SIGABRT, TellAndAbort);
  }
  void OnTestEnd(const testing::TestInfo& test) override {
    std::signal(SIGABRT, SIG_DFL);
    if (test.result()->Failed()) std::cout << "to repeat: " << RepeatCommand() << std::endl;
  }
};

[[maybe_unused]] const bool is_told = [] {
  testing::UnitTest::GetInstance()->listeners().Append(std::make_unique<Teller>().release());
  return true;
}();

}  // namespace

std::string RepeatCommand() {
  const std::string program = std::filesystem::read_symlink("/proc/self/exe").string();
  const std::string before = Settings() + program + " ";
  if (!now.arguments.empty()) return before + now.arguments;
  const testing::TestInfo* test = testing::UnitTest::GetInstance()->current_test_info();
  if (test == nullptr) return before;
  return before + "--gtest_filter=" + test->test_suite_name() + "." + test->name();
}

void RepeatWith(const std::string& setting) {
  std::erase_if(now.drawn, [&](const auto& drawn) { return HaveOneName(drawn, setting); });
  now.drawn.push_back(setting);
  PrepareForAbort();
}

void RepeatByArguments(const std::string& arguments) {
  now.arguments = arguments;
  PrepareForAbort();
}

}  // namespace lockstep
