// Channels and servers with the settings that Lockstep's connections need.
#ifndef LOCKSTEP_COMMON_RPC_CHANNEL_H_
#define LOCKSTEP_COMMON_RPC_CHANNEL_H_

#include <grpcpp/grpcpp.h>

#include <memory>
#include <string>

namespace lockstep::rpc {

// What a client may send: a request of 16 MiB, and room for the encoding around it.
inline constexpr int kMaxRequestBytes = (16 << 20) + (1 << 20);
// What the servers of a cluster may send each other: a round has many requests in it.
inline constexpr int kMaxInternalBytes = 512 << 20;

// A frozen peer is noticed after kKeepaliveTime + kKeepaliveTimeout.
inline constexpr int kKeepaliveTimeMs = 5000;
inline constexpr int kKeepaliveTimeoutMs = 3000;

// For a channel inside the cluster: notices a frozen peer, tries to reconnect ten times a second,
// also to a peer whose name got another address (after a second), shares no connection with another
// channel, uses no proxy, never retries a call by itself.
grpc::ChannelArguments InternalChannelArguments();

// A channel to one participant or coordinator of the cluster, "host:port". Connects with its first
// call.
std::shared_ptr<grpc::Channel> InternalChannel(const std::string& address);

// For every server: lets clients ping as often as InternalChannelArguments does, pings them too,
// takes a port for itself alone, receives up to `max_receive_bytes`.
void SetServerArguments(grpc::ServerBuilder* builder, int max_receive_bytes);

}  // namespace lockstep::rpc

#endif  // LOCKSTEP_COMMON_RPC_CHANNEL_H_
