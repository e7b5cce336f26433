#include "coordinator/settings.h"

#include <random>
#include <utility>

namespace lockstep::coordinator {
namespace {

constexpr int64_t kKiB = 1 << 10;
constexpr int64_t kMiB = 1 << 20;
constexpr int64_t kGiB = 1 << 30;

uint64_t DrawSeed() {
  std::random_device device;
  return (uint64_t{device()} << 32) | device();
}

void DeclareLimits(Settings* settings, config::Schema* schema) {
  schema->ByteSize("max_request_bytes", &settings->request_bytes, kKiB, rpc::kHighestLimitBytes,
                   "the largest request of a client");
  schema->Int("max_statements", &settings->request.statements, 1, 100'000,
              "the most statements of a transaction");
  schema->Int("max_databases", &settings->request.databases, 1, 1'000,
              "the most databases of a transaction");
  schema->ByteSize("max_sql_bytes", &settings->sql_bytes, 100, 16 * kMiB,
                   "the longest SQL text of a statement");
  schema->ByteSize("max_value_bytes", &settings->value_bytes, kKiB, rpc::kHighestLimitBytes,
                   "the largest value of a parameter");
  schema->ByteSize("max_result_bytes", &settings->result_bytes, kKiB, kGiB,
                   "the largest results of a transaction");
  schema->Duration("default_timeout", &settings->request.default_timeout, absl::Milliseconds(1),
                   absl::Hours(1), "how long a call may take that does not say it");
  schema->Duration("max_timeout", &settings->request.max_timeout, absl::Milliseconds(1),
                   absl::Hours(1), "the longest timeout that a call may ask for");
  schema->Int("queue_transactions", &settings->queue_transactions, 1, 1'000'000,
              "the most transactions that may wait; more are refused");
  schema->ByteSize("queue_bytes", &settings->queue_bytes, kMiB, 64 * kGiB,
                   "the statements of all transactions that may wait; more are refused");
  schema->ByteSize("max_kept_answer_bytes", &settings->kept_answer_bytes, 0, 1024 * kGiB,
                   "the kept answers of request_ids; with more, new request_ids are refused");
  schema->Int("max_remembered_attempts", &settings->remembered_attempts, 0, 100'000'000,
              "request_ids that gave an attempt and were not committed, 250 bytes each; more are "
              "refused");
}

void DeclareRounds(Settings* settings, config::Schema* schema) {
  schema->Int("round_transactions", &settings->round_transactions, 1, 100'000,
              "the most transactions of one round");
  schema->ByteSize("round_bytes", &settings->round_bytes, kKiB, rpc::kHighestLimitBytes,
                   "the statements of one round at one participant");
  schema->Duration("round_execution_time", &settings->round_execution_time, absl::Milliseconds(1),
                   absl::Minutes(1), "about how long a round may execute at one participant");
}

}  // namespace

Settings::Settings()
    : request_bytes(static_cast<int64_t>(request.request_bytes)),
      sql_bytes(static_cast<int64_t>(request.sql_bytes)),
      value_bytes(static_cast<int64_t>(request.value_bytes)),
      result_bytes(static_cast<int64_t>(CoordinatorOptions().max_result_bytes)),
      queue_transactions(static_cast<int>(QueueCaps().transactions)),
      queue_bytes(static_cast<int64_t>(QueueCaps().bytes)),
      kept_answer_bytes(static_cast<int64_t>(DecisionLogThreadOptions().most_answer_bytes)),
      remembered_attempts(static_cast<int>(RequestTableOptions().attempts)),
      round_transactions(static_cast<int>(RoundCaps().transactions)),
      round_bytes(static_cast<int64_t>(RoundCaps().bytes)),
      round_execution_time(RoundCaps().execution_time),
      least_free_bytes(static_cast<int64_t>(SqliteDecisionLogOptions().least_free_bytes)),
      reserve_bytes(static_cast<int64_t>(SqliteDecisionLogOptions().reserve_bytes)) {
  server.listen = "127.0.0.1:7400";
}

void Declare(Settings* settings, config::Schema* schema) {
  config::DeclareServerSettings(&settings->server, schema);
  schema
      ->List("cluster", &settings->cluster,
             {{.name = "node_id", .help = "the participant's name"},
              {.name = "database", .help = "the database that it is a replica of"},
              {.name = "role", .help = "one MASTER per database", .choices = {"MASTER", "BACKUP"}},
              {.name = "address",
               .help = "where it listens",
               .kind = config::ListField::Kind::kAddress}},
             "the participants")
      .Required();
  DeclareLimits(settings, schema);
  DeclareRounds(settings, schema);
  schema->Duration("slow_transaction_threshold", &settings->slow_transaction_threshold,
                   absl::Milliseconds(1), absl::Hours(24),
                   "transactions that take longer are logged");
  schema->ByteSize("least_free_bytes", &settings->least_free_bytes, 0, 1024 * kGiB,
                   "with less free space in data_dir, new transactions are refused");
  schema->ByteSize("reserve_bytes", &settings->reserve_bytes, 0, kGiB,
                   "space in data_dir kept for the decisions of transactions that have begun");
}

rpc::RequestLimits RequestLimitsOf(const Settings& settings) {
  rpc::RequestLimits limits = settings.request;
  limits.request_bytes = static_cast<size_t>(settings.request_bytes);
  limits.sql_bytes = static_cast<size_t>(settings.sql_bytes);
  limits.value_bytes = static_cast<size_t>(settings.value_bytes);
  return limits;
}

CoordinatorOptions CoordinatorOptionsOf(const Settings& settings) {
  CoordinatorOptions options;
  options.mailbox_capacity = static_cast<size_t>(settings.queue_transactions);
  options.round_caps.transactions = static_cast<uint32_t>(settings.round_transactions);
  options.round_caps.bytes = static_cast<uint64_t>(settings.round_bytes);
  options.round_caps.execution_time = settings.round_execution_time;
  options.queue_caps.transactions = static_cast<uint64_t>(settings.queue_transactions);
  options.queue_caps.bytes = static_cast<uint64_t>(settings.queue_bytes);
  options.slow_transaction = settings.slow_transaction_threshold;
  options.max_result_bytes = static_cast<uint64_t>(settings.result_bytes);
  options.log.most_answer_bytes = static_cast<uint64_t>(settings.kept_answer_bytes);
  options.least_free_bytes = static_cast<uint64_t>(settings.least_free_bytes);
  options.requests.attempts = static_cast<size_t>(settings.remembered_attempts);
  options.random_seed = DrawSeed();
  return options;
}

SqliteDecisionLogOptions LogOptionsOf(const Settings& settings) {
  SqliteDecisionLogOptions options;
  options.directory = settings.server.data_dir;
  options.cluster_id = settings.server.cluster_id;
  options.least_free_bytes = static_cast<uint64_t>(settings.least_free_bytes);
  options.reserve_bytes = static_cast<uint64_t>(settings.reserve_bytes);
  return options;
}

absl::StatusOr<Cluster> ClusterOf(const Settings& settings, const config::Parsed& parsed) {
  std::vector<ClusterNode> nodes;
  for (const config::ListEntry& entry : settings.cluster) {
    nodes.push_back(
        {.node_id = entry.at("node_id"),
         .database = entry.at("database"),
         .role = entry.at("role") == "MASTER" ? MemberRole::kMaster : MemberRole::kBackup,
         .address = entry.at("address")});
  }
  absl::StatusOr<Cluster> cluster = Cluster::Make(settings.server.cluster_id, std::move(nodes));
  if (cluster.ok()) return cluster;
  const auto origin = parsed.origins.find("cluster");
  if (origin == parsed.origins.end()) return cluster.status();
  return config::ErrorAt(origin->second, std::string(cluster.status().message()));
}

}  // namespace lockstep::coordinator
