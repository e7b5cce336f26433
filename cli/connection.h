// The connection of one command to one server.
#ifndef LOCKSTEP_CLI_CONNECTION_H_
#define LOCKSTEP_CLI_CONNECTION_H_

#include <grpcpp/grpcpp.h>

#include <memory>
#include <string>

#include "absl/time/time.h"

namespace lockstep::cli {

// Connects. A status with the code UNAVAILABLE when the first try fails or `patience` is over:
// then nothing was sent.
grpc::Status Connect(const std::string& endpoint, absl::Duration patience,
                     std::shared_ptr<grpc::Channel>* channel);

// A context whose call ends after `time`.
void SetDeadline(absl::Duration time, grpc::ClientContext* context);

// Asks grpc.health.v1.Health about the whole server; OK means SERVING.
grpc::Status CheckServing(const std::shared_ptr<grpc::Channel>& channel, absl::Duration time);

}  // namespace lockstep::cli

#endif  // LOCKSTEP_CLI_CONNECTION_H_
