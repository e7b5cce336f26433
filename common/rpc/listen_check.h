// Why an address cannot be listened on, which gRPC only logs.
#ifndef LOCKSTEP_COMMON_RPC_LISTEN_CHECK_H_
#define LOCKSTEP_COMMON_RPC_LISTEN_CHECK_H_

#include <string>

#include "absl/status/status.h"

namespace lockstep::rpc {

// Whether "host:port" can be listened on at this moment; a failure says why in the system's words,
// such as "cannot listen on 127.0.0.1:7400: Address already in use". Any thread.
absl::Status CheckListenAddress(const std::string& address);

}  // namespace lockstep::rpc

#endif  // LOCKSTEP_COMMON_RPC_LISTEN_CHECK_H_
