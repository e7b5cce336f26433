#include "common/rpc/channel.h"

namespace lockstep::rpc {
namespace {

// The pause between two attempts to connect, the shortest that gRPC has: a process that is back is
// to be found at once, and an attempt that is refused costs next to nothing.
constexpr int kReconnectMs = 100;
// What gRPC calls the least back-off is the time that one attempt may take.
constexpr int kConnectTimeoutMs = 2000;
constexpr int kResolveAgainMs = 1000;

}  // namespace

grpc::ChannelArguments InternalChannelArguments() {
  grpc::ChannelArguments arguments;
  arguments.SetInt(GRPC_ARG_KEEPALIVE_TIME_MS, kKeepaliveTimeMs);
  arguments.SetInt(GRPC_ARG_KEEPALIVE_TIMEOUT_MS, kKeepaliveTimeoutMs);
  arguments.SetInt(GRPC_ARG_KEEPALIVE_PERMIT_WITHOUT_CALLS, 1);
  arguments.SetInt(GRPC_ARG_HTTP2_MAX_PINGS_WITHOUT_DATA, 0);
  arguments.SetInt(GRPC_ARG_INITIAL_RECONNECT_BACKOFF_MS, kReconnectMs);
  arguments.SetInt(GRPC_ARG_MIN_RECONNECT_BACKOFF_MS, kConnectTimeoutMs);
  arguments.SetInt(GRPC_ARG_MAX_RECONNECT_BACKOFF_MS, kReconnectMs);
  arguments.SetInt(GRPC_ARG_DNS_MIN_TIME_BETWEEN_RESOLUTIONS_MS, kResolveAgainMs);
  arguments.SetInt(GRPC_ARG_USE_LOCAL_SUBCHANNEL_POOL, 1);
  arguments.SetInt(GRPC_ARG_ENABLE_HTTP_PROXY, 0);
  // A call that gRPC repeats by itself could run a round twice.
  arguments.SetInt(GRPC_ARG_ENABLE_RETRIES, 0);
  // What every call would pay for, and nobody uses: compression of what is sent, gRPC's own
  // statistics, and pings that guess the width of a network.
  arguments.SetInt(GRPC_ARG_ENABLE_PER_MESSAGE_COMPRESSION, 0);
  arguments.SetInt(GRPC_ARG_ENABLE_CHANNELZ, 0);
  arguments.SetInt(GRPC_ARG_HTTP2_BDP_PROBE, 0);
  arguments.SetMaxReceiveMessageSize(kMaxInternalBytes);
  arguments.SetMaxSendMessageSize(kMaxInternalBytes);
  return arguments;
}

std::shared_ptr<grpc::Channel> InternalChannel(const std::string& address) {
  return grpc::CreateCustomChannel(address, grpc::InsecureChannelCredentials(),
                                   InternalChannelArguments());
}

void SetServerArguments(grpc::ServerBuilder* builder, int max_receive_bytes) {
  builder->AddChannelArgument(GRPC_ARG_ALLOW_REUSEPORT, 0);
  // As for InternalChannelArguments; compressed requests are still understood.
  builder->AddChannelArgument(GRPC_ARG_ENABLE_PER_MESSAGE_COMPRESSION, 0);
  builder->AddChannelArgument(GRPC_ARG_ENABLE_CHANNELZ, 0);
  builder->AddChannelArgument(GRPC_ARG_HTTP2_BDP_PROBE, 0);
  builder->AddChannelArgument(GRPC_ARG_KEEPALIVE_TIME_MS, kKeepaliveTimeMs);
  builder->AddChannelArgument(GRPC_ARG_KEEPALIVE_TIMEOUT_MS, kKeepaliveTimeoutMs);
  builder->AddChannelArgument(GRPC_ARG_KEEPALIVE_PERMIT_WITHOUT_CALLS, 1);
  builder->AddChannelArgument(GRPC_ARG_HTTP2_MAX_PINGS_WITHOUT_DATA, 0);
  // Half the time of a client's pings, or a ping that is early counts as an attack.
  builder->AddChannelArgument(GRPC_ARG_HTTP2_MIN_RECV_PING_INTERVAL_WITHOUT_DATA_MS,
                              kKeepaliveTimeMs / 2);
  builder->SetMaxReceiveMessageSize(max_receive_bytes);
  builder->SetMaxSendMessageSize(kMaxInternalBytes);
}

}  // namespace lockstep::rpc
