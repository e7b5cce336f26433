// lockstep-coordinator: orders transactions, and decides how they end.
#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <limits>
#include <memory>
#include <optional>
#include <string>
#include <utility>

#include "common/clock.h"
#include "common/config/schema.h"
#include "common/logging.h"
#include "common/rpc/runtime.h"
#include "common/rpc/server.h"
#include "common/rpc/signal_waiter.h"
#include "common/sqlite/file.h"
#include "coordinator/coordinator.h"
#include "coordinator/coordinator_service.h"
#include "coordinator/settings.h"
#include "coordinator/sqlite_decision_log.h"

extern char** environ;

namespace lockstep::coordinator {
namespace {

// Health does not wait longer than this for participants that do not answer.
constexpr absl::Duration kLongestFirstQuestion = absl::Seconds(2);
constexpr int kWrongUsage = 2;

int Refuse(const std::string& what, const absl::Status& status) {
  Log(LogLevel::kCritical, what + ": " + std::string(status.message()));
  return EXIT_FAILURE;
}

// The sync of the next commit covers it. A full disk is no reason not to start.
void EnlargeWal(const std::string& directory) {
  const absl::Status enlarged = sqlite::EnlargeInAdvance(
      "", sqlite::ChecksumVfs::WalPath(directory + "/" + SqliteDecisionLog::kFile),
      SqliteDecisionLog::kUsualWalBytes);
  if (enlarged.ok()) return;
  Log(LogLevel::kWarning, "the decision log could not be enlarged in advance; it will be slower",
      {{"reason", std::string(enlarged.message())}});
}

absl::StatusOr<std::unique_ptr<DecisionLog>> OpenLog(const Settings& settings,
                                                     const Cluster& cluster) {
  absl::StatusOr<std::unique_ptr<SqliteDecisionLog>> log =
      SqliteDecisionLog::Open(LogOptionsOf(settings));
  if (!log.ok()) return log.status();
  EnlargeWal(settings.server.data_dir);
  if (absl::Status status = (*log)->SetMembers(cluster.Members()); !status.ok()) return status;
  return std::unique_ptr<DecisionLog>(*std::move(log));
}

rpc::ServerOptions ServerOptionsOf(const Settings& settings) {
  rpc::ServerOptions options;
  options.address = settings.server.listen;
  options.max_receive_bytes = static_cast<int>(settings.request_bytes) + (1 << 20);
  return options;
}

// As many as the protocol's queue may hold, those of a round at each participant on top, and as
// many again that have joined others with the same request_id.
int MostTransactions(const Settings& settings, const Cluster& cluster) {
  const int64_t in_rounds =
      int64_t{settings.round_transactions} * static_cast<int64_t>(cluster.nodes().size());
  const int64_t most = 2 * (settings.queue_transactions + in_rounds);
  return static_cast<int>(std::min<int64_t>(most, std::numeric_limits<int>::max()));
}

// Serves until a signal comes, and ends what is under way.
int Serve(const Settings& settings, const Cluster& cluster, std::unique_ptr<DecisionLog> log,
          rpc::SignalWaiter* signals) {
  const SystemClock clock;
  rpc::Server server(ServerOptionsOf(settings));
  CoordinatorOptions options = CoordinatorOptionsOf(settings);
  options.answer = [queue = server.queues().at(0)](absl::AnyInvocable<void()> task) {
    queue->Post(std::move(task));
  };
  absl::StatusOr<std::unique_ptr<Coordinator>> coordinator = Coordinator::Make(
      &cluster, &clock, ConnectTo(cluster, &server.queues()), std::move(log), std::move(options));
  if (!coordinator.ok()) return Refuse("cannot start", coordinator.status());
  AddCoordinatorService(&server, coordinator->get(), RequestLimitsOf(settings),
                        MostTransactions(settings, cluster));
  if (absl::Status listening = server.Start(); !listening.ok()) {
    return Refuse("cannot start", listening);
  }
  (*coordinator)->Start();
  (*coordinator)->WaitUntilAllAsked(kLongestFirstQuestion);
  server.SetServing(true);
  Log(LogLevel::kInfo, "started",
      {{"cluster_id", cluster.id()},
       {"term", (*coordinator)->term()},
       {"listen", settings.server.listen},
       {"port", server.port()},
       {"participants", cluster.nodes().size()}});
  const int signal = signals->Wait();
  Log(LogLevel::kInfo, "stopping", {{"signal", signal}});
  (*coordinator)->Refuse();
  server.Refuse();
  // Before the server cancels what is not answered: a client is to learn its transaction's name.
  (*coordinator)->Shutdown(settings.server.shutdown_timeout / 2);
  server.StopServing(settings.server.shutdown_timeout / 4);
  server.DrainQueues();
  return EXIT_SUCCESS;
}

int Run(const Settings& settings, const config::Parsed& parsed, rpc::SignalWaiter* signals) {
  const absl::StatusOr<Cluster> cluster = ClusterOf(settings, parsed);
  if (!cluster.ok()) {
    Log(LogLevel::kCritical, std::string(cluster.status().message()));
    return kWrongUsage;
  }
  absl::StatusOr<std::unique_ptr<DecisionLog>> log = OpenLog(settings, *cluster);
  if (!log.ok()) return Refuse("cannot start", log.status());
  const int code = Serve(settings, *cluster, *std::move(log), signals);
  if (code == EXIT_SUCCESS) Log(LogLevel::kInfo, "stopped");
  return code;
}

int Main(int argc, char** argv) {
  rpc::PrepareRuntime();
  rpc::SignalWaiter signals;
  Settings settings;
  config::Schema schema("lockstep-coordinator", "orders transactions, and decides how they end");
  Declare(&settings, &schema);
  const absl::StatusOr<config::Parsed> parsed = schema.Parse(argc, argv, environ);
  if (const std::optional<int> code = config::ExitCode(parsed)) return *code;
  if (const absl::Status wrong = config::CheckServerSettings(settings.server, *parsed);
      !wrong.ok()) {
    Log(LogLevel::kCritical, std::string(wrong.message()));
    return kWrongUsage;
  }
  config::ApplyServerSettings(settings.server);
  return Run(settings, *parsed, &signals);
}

}  // namespace
}  // namespace lockstep::coordinator

int main(int argc, char** argv) { return lockstep::coordinator::Main(argc, argv); }
