#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <fstream>
#include <string_view>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "common/check.h"
#include "tests/support/process_cluster.h"

namespace lockstep::testing_support {
namespace {

// Settings of the shell that the tests run in are not settings of the servers.
std::vector<std::string> CleanEnvironment() {
  std::vector<std::string> kept;
  for (char** variable = environ; *variable != nullptr; ++variable) {
    if (!std::string_view(*variable).starts_with("LOCKSTEP_")) kept.emplace_back(*variable);
  }
  return kept;
}

std::vector<char*> Pointers(std::vector<std::string>* strings) {
  std::vector<char*> pointers;
  for (std::string& text : *strings) pointers.push_back(text.data());
  pointers.push_back(nullptr);
  return pointers;
}

std::string DescribeEnd(int status) {
  if (WIFSIGNALED(status)) return absl::StrCat("ended by signal ", WTERMSIG(status));
  return absl::StrCat("exited with ", WEXITSTATUS(status));
}

}  // namespace

bool Eventually(absl::Duration limit, const std::function<bool()>& condition) {
  const absl::Time deadline = absl::Now() + limit;
  while (!condition()) {
    if (absl::Now() >= deadline) return false;
    // What is looked at offers nothing to wait on; without a pause it would be starved by looking.
    poll(nullptr, 0, 10);
  }
  return true;
}

Process::Process(std::vector<std::string> command, std::filesystem::path log,
                 std::vector<std::string> environment)
    : command_(std::move(command)), log_(std::move(log)), environment_(std::move(environment)) {}

Process::~Process() {
  if (started()) Kill();
}

void Process::Start() {
  LOCKSTEP_CHECK(!started(), "started twice");
  std::vector<std::string> words = {"/usr/bin/setpriv", "--pdeathsig", "KILL", "--"};
  words.insert(words.end(), command_.begin(), command_.end());
  std::vector<std::string> environment = CleanEnvironment();
  environment.insert(environment.end(), environment_.begin(), environment_.end());
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_addopen(&actions, STDOUT_FILENO, log_.c_str(),
                                   O_WRONLY | O_CREAT | O_APPEND, 0644);
  posix_spawn_file_actions_adddup2(&actions, STDOUT_FILENO, STDERR_FILENO);
  const int error = posix_spawn(&pid_, words[0].c_str(), &actions, nullptr, Pointers(&words).data(),
                                Pointers(&environment).data());
  posix_spawn_file_actions_destroy(&actions);
  LOCKSTEP_CHECK(error == 0, absl::StrCat("cannot start ", command_[0], ": ", strerror(error)));
}

std::optional<std::string> Process::Died() {
  if (!started()) return std::nullopt;
  int status = 0;
  if (waitpid(pid_, &status, WNOHANG) != pid_) return std::nullopt;
  pid_ = 0;
  return absl::StrCat(command_[0], " ", DescribeEnd(status), "; its log ends:\n", LogTail());
}

std::optional<int> Process::WaitForExit(absl::Duration limit) {
  LOCKSTEP_CHECK(started(), "nothing to wait for");
  const int descriptor = static_cast<int>(syscall(SYS_pidfd_open, pid_, 0));
  LOCKSTEP_CHECK(descriptor >= 0, std::strerror(errno));
  pollfd wait{descriptor, POLLIN, 0};
  const int ready = poll(&wait, 1, static_cast<int>(absl::ToInt64Milliseconds(limit)));
  close(descriptor);
  if (ready != 1) return std::nullopt;
  int status = 0;
  LOCKSTEP_CHECK(waitpid(pid_, &status, 0) == pid_, std::strerror(errno));
  pid_ = 0;
  return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

void Process::Kill() {
  LOCKSTEP_CHECK(started(), "nothing to kill");
  kill(pid_, SIGKILL);
  waitpid(pid_, nullptr, 0);
  pid_ = 0;
}

void Process::Freeze() {
  LOCKSTEP_CHECK(started(), "nothing to freeze");
  kill(pid_, SIGSTOP);
}

void Process::Thaw() {
  LOCKSTEP_CHECK(started(), "nothing to thaw");
  kill(pid_, SIGCONT);
}

void Process::Terminate() {
  LOCKSTEP_CHECK(started(), "nothing to end");
  kill(pid_, SIGTERM);
}

std::string Process::LogTail(size_t bytes) const {
  std::ifstream file(log_, std::ios::binary | std::ios::ate);
  if (!file) return "(no log)";
  const auto size = static_cast<size_t>(file.tellg());
  const size_t length = std::min(size, bytes);
  std::string text(length, '\0');
  file.seekg(static_cast<std::streamoff>(size - length));
  file.read(text.data(), static_cast<std::streamsize>(length));
  return text;
}

}  // namespace lockstep::testing_support
