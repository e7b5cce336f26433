// The floor under every unary call: a server with nothing behind it.
#ifndef LOCKSTEP_BENCH_EMPTY_SERVER_H_
#define LOCKSTEP_BENCH_EMPTY_SERVER_H_

#include <memory>
#include <string>

#include "absl/status/statusor.h"

namespace lockstep::bench {

// A server of the same kind as the coordinator's, whose Execute is answered at once. What a call to
// it costs is what gRPC costs, at both ends; no coordinator can be faster than that.
class EmptyServer {
 public:
  // Listens on a free port of the loopback address.
  static absl::StatusOr<std::unique_ptr<EmptyServer>> Start();
  virtual ~EmptyServer() = default;

  // "host:port".
  virtual std::string endpoint() const = 0;
};

}  // namespace lockstep::bench

#endif  // LOCKSTEP_BENCH_EMPTY_SERVER_H_
