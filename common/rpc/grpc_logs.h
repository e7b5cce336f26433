// gRPC's own log lines as ours.
#ifndef LOCKSTEP_COMMON_RPC_GRPC_LOGS_H_
#define LOCKSTEP_COMMON_RPC_GRPC_LOGS_H_

namespace lockstep::rpc {

// From now on what gRPC logs in this process goes through common/logging.h, as warnings: gRPC calls
// many a thing an error that is none here, such as a peer that is not up yet. Ends the process when
// gRPC has given up accepting connections. May be called again.
void RouteGrpcLogs();

}  // namespace lockstep::rpc

#endif  // LOCKSTEP_COMMON_RPC_GRPC_LOGS_H_
