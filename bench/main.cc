// lockstep-bench: interleaves the raw baseline with 1, 64 and 256 clients, and prints ratios.
#include <CLI/CLI.hpp>
#include <cstdio>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "bench/cluster.h"
#include "bench/empty_server.h"
#include "bench/load.h"
#include "bench/raw.h"
#include "bench/samples.h"
#include "common/rpc/runtime.h"

namespace lockstep::bench {
namespace {

struct Options {
  std::string endpoint = "127.0.0.1:7400";
  std::vector<std::string> participants;
  std::string database = "bank";
  std::string raw_directory = ".";
  std::vector<int> clients = {1, 64, 256};
  int repetitions = 5;
  double seconds = 3;
};

// What the repetitions of one kind of run gave.
struct Series {
  std::vector<double> per_second;
  std::vector<double> p50_us;
  std::vector<double> p99_us;

  void Add(const Samples& samples) {
    per_second.push_back(samples.PerSecond());
    p50_us.push_back(absl::ToDoubleMicroseconds(samples.Quantile(0.5)));
    p99_us.push_back(absl::ToDoubleMicroseconds(samples.Quantile(0.99)));
  }
};

// By number of clients.
struct Table {
  Series raw;
  std::map<int, Series> commits;
  std::map<int, Series> empty_calls;
};

// The server is there for this run alone: within a process every thread that polls takes part in
// all connections, and its wake-ups would be paid for by the other runs.
absl::StatusOr<Samples> RunEmptyCalls(LoadOptions load) {
  absl::StatusOr<std::unique_ptr<EmptyServer>> server = EmptyServer::Start();
  if (!server.ok()) return server.status();
  load.endpoint = (*server)->endpoint();
  return RunLoad(load);
}

absl::Status RunOnce(const Options& options, Table* table) {
  const absl::Duration duration = absl::Seconds(options.seconds);
  absl::StatusOr<Samples> raw = RunRaw(options.raw_directory, duration);
  if (!raw.ok()) return raw.status();
  table->raw.Add(*raw);
  for (const int clients : options.clients) {
    const LoadOptions load{options.endpoint, options.database, clients, duration};
    absl::StatusOr<Samples> commits = RunLoad(load);
    if (!commits.ok()) return commits.status();
    table->commits[clients].Add(*commits);
    absl::StatusOr<Samples> empty_calls = RunEmptyCalls(load);
    if (!empty_calls.ok()) return empty_calls.status();
    table->empty_calls[clients].Add(*empty_calls);
  }
  return absl::OkStatus();
}

void PrintRow(const std::string& name, const Series& series) {
  std::printf("%-18s %12.0f %12.0f %12.0f\n", name.c_str(), Median(series.per_second),
              Median(series.p50_us), Median(series.p99_us));
}

void PrintTable(const Table& table) {
  std::printf("%-18s %12s %12s %12s\n", "clients", "a second", "p50 us", "p99 us");
  PrintRow("raw", table.raw);
  for (const auto& [clients, series] : table.commits) PrintRow(std::to_string(clients), series);
  for (const auto& [clients, series] : table.empty_calls) {
    PrintRow(std::to_string(clients) + ", empty calls", series);
  }
}

// The ratio of each repetition's two neighbours, then the median: drift of the machine cancels out.
double MedianRatio(const std::vector<double>& above, const std::vector<double>& below) {
  std::vector<double> ratios;
  for (size_t i = 0; i < above.size(); ++i) ratios.push_back(above[i] / below[i]);
  return Median(ratios);
}

void PrintFigure(const std::string& name, double value) {
  std::printf("figure %s %.3f\n", name.c_str(), value);
}

void PrintFigures(const Table& table, const SyncCount& before, const SyncCount& after) {
  const Series& raw = table.raw;
  for (const auto& [clients, series] : table.commits) {
    const Series& empty = table.empty_calls.at(clients);
    const std::string count = std::to_string(clients);
    PrintFigure("commits_" + count + "_per_raw", MedianRatio(series.per_second, raw.per_second));
    PrintFigure("empty_calls_" + count + "_per_raw", MedianRatio(empty.per_second, raw.per_second));
    PrintFigure("p50_" + count + "_per_raw_p50", MedianRatio(series.p50_us, raw.p50_us));
    PrintFigure("p99_" + count + "_per_p50_" + count, MedianRatio(series.p99_us, series.p50_us));
  }
  PrintFigure("syncs_per_participant_round", static_cast<double>(after.syncs - before.syncs) /
                                                 static_cast<double>(after.rounds - before.rounds));
}

absl::Status Run(const Options& options) {
  if (absl::Status status = WaitUntilReady(options.endpoint); !status.ok()) return status;
  if (absl::Status status = CreateTable(options.endpoint, options.database); !status.ok()) {
    return status;
  }
  absl::StatusOr<SyncCount> before = CountSyncs(options.participants);
  if (!before.ok()) return before.status();
  Table table;
  for (int i = 0; i < options.repetitions; ++i) {
    if (absl::Status status = RunOnce(options, &table); !status.ok()) return status;
  }
  absl::StatusOr<SyncCount> after = CountSyncs(options.participants);
  if (!after.ok()) return after.status();
  PrintTable(table);
  PrintFigures(table, *before, *after);
  return absl::OkStatus();
}

}  // namespace
}  // namespace lockstep::bench

int main(int argc, char** argv) {
  lockstep::rpc::PrepareRuntime();
  lockstep::bench::Options options;
  CLI::App app("Durable inserts of 100 B on every replica of one database, against plain SQLite.");
  app.add_option("--endpoint", options.endpoint, "the coordinator")->capture_default_str();
  app.add_option("--participants", options.participants, "the participants, to count their syncs")
      ->delimiter(',')
      ->required();
  app.add_option("--database", options.database, "the database to load")->capture_default_str();
  app.add_option("--raw-directory", options.raw_directory,
                 "where the raw file goes; on the same disk as the participants' data");
  app.add_option("--clients", options.clients, "how many clients, a run for each")
      ->delimiter(',')
      ->check(CLI::Range(1, 100'000))
      ->capture_default_str();
  app.add_option("--repetitions", options.repetitions, "interleaved repetitions")
      ->check(CLI::Range(1, 100))
      ->take_last()
      ->capture_default_str();
  app.add_option("--seconds", options.seconds, "length of each run")
      ->check(CLI::Range(0.1, 600.0))
      ->take_last()
      ->capture_default_str();
  CLI11_PARSE(app, argc, argv);
  const absl::Status status = lockstep::bench::Run(options);
  if (!status.ok()) {
    std::fprintf(stderr, "lockstep-bench: %s\n", std::string(status.message()).c_str());
    return 1;
  }
  return 0;
}
