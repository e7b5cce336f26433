#include "common/rpc/grpc_logs.h"

#include <grpc/support/log.h>

#include <cstdlib>
#include <string>
#include <string_view>

#include "common/logging.h"

namespace lockstep::rpc {
namespace {

// gRPC 1.51 says so when there are no file descriptors left, and never again accepts a connection,
// also when there are some: everybody who is not connected would wait for ever.
constexpr std::string_view kIsDeaf = "Failed accept4";

void EndIfDeaf(std::string_view message) {
  if (message.substr(0, kIsDeaf.size()) != kIsDeaf) return;
  Log(LogLevel::kCritical,
      "this server cannot accept connections any more and ends, to be started again; if too many "
      "files are open, close connections or raise the limit (ulimit -n)",
      {{"reason", std::string(message)}});
  std::_Exit(EXIT_FAILURE);
}

}  // namespace

void RouteGrpcLogs() {
  gpr_set_log_function([](gpr_log_func_args* line) {
    EndIfDeaf(line->message);
    const LogLevel level =
        line->severity == GPR_LOG_SEVERITY_ERROR ? LogLevel::kWarning : LogLevel::kDebug;
    Log(level, line->message, {{"source", "grpc"}});
  });
}

}  // namespace lockstep::rpc
