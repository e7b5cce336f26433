#include "common/rpc/node_metadata.h"

#include <charconv>

namespace lockstep::rpc {
namespace {

// Zero for what is absent or no number.
template <typename Number>
Number NumberOf(const grpc::ClientContext& context, const char* key) {
  const auto& metadata = context.GetServerTrailingMetadata();
  const auto found = metadata.find(key);
  if (found == metadata.end()) return 0;
  const char* const end = found->second.data() + found->second.size();
  Number number = 0;
  const auto [stop, error] = std::from_chars(found->second.data(), end, number);
  return error == std::errc() && stop == end ? number : 0;
}

}  // namespace

NodeMetadata NodeMetadataOf(const grpc::ClientContext& context) {
  NodeMetadata metadata;
  metadata.boot_id = NumberOf<uint64_t>(context, kBootIdKey);
  const auto durable = NumberOf<int64_t>(context, kDurableRoundKey);
  if (durable > 0) metadata.durable = RoundId::FromValue(durable);
  return metadata;
}

}  // namespace lockstep::rpc
