#include "common/rpc/grpc_logs.h"

#include <grpc/support/log.h>

#include "common/logging.h"

namespace lockstep::rpc {

void RouteGrpcLogs() {
  gpr_set_log_function([](gpr_log_func_args* line) {
    const LogLevel level =
        line->severity == GPR_LOG_SEVERITY_ERROR ? LogLevel::kWarning : LogLevel::kDebug;
    Log(level, line->message, {{"source", "grpc"}});
  });
}

}  // namespace lockstep::rpc
