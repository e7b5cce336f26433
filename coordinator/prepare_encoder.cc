#include "coordinator/prepare_encoder.h"

#include <google/protobuf/io/coded_stream.h>
#include <google/protobuf/wire_format_lite.h>

#include <utility>

#include "common/rpc/convert.h"
#include "lockstep/v1/two_phase_commit.pb.h"

namespace lockstep::coordinator {
namespace {

using google::protobuf::internal::WireFormatLite;
using google::protobuf::io::CodedOutputStream;

size_t VarintBytes(uint64_t value) { return CodedOutputStream::VarintSize64(value); }

void AppendVarint(uint64_t value, std::string* out) {
  uint8_t buffer[10];
  const uint8_t* end = CodedOutputStream::WriteVarint64ToArray(value, buffer);
  out->append(reinterpret_cast<const char*>(buffer), static_cast<size_t>(end - buffer));
}

// The head of a field whose value is `bytes` long and follows.
void AppendHead(int field, size_t bytes, std::string* out) {
  AppendVarint(WireFormatLite::MakeTag(field, WireFormatLite::WIRETYPE_LENGTH_DELIMITED), out);
  AppendVarint(bytes, out);
}

// All our field numbers are below 16: a tag is one byte.
size_t FieldBytes(size_t bytes) { return 1 + VarintBytes(bytes) + bytes; }

void AppendOperation(int index, const v1::Operation& operation, std::string* out) {
  v1::BranchOperation head;
  head.set_operation(static_cast<uint32_t>(index));
  size_t bytes = head.ByteSizeLong();
  for (const v1::Statement& statement : operation.statements()) {
    bytes += FieldBytes(statement.ByteSizeLong());
  }
  AppendHead(v1::Branch::kOperationsFieldNumber, bytes, out);
  head.AppendPartialToString(out);
  for (const v1::Statement& statement : operation.statements()) {
    AppendHead(v1::BranchOperation::kStatementsFieldNumber,
               static_cast<size_t>(statement.GetCachedSize()), out);
    statement.AppendPartialToString(out);
  }
}

}  // namespace

std::string EncodeOperations(const v1::ExecuteRequest& request, const std::vector<int>& indexes) {
  std::string encoded;
  for (const int index : indexes) AppendOperation(index, request.operations(index), &encoded);
  return encoded;
}

void BranchesEncoder::Add(std::string_view transaction_id, absl::Time clock, uint64_t seed,
                          absl::Duration time_left, std::string_view operations) {
  v1::Branch head;
  head.set_transaction_id(std::string(transaction_id));
  rpc::ToProto(clock, head.mutable_clock());
  head.set_seed(seed);
  rpc::ToProto(time_left, head.mutable_time_left());
  AppendHead(v1::PrepareRequest::kBranchesFieldNumber, head.ByteSizeLong() + operations.size(),
             &encoded_);
  head.AppendPartialToString(&encoded_);
  encoded_.append(operations);
}

grpc::Slice BranchesEncoder::Encode() && {
  // The string lives as long as the last copy of the slice.
  auto bytes = std::make_unique<std::string>(std::move(encoded_));
  std::string* owned = bytes.release();
  return grpc::Slice(
      owned->data(), owned->size(),
      [](void* user_data) { std::unique_ptr<std::string>(static_cast<std::string*>(user_data)); },
      owned);
}

grpc::ByteBuffer EncodePrepare(const CallTarget& target, RoundId round, bool want_rows,
                               const grpc::Slice& branches) {
  v1::PrepareRequest head;
  head.mutable_target()->set_cluster_id(target.cluster_id);
  head.mutable_target()->set_node_id(target.node_id);
  head.mutable_target()->set_term(target.term);
  head.set_round(round.value());
  head.set_want_rows(want_rows);
  const grpc::Slice slices[] = {grpc::Slice(head.SerializeAsString()), branches};
  return grpc::ByteBuffer(slices, 2);
}

}  // namespace lockstep::coordinator
