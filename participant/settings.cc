#include "participant/settings.h"
#include "participant/checkpointer.h"

namespace lockstep::participant {
namespace {

constexpr int64_t kKiB = 1 << 10;
constexpr int64_t kMiB = 1 << 20;
constexpr int64_t kGiB = 1 << 30;

void DeclareLimits(Settings* settings, config::Schema* schema) {
  ExecutionLimits& execution = settings->options.engine.execution;
  schema->ByteSize("max_request_bytes", &settings->request_bytes, kKiB, rpc::kHighestLimitBytes,
                   "the largest request of a client");
  schema->Int("max_statements", &settings->request.statements, 1, 100'000,
              "the most statements of a transaction");
  schema->ByteSize("max_sql_bytes", &settings->sql_bytes, 100, 16 * kMiB,
                   "the longest SQL text of a statement");
  schema->ByteSize("max_value_bytes", &settings->value_bytes, kKiB, rpc::kHighestLimitBytes,
                   "the largest value of a parameter");
  schema->Int("max_result_rows", &execution.max_rows, 1, 100'000'000,
              "the most rows that a statement may return");
  schema->ByteSize("max_result_bytes", &execution.max_result_bytes, kKiB, rpc::kHighestLimitBytes,
                   "the largest result of a transaction or query");
  schema->ByteSize("max_changed_bytes", &execution.max_changed_bytes, kMiB, 64 * kGiB,
                   "changed pages of one transaction, which stay in memory until it ends");
  schema->Duration("statement_budget", &execution.statement_budget, absl::Milliseconds(1),
                   absl::Hours(1), "how long one statement of a transaction may run");
  schema->Duration("query_budget", &settings->options.query_budget, absl::Milliseconds(1),
                   absl::Hours(1), "how long one query may run");
  schema->Duration("default_timeout", &settings->request.default_timeout, absl::Milliseconds(1),
                   absl::Hours(1), "how long a call may take that does not say it");
  schema->Duration("max_timeout", &settings->request.max_timeout, absl::Milliseconds(1),
                   absl::Hours(1), "the longest timeout that a call may ask for");
  schema->ByteSize("statement_cache_bytes", &execution.statement_cache_bytes, 0, kGiB,
                   "prepared statements that a connection keeps");
  schema->ByteSize("max_working_bytes", &execution.max_working_bytes, kMiB, 64 * kGiB,
                   "memory of one statement beside the pages that it changes");
  schema->ByteSize(
      "sqlite_heap_bytes", &execution.sqlite_heap_bytes, 0, 1024 * kGiB,
      "memory of all of SQLite above which statements of clients get none; 0: no limit");
}

void DeclareRounds(Settings* settings, config::Schema* schema) {
  RoundLimits& round = settings->options.engine.round;
  schema->ByteSize("round_bytes", &settings->round_bytes, kMiB, kGiB,
                   "the statements of one round; the space for them is taken at the first start");
  schema->ByteSize("round_changed_bytes", &round.cache_bytes, kMiB, 64 * kGiB,
                   "changed pages of one round; what does not fit moves to the next round");
  schema->ByteSize("round_answer_bytes", &settings->answer_bytes, kMiB, rpc::kHighestLimitBytes,
                   "result rows of one round; what does not fit moves to the next round");
  schema->Int("queue_places", &settings->queue_places, 1, 1'000'000,
              "calls of clients that may wait; more are refused");
  schema->Int("readers", &settings->options.engine.readers, 1, 64,
              "read-only connections, each with a thread, for queries");
}

}  // namespace

Settings::Settings()
    : request_bytes(static_cast<int64_t>(request.request_bytes)),
      sql_bytes(static_cast<int64_t>(request.sql_bytes)),
      value_bytes(static_cast<int64_t>(request.value_bytes)),
      round_bytes(static_cast<int64_t>(options.engine.round.record_bytes)),
      answer_bytes(static_cast<int64_t>(options.engine.round.answer_bytes)),
      queue_places(static_cast<int>(options.client_places)) {
  server.listen = "127.0.0.1:7401";
}

void Declare(Settings* settings, config::Schema* schema) {
  config::DeclareServerSettings(&settings->server, schema);
  schema->String("node_id", &settings->node_id, "the participant's name, one in its cluster")
      .Required();
  schema->String("database", &settings->database, "the database that it is a replica of")
      .Required();
  schema->Choice("role", &settings->role, {"MASTER", "BACKUP"}, "what it is to its database");
  schema->Bool("standalone", &settings->standalone,
               "run local transactions before a coordinator has introduced itself");
  DeclareLimits(settings, schema);
  DeclareRounds(settings, schema);
}

void Complete(Settings* settings) {
  rpc::RequestLimits& request = settings->request;
  request.request_bytes = static_cast<size_t>(settings->request_bytes);
  request.sql_bytes = static_cast<size_t>(settings->sql_bytes);
  request.value_bytes = static_cast<size_t>(settings->value_bytes);

  ParticipantOptions& options = settings->options;
  options.client_places = static_cast<size_t>(settings->queue_places);

  EngineOptions& engine = options.engine;
  engine.standalone = settings->standalone;
  engine.name = {settings->server.cluster_id, settings->node_id, settings->database,
                 settings->role == "MASTER" ? NodeRole::kMaster : NodeRole::kBackup};
  engine.execution.max_sql_bytes = settings->sql_bytes;
  engine.execution.max_value_bytes = settings->value_bytes;
  engine.round.record_bytes = static_cast<size_t>(settings->round_bytes);
  engine.round.answer_bytes = static_cast<size_t>(settings->answer_bytes);
  engine.store.directory = settings->server.data_dir;
  engine.store.cluster_id = settings->server.cluster_id;
  engine.store.node_id = settings->node_id;
  engine.store.database = settings->database;
  engine.store.redo_capacity = settings->round_bytes;
  engine.store.wal_reserve = kWalReserveBytes;
}

}  // namespace lockstep::participant
