// Why an address cannot be listened on, which gRPC does not tell.
#ifndef LOCKSTEP_COMMON_RPC_LISTEN_H_
#define LOCKSTEP_COMMON_RPC_LISTEN_H_

#include <string>

namespace lockstep::rpc {

// The system's words for why "host:port" cannot be listened on, such as "Address already in use".
// Tries it for a moment; any thread.
std::string WhyNotListening(const std::string& address);

}  // namespace lockstep::rpc

#endif  // LOCKSTEP_COMMON_RPC_LISTEN_H_
