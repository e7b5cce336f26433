// What a branch costs: one cached insert of 100 bytes, voted on, in rounds of 100 branches.
#include <algorithm>
#include <cstdio>
#include <filesystem>
#include <vector>

#include "common/check.h"
#include "common/clock.h"
#include "participant/execution/branch_executor.h"

namespace lockstep::participant {
namespace {

constexpr int kRounds = 2000;
constexpr int kBranches = 100;

void Run(sqlite::Connection* connection) {
  for (const char* sql :
       {"PRAGMA journal_mode = WAL", "PRAGMA synchronous = OFF", "PRAGMA cache_spill = OFF",
        "PRAGMA temp_store = MEMORY", "CREATE TABLE lockstep_state(id INTEGER PRIMARY KEY)",
        "CREATE TABLE t(id INTEGER PRIMARY KEY, payload BLOB)"}) {
    LOCKSTEP_CHECK(connection->Exec(sql).ok(), sql);
  }
  const SystemClock clock;
  sqlite::FrozenClock sql_clock;
  const auto executor =
      BranchExecutor::Create(connection, &sql_clock, &clock, {"bank", "bank-1"}, {}).value();
  Branch branch;
  branch.want_rows = true;
  branch.time_left = absl::Seconds(10);
  branch.operations.push_back(
      {0, {{"INSERT INTO t(payload) VALUES(?)", {Blob{std::string(100, 'x')}}, {}}}});
  std::vector<double> microseconds;
  for (int round = 0; round < kRounds; ++round) {
    LOCKSTEP_CHECK(connection->Exec("BEGIN IMMEDIATE").ok(), "BEGIN");
    const absl::Duration start = clock.MonotonicNow();
    for (int i = 0; i < kBranches; ++i) {
      const ExecutedBranch executed = executor->Execute(branch, ExecutionMode::kFirst);
      LOCKSTEP_CHECK(executed.vote.kind == VoteKind::kYes, "a branch voted NO");
    }
    microseconds.push_back(absl::ToDoubleMicroseconds(clock.MonotonicNow() - start) / kBranches);
    LOCKSTEP_CHECK(connection->Exec("COMMIT").ok(), "COMMIT");
  }
  std::sort(microseconds.begin(), microseconds.end());
  std::printf("figure branch_us_p10 %.3f\nfigure branch_us_p50 %.3f\n", microseconds[kRounds / 10],
              microseconds[kRounds / 2]);
}

}  // namespace
}  // namespace lockstep::participant

int main() {
  const auto directory = std::filesystem::temp_directory_path() / "lockstep_branch_benchmark";
  std::filesystem::remove_all(directory);
  std::filesystem::create_directories(directory);
  auto connection = lockstep::sqlite::Connection::Open(directory / "a.db", {}).value();
  lockstep::participant::Run(connection.get());
  connection.reset();
  std::filesystem::remove_all(directory);
}
