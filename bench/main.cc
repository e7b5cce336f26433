// lockstep-bench: interleaves the raw baseline with 1, 64 and 256 clients, and prints ratios.
#include <CLI/CLI.hpp>
#include <cstdio>
#include <map>
#include <string>
#include <vector>

#include "bench/cluster.h"
#include "bench/load.h"
#include "bench/raw.h"
#include "bench/samples.h"

namespace lockstep::bench {
namespace {

constexpr int kClientCounts[] = {1, 64, 256};

struct Options {
  std::string endpoint = "127.0.0.1:7400";
  std::vector<std::string> participants;
  std::string database = "bank";
  std::string raw_directory = ".";
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

// Rows of the table: 0 clients stands for the raw baseline.
using Table = std::map<int, Series>;

absl::Status RunOnce(const Options& options, Table* table) {
  const absl::Duration duration = absl::Seconds(options.seconds);
  absl::StatusOr<Samples> raw = RunRaw(options.raw_directory, duration);
  if (!raw.ok()) return raw.status();
  (*table)[0].Add(*raw);
  for (int clients : kClientCounts) {
    absl::StatusOr<Samples> load = RunLoad({options.endpoint, options.database, clients, duration});
    if (!load.ok()) return load.status();
    (*table)[clients].Add(*load);
  }
  return absl::OkStatus();
}

void PrintTable(const Table& table) {
  std::printf("%-12s %12s %12s %12s\n", "clients", "commits/s", "p50 us", "p99 us");
  for (const auto& [clients, series] : table) {
    const std::string name = clients == 0 ? "raw" : std::to_string(clients);
    std::printf("%-12s %12.0f %12.0f %12.0f\n", name.c_str(), Median(series.per_second),
                Median(series.p50_us), Median(series.p99_us));
  }
}

// The ratio of each repetition's two neighbours, then the median: drift of the machine cancels out.
double MedianRatio(const std::vector<double>& above, const std::vector<double>& below) {
  std::vector<double> ratios;
  for (size_t i = 0; i < above.size(); ++i) ratios.push_back(above[i] / below[i]);
  return Median(ratios);
}

void PrintFigure(const char* name, double value) { std::printf("figure %s %.3f\n", name, value); }

void PrintFigures(const Table& table, const SyncCount& before, const SyncCount& after) {
  const Series& raw = table.at(0);
  PrintFigure("commits_1_per_raw", MedianRatio(table.at(1).per_second, raw.per_second));
  PrintFigure("commits_64_per_raw", MedianRatio(table.at(64).per_second, raw.per_second));
  PrintFigure("commits_256_per_raw", MedianRatio(table.at(256).per_second, raw.per_second));
  PrintFigure("p50_1_per_raw_p50", MedianRatio(table.at(1).p50_us, raw.p50_us));
  PrintFigure("p99_64_per_p50_64", MedianRatio(table.at(64).p99_us, table.at(64).p50_us));
  PrintFigure("p99_256_per_p50_256", MedianRatio(table.at(256).p99_us, table.at(256).p50_us));
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
  lockstep::bench::Options options;
  CLI::App app("Durable inserts of 100 B on every replica of one database, against plain SQLite.");
  app.add_option("--endpoint", options.endpoint, "the coordinator")->capture_default_str();
  app.add_option("--participants", options.participants, "the participants, to count their syncs")
      ->delimiter(',')
      ->required();
  app.add_option("--database", options.database, "the database to load")->capture_default_str();
  app.add_option("--raw-directory", options.raw_directory,
                 "where the raw file goes; on the same disk as the participants' data");
  app.add_option("--repetitions", options.repetitions, "interleaved repetitions")
      ->check(CLI::Range(1, 100))
      ->capture_default_str();
  app.add_option("--seconds", options.seconds, "length of each run")
      ->check(CLI::Range(0.1, 600.0))
      ->capture_default_str();
  CLI11_PARSE(app, argc, argv);
  const absl::Status status = lockstep::bench::Run(options);
  if (!status.ok()) {
    std::fprintf(stderr, "lockstep-bench: %s\n", std::string(status.message()).c_str());
    return 1;
  }
  return 0;
}
