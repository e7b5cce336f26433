// What a branch costs, and how much of it is the digest: rounds of branches, with and without the
// hook that shows the digest its rows, in turns.
#include <algorithm>
#include <cstdio>
#include <ctime>
#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "common/check.h"
#include "common/clock.h"
#include "participant/execution/branch_executor.h"

namespace lockstep::participant {
namespace {

constexpr int kRounds = 2000;
constexpr int kBranches = 100;
constexpr int kRowsOfAnUpdate = 100;

struct Workload {
  const char* name;
  const char* sql;
};

constexpr Workload kWorkloads[] = {
    {"insert", "INSERT INTO t(payload) VALUES(?)"},
    {"update_100_rows", "UPDATE fixed SET payload = ?"},
};

// A database with its executor.
class Database {
 public:
  Database(const std::filesystem::path& path, bool digests)
      : connection_(sqlite::Connection::Open(path, {}).value()) {
    for (const char* sql :
         {"PRAGMA journal_mode = WAL", "PRAGMA synchronous = OFF", "PRAGMA cache_spill = OFF",
          "PRAGMA temp_store = MEMORY", "CREATE TABLE lockstep_state(id INTEGER PRIMARY KEY)",
          "CREATE TABLE t(id INTEGER PRIMARY KEY, payload BLOB)",
          "CREATE TABLE fixed(id INTEGER PRIMARY KEY, payload BLOB)"}) {
      Exec(sql);
    }
    for (int i = 0; i < kRowsOfAnUpdate; ++i) Exec("INSERT INTO fixed(payload) VALUES('x')");
    executor_ =
        BranchExecutor::Create(connection_.get(), &sql_clock_, &clock_, {"bank", "bank-1"}, {})
            .value();
    if (!digests) connection_->SetRowChangeHook(nullptr);
  }

  // Microseconds a branch, of the processor's time: a round is as long as a slice of it.
  double RunRound(const std::vector<Branch>& branches) {
    Exec("BEGIN IMMEDIATE");
    const std::clock_t start = std::clock();
    for (int i = 0; i < kBranches; ++i) {
      const Branch& branch = branches[static_cast<size_t>(i) % branches.size()];
      const ExecutedBranch executed = executor_->Execute(branch, ExecutionMode::kFirst);
      LOCKSTEP_CHECK(executed.vote.kind == VoteKind::kYes, "a branch voted NO");
    }
    const auto taken = static_cast<double>(std::clock() - start);
    Exec("COMMIT");
    return taken * 1e6 / CLOCKS_PER_SEC / kBranches;
  }

 private:
  void Exec(const char* sql) { LOCKSTEP_CHECK(connection_->Exec(sql).ok(), sql); }

  const SystemClock clock_;
  sqlite::FrozenClock sql_clock_;
  const std::unique_ptr<sqlite::Connection> connection_;
  std::unique_ptr<BranchExecutor> executor_;  // goes before its connection
};

double Quantile(std::vector<double>* values, double share) {
  std::sort(values->begin(), values->end());
  return (*values)[static_cast<size_t>(share * static_cast<double>(values->size()))];
}

void Run(const Workload& workload, const std::filesystem::path& directory) {
  // Two values in turns: what an UPDATE finds there already SQLite does not write.
  std::vector<Branch> branches(2);
  for (size_t i = 0; i < branches.size(); ++i) {
    const Blob payload{std::string(100, static_cast<char>('x' + i))};
    branches[i].want_rows = true;
    branches[i].time_left = absl::Seconds(10);
    branches[i].operations.push_back({0, {{workload.sql, {payload}, {}}}});
  }
  Database with(directory / (std::string(workload.name) + "_with.db"), true);
  Database without(directory / (std::string(workload.name) + "_without.db"), false);
  const int rounds = workload.sql[0] == 'U' ? kRounds / 10 : kRounds;
  std::vector<double> digested;
  std::vector<double> bare;
  for (int round = 0; round < rounds; ++round) {
    digested.push_back(with.RunRound(branches));
    bare.push_back(without.RunRound(branches));
  }
  std::printf("figure %s_us_p10 %.3f\nfigure %s_us_p50 %.3f\n", workload.name,
              Quantile(&digested, 0.1), workload.name, Quantile(&digested, 0.5));
  std::printf("figure %s_with_per_without_digest %.3f\n", workload.name,
              Quantile(&digested, 0.5) / Quantile(&bare, 0.5));
}

}  // namespace
}  // namespace lockstep::participant

int main() {
  const auto directory = std::filesystem::temp_directory_path() / "lockstep_branch_benchmark";
  std::filesystem::remove_all(directory);
  std::filesystem::create_directories(directory);
  for (const auto& workload : lockstep::participant::kWorkloads) {
    lockstep::participant::Run(workload, directory);
  }
  std::filesystem::remove_all(directory);
}
