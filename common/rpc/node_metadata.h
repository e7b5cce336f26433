// The trailing metadata in which every answer of a participant, errors too, says who it is.
#ifndef LOCKSTEP_COMMON_RPC_NODE_METADATA_H_
#define LOCKSTEP_COMMON_RPC_NODE_METADATA_H_

#include <grpcpp/client_context.h>

#include <cstdint>
#include <string>

#include "common/round_id.h"

namespace lockstep::rpc {

// Both decimal numbers.
inline constexpr char kBootIdKey[] = "lockstep-boot-id";
inline constexpr char kDurableRoundKey[] = "lockstep-durable-round";

struct NodeMetadata {
  uint64_t boot_id = 0;  // 0: the answer did not say
  RoundId durable;
};

// Any Call of a server.
template <typename AnyCall>
void AddNodeMetadata(AnyCall* call, const NodeMetadata& metadata) {
  call->AddTrailingMetadata(kBootIdKey, std::to_string(metadata.boot_id));
  call->AddTrailingMetadata(kDurableRoundKey, std::to_string(metadata.durable.value()));
}

// Of a call that has ended.
NodeMetadata NodeMetadataOf(const grpc::ClientContext& context);

}  // namespace lockstep::rpc

#endif  // LOCKSTEP_COMMON_RPC_NODE_METADATA_H_
