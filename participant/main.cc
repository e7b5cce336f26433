// lockstep-participant: one node, a gRPC server around one SQLite file.
#include <cstdlib>
#include <future>
#include <memory>
#include <optional>
#include <string>
#include <thread>

#include "common/clock.h"
#include "common/config/schema.h"
#include "common/config/server_settings.h"
#include "common/logging.h"
#include "common/rpc/channel.h"
#include "common/rpc/runtime.h"
#include "common/rpc/server.h"
#include "common/rpc/signal_waiter.h"
#include "participant/participant.h"
#include "participant/participant_service.h"
#include "participant/settings.h"
#include "participant/storage/prepare_store.h"
#include "participant/two_phase_commit_service.h"

extern char** environ;

namespace lockstep::participant {
namespace {

// Of the time that a stop may take.
constexpr absl::Duration kStopReserve = absl::Seconds(1);

int Refuse(const std::string& what, const absl::Status& status) {
  Log(LogLevel::kCritical, what + ": " + std::string(status.message()));
  return EXIT_FAILURE;
}

rpc::ServerOptions ServerOptionsOf(const Settings& settings) {
  rpc::ServerOptions options;
  options.address = settings.server.listen;
  // A round has the requests of many clients in it.
  options.max_receive_bytes = rpc::kMaxInternalBytes;
  return options;
}

// Ends the process when an orderly stop takes longer than it may: one statement can keep the actor
// for as long as its budget. Nothing is lost, as by any kill: what was promised is durable.
class StopDeadline {
 public:
  explicit StopDeadline(absl::Duration after)
      : thread_([this, after] {
          if (stopped_.get_future().wait_for(absl::ToChronoMilliseconds(after)) ==
              std::future_status::ready) {
            return;
          }
          Log(LogLevel::kWarning, "stopped in the middle of a statement, as the time was over");
          std::_Exit(EXIT_SUCCESS);
        }) {}
  ~StopDeadline() {
    stopped_.set_value();
    thread_.join();
  }
  StopDeadline(const StopDeadline&) = delete;
  StopDeadline& operator=(const StopDeadline&) = delete;

 private:
  std::promise<void> stopped_;
  std::thread thread_;
};

// Until a signal comes; health follows the node meanwhile.
void Serve(const ParticipantHandle& handle, rpc::Server* server, rpc::SignalWaiter* signals) {
  handle.WatchServing([server](bool serving) { server->SetServing(serving); });
  const int signal = signals->Wait();
  handle.WatchServing(nullptr);
  Log(LogLevel::kInfo, "stopping", {{"signal", signal}});
}

int Run(const Settings& settings, rpc::SignalWaiter* signals) {
  const SystemClock clock;
  const absl::Duration start = clock.MonotonicNow();
  auto participant = Participant::Start(settings.options, &clock);
  if (!participant.ok()) return Refuse("cannot start", participant.status());
  const absl::Duration opened = clock.MonotonicNow();
  if (const absl::Status proven = SelfTest(settings.server.data_dir); !proven.ok()) {
    return Refuse("this machine cannot keep a prepared transaction", proven);
  }
  const absl::Duration self_test = clock.MonotonicNow() - opened;
  const OpenTimes& open = (*participant)->open_times();
  const ParticipantHandle handle = (*participant)->handle();
  {
    rpc::Server server(ServerOptionsOf(settings));
    AddParticipantService(handle, settings.request, &server);
    AddTwoPhaseCommitService(handle, settings.request, settings.options.engine.round.record_bytes,
                             &server);
    if (const absl::Status listening = server.Start(); !listening.ok()) {
      return Refuse("cannot start", listening);
    }
    const NodeReport report = handle.Report();
    Log(LogLevel::kInfo, "started",
        {{"node_id", settings.node_id},
         {"database", settings.database},
         {"listen", settings.server.listen},
         {"port", server.port()},
         {"applied_round", report.applied.value()},
         {"in_doubt_round", report.held ? report.held->round.value() : 0},
         {"serving", report.serving},
         {"sync_milliseconds", absl::ToDoubleMilliseconds(open.sync)},
         {"scan_milliseconds", absl::ToDoubleMilliseconds(open.scan)},
         {"open_milliseconds", absl::ToDoubleMilliseconds(open.open)},
         {"self_test_milliseconds", absl::ToDoubleMilliseconds(self_test)},
         {"milliseconds", absl::ToDoubleMilliseconds(clock.MonotonicNow() - start)}});
    Serve(handle, &server, signals);
    const StopDeadline deadline(settings.server.shutdown_timeout - kStopReserve);
    server.SetServing(false);
    // First, so that no call waits on: each is answered, the late ones with SHUTTING_DOWN.
    (*participant)->Stop();
    server.StopServing(kStopReserve);
    server.DrainQueues();
  }
  Log(LogLevel::kInfo, "stopped");
  return EXIT_SUCCESS;
}

int Main(int argc, char** argv) {
  rpc::PrepareRuntime();
  // Before any thread: SQL must see the same local time on every node.
  setenv("TZ", "UTC", 1);
  rpc::SignalWaiter signals;
  Settings settings;
  config::Schema schema("lockstep-participant", "one node: a gRPC server around one SQLite file");
  Declare(&settings, &schema);
  const absl::StatusOr<config::Parsed> parsed = schema.Parse(argc, argv, environ);
  if (const std::optional<int> code = config::ExitCode(parsed)) return *code;
  if (const absl::Status wrong = config::CheckServerSettings(settings.server, *parsed);
      !wrong.ok()) {
    Log(LogLevel::kCritical, std::string(wrong.message()));
    return 2;
  }
  config::ApplyServerSettings(settings.server);
  Complete(&settings);
  return Run(settings, &signals);
}

}  // namespace
}  // namespace lockstep::participant

int main(int argc, char** argv) { return lockstep::participant::Main(argc, argv); }
