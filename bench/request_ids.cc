// lockstep-bench-ids: what kept request_ids cost: disk, memory, a start, and a decision.
#include <CLI/CLI.hpp>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <string>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "bench/samples.h"
#include "coordinator/decision_keys.h"
#include "coordinator/sqlite_decision_log.h"

namespace lockstep::bench {
namespace {

using coordinator::Decision;
using coordinator::LogBatch;
using coordinator::SqliteDecisionLog;
using coordinator::StoredAnswer;

// As a round has under load, and as an answer of one insert is.
constexpr uint64_t kIdsPerRound = 100;
constexpr size_t kAnswerBytes = 200;
constexpr int kMeasuredRounds = 1000;

struct Options {
  std::string directory;
  uint64_t ids = 10'000'000;
};

absl::StatusOr<std::unique_ptr<SqliteDecisionLog>> Open(const Options& options) {
  coordinator::SqliteDecisionLogOptions log_options;
  log_options.directory = options.directory;
  log_options.cluster_id = "bench";
  auto log = SqliteDecisionLog::Open(log_options);
  if (!log.ok()) return log;
  absl::Status status = (*log)->SetMembers({{"bank-1", "bank", coordinator::MemberRole::kMaster}});
  if (status.ok()) status = (*log)->NewTerm().status();
  if (!status.ok()) return status;
  return log;
}

Decision RoundOf(const std::string& log_id, uint64_t number, bool with_ids) {
  Decision decision;
  decision.round = RoundId::Make(1, number);
  decision.kept = {{0, coordinator::kKeepAll}};
  decision.decide_time = decision.latest_clock = absl::Now();
  for (uint64_t i = 0; i < kIdsPerRound; ++i) {
    const uint64_t sequence = number * kIdsPerRound + i;
    decision.transactions.push_back({sequence, {0}});
    if (!with_ids) continue;
    StoredAnswer answer;
    answer.request_id = absl::StrCat("order-", sequence);
    answer.key = coordinator::RequestKeyOf(log_id, answer.request_id);
    answer.retention.keep_until = absl::UnixEpoch() + absl::Hours(24);
    answer.answer.assign(kAnswerBytes, 'x');
    decision.answers.push_back(std::move(answer));
  }
  return decision;
}

// From /proc, in bytes.
uint64_t ResidentMemory() {
  std::ifstream status("/proc/self/status");
  std::string word;
  while (status >> word) {
    uint64_t kibibytes = 0;
    if (word == "VmRSS:" && status >> kibibytes) return kibibytes << 10;
  }
  return 0;
}

uint64_t DiskBytes(const std::string& directory) {
  uint64_t bytes = 0;
  for (const auto& entry : std::filesystem::directory_iterator(directory)) {
    if (entry.path().filename().string().rfind("decisions.db", 0) == 0) bytes += entry.file_size();
  }
  return bytes;
}

void PrintFigure(const char* name, double value) { std::printf("figure %s %.3f\n", name, value); }

// Writes rounds from `first` on, one a sync. Returns how long each took.
absl::StatusOr<Samples> WriteRounds(SqliteDecisionLog* log, uint64_t first, int rounds,
                                    bool with_ids) {
  Samples samples;
  const absl::Time start = absl::Now();
  for (int i = 0; i < rounds; ++i) {
    LogBatch batch;
    batch.decisions.push_back(RoundOf(log->log_id(), first + static_cast<uint64_t>(i), with_ids));
    const absl::Time before = absl::Now();
    absl::Status status = log->Write(batch);
    if (status.ok()) status = log->Tidy(/*idle=*/false);
    if (!status.ok()) return status;
    samples.latencies.push_back(absl::Now() - before);
  }
  samples.elapsed = absl::Now() - start;
  return samples;
}

absl::Status Fill(SqliteDecisionLog* log, uint64_t rounds) {
  constexpr uint64_t kRoundsPerWrite = 100;
  for (uint64_t number = 1; number <= rounds; number += kRoundsPerWrite) {
    LogBatch batch;
    for (uint64_t i = 0; i < kRoundsPerWrite; ++i) {
      batch.decisions.push_back(RoundOf(log->log_id(), number + i, /*with_ids=*/true));
      batch.forget.push_back(RoundId::Make(1, number + i));
    }
    absl::Status status = log->Write(batch);
    if (status.ok()) status = log->Tidy(/*idle=*/false);
    if (!status.ok()) return status;
  }
  return absl::OkStatus();
}

absl::Status Run(const Options& options) {
  const uint64_t rounds = options.ids / kIdsPerRound;
  {
    auto log = Open(options);
    if (!log.ok()) return log.status();
    if (absl::Status status = Fill(log->get(), rounds); !status.ok()) return status;
  }
  PrintFigure("disk_bytes_per_id",
              static_cast<double>(DiskBytes(options.directory)) / static_cast<double>(options.ids));
  const absl::Time start = absl::Now();
  auto log = Open(options);
  if (!log.ok()) return log.status();
  const uint64_t before = ResidentMemory();
  auto recovered = (*log)->Recover();
  if (!recovered.ok()) return recovered.status();
  PrintFigure("start_seconds", absl::ToDoubleSeconds(absl::Now() - start));
  PrintFigure("memory_bytes_per_id", static_cast<double>(ResidentMemory() - before) /
                                         static_cast<double>(recovered->requests.index.size()));
  auto plain = WriteRounds(log->get(), rounds + 1000, kMeasuredRounds, /*with_ids=*/false);
  if (!plain.ok()) return plain.status();
  auto with_ids = WriteRounds(log->get(), rounds + 10'000, kMeasuredRounds, /*with_ids=*/true);
  if (!with_ids.ok()) return with_ids.status();
  const double plain_us = absl::ToDoubleMicroseconds(plain->Quantile(0.5));
  const double ids_us = absl::ToDoubleMicroseconds(with_ids->Quantile(0.5));
  PrintFigure("decision_with_100_ids_per_plain_decision", ids_us / plain_us);
  PrintFigure("microseconds_per_id", (ids_us - plain_us) / static_cast<double>(kIdsPerRound));
  return absl::OkStatus();
}

}  // namespace
}  // namespace lockstep::bench

int main(int argc, char** argv) {
  lockstep::bench::Options options;
  CLI::App app("What kept request_ids cost the coordinator.");
  app.add_option("--directory", options.directory, "an empty directory; its files stay")
      ->required();
  app.add_option("--ids", options.ids, "how many are kept")
      ->check(CLI::Range(uint64_t{10'000}, uint64_t{1'000'000'000}))
      ->capture_default_str();
  CLI11_PARSE(app, argc, argv);
  const absl::Status status = lockstep::bench::Run(options);
  if (!status.ok()) {
    std::fprintf(stderr, "lockstep-bench-ids: %s\n", std::string(status.message()).c_str());
    return 1;
  }
  return 0;
}
