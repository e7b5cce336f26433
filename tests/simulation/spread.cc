#include "tests/simulation/spread.h"

#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <vector>

#include "absl/strings/str_cat.h"
#include "common/check.h"
#include "common/logging.h"
#include "tests/simulation/world.h"

namespace lockstep::simulation {
namespace {

// A world takes a second at most. The process of one that takes so long is ended, so that its seed
// is told.
constexpr unsigned kLongestWorldSeconds = 300;

// What a process tells the one that started it, whole, after each world: of a fixed size, so that a
// pipe takes it in one piece.
struct Progress {
  Totals totals;
  uint64_t running_seed = 0;  // 0: done
  char violation[400] = {};   // of running_seed, if it is not empty
};

struct Job {
  pid_t process = 0;
  int pipe = -1;
};

void Send(int pipe, const Progress& progress) {
  const ssize_t sent = write(pipe, &progress, sizeof(progress));
  LOCKSTEP_CHECK(sent == sizeof(progress), "the pipe to the parent is broken");
}

void RunSeed(const Spread& spread, uint64_t seed, Progress* progress) {
  Options options = DrawOptions(seed);
  options.level = spread.level;
  options.trace = spread.trace;
  World world(options, seed);
  const std::optional<std::string> violation = world.Run();
  if (violation) {
    std::snprintf(progress->violation, sizeof(progress->violation), "%s", violation->c_str());
  }
  Totals& totals = progress->totals;
  ++totals.worlds;
  totals.committed += world.truth().committed();
  totals.by_request_id += world.truth().committed_requests();
  totals.aborted += world.truth().aborted();
  totals.decided_rounds += world.truth().decided_rounds();
  totals.coordinators += world.coordinators();
  totals.participant_starts += world.participant_starts();
  totals.reads += world.reads();
}

[[noreturn]] void RunJob(const Spread& spread, int number, int pipe) {
  SetLogLevel(LogLevel::kCritical);
  Progress progress;
  for (uint64_t i = static_cast<uint64_t>(number); i < spread.seeds;
       i += static_cast<uint64_t>(spread.jobs)) {
    progress.running_seed = spread.first_seed + i;
    Send(pipe, progress);
    alarm(kLongestWorldSeconds);
    RunSeed(spread, progress.running_seed, &progress);
    if (progress.violation[0] != '\0') break;
  }
  alarm(0);
  if (progress.violation[0] == '\0') progress.running_seed = 0;
  Send(pipe, progress);
  std::fflush(nullptr);
  std::_Exit(EXIT_SUCCESS);
}

Job StartJob(const Spread& spread, int number) {
  int ends[2];
  LOCKSTEP_CHECK(pipe(ends) == 0, "no pipe");
  std::fflush(nullptr);
  const pid_t process = fork();
  LOCKSTEP_CHECK(process >= 0, "no process");
  if (process == 0) {
    close(ends[0]);
    RunJob(spread, number, ends[1]);
  }
  close(ends[1]);
  return {process, ends[0]};
}

// The last that it said.
Progress Await(const Job& job) {
  Progress last;
  Progress next;
  size_t have = 0;
  while (true) {
    const ssize_t got = read(job.pipe, reinterpret_cast<char*>(&next) + have, sizeof(next) - have);
    if (got <= 0) break;
    have += static_cast<size_t>(got);
    if (have < sizeof(next)) continue;
    last = next;
    have = 0;
  }
  close(job.pipe);
  int status = 0;
  waitpid(job.process, &status, 0);
  const bool ended_well = WIFEXITED(status) && WEXITSTATUS(status) == EXIT_SUCCESS;
  if (WIFSIGNALED(status) && WTERMSIG(status) == SIGALRM) {
    std::snprintf(last.violation, sizeof(last.violation), "no end within %u s",
                  kLongestWorldSeconds);
  } else if (!ended_well && last.violation[0] == '\0') {
    std::snprintf(last.violation, sizeof(last.violation), "the process ended with status %d",
                  status);
  }
  return last;
}

void Add(const Totals& from, Totals* to) {
  to->worlds += from.worlds;
  to->committed += from.committed;
  to->by_request_id += from.by_request_id;
  to->aborted += from.aborted;
  to->decided_rounds += from.decided_rounds;
  to->coordinators += from.coordinators;
  to->participant_starts += from.participant_starts;
  to->reads += from.reads;
}

}  // namespace

std::string ArgumentsFor(Level level, uint64_t seed) {
  return absl::StrCat("--level=", level == Level::kSqlite ? "sqlite" : "model",
                      " --seeds=1 --first_seed=", seed, " --trace");
}

SpreadResult Run(const Spread& spread) {
  std::vector<Job> jobs;
  for (int number = 0; number < spread.jobs; ++number) jobs.push_back(StartJob(spread, number));
  SpreadResult result;
  for (const Job& job : jobs) {
    const Progress last = Await(job);
    Add(last.totals, &result.totals);
    if (last.violation[0] == '\0') continue;
    if (result.failed_seed.value_or(UINT64_MAX) <= last.running_seed) continue;
    result.failed_seed = last.running_seed;
    result.failure = absl::StrCat("seed ", last.running_seed, ": ", last.violation);
  }
  return result;
}

}  // namespace lockstep::simulation
