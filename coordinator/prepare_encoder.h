// The bytes of Prepare requests, made once for all replicas of a database.
//
// A PrepareRequest is a short header of its own for each node, then the branches, whose bytes all
// replicas share: encoded messages that follow each other are merged by who reads them.
#ifndef LOCKSTEP_COORDINATOR_PREPARE_ENCODER_H_
#define LOCKSTEP_COORDINATOR_PREPARE_ENCODER_H_

#include <grpcpp/support/byte_buffer.h>

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "absl/time/time.h"
#include "common/round_id.h"
#include "lockstep/v1/coordinator.pb.h"

namespace lockstep::coordinator {

// Branch.operations, encoded: those operations of a request that name one database. `indexes` are
// their places in the request, rising. Keep it with the transaction until it is decided.
std::string EncodeOperations(const v1::ExecuteRequest& request, const std::vector<int>& indexes);

// Collects the branches of one round for one database. Not thread-safe.
class BranchesEncoder {
 public:
  // `bytes` is about what will be added.
  explicit BranchesEncoder(size_t bytes = 0) { encoded_.reserve(bytes); }

  // In the round's order. `operations` comes from EncodeOperations; it is copied. `time_left` is
  // finite and not negative.
  void Add(std::string_view transaction_id, absl::Time clock, uint64_t seed,
           absl::Duration time_left, std::string_view operations);

  // What was added. Copies of the slice share its bytes; any thread.
  grpc::Slice Encode() &&;

 private:
  std::string encoded_;
};

// Whom a call is meant for, and by whose authority (lockstep.v1.Target).
struct CallTarget {
  std::string cluster_id;
  std::string node_id;
  Term term = 0;
};

// The whole request for one node. Shares `branches`.
grpc::ByteBuffer EncodePrepare(const CallTarget& target, RoundId round, bool want_rows,
                               const grpc::Slice& branches);

}  // namespace lockstep::coordinator

#endif  // LOCKSTEP_COORDINATOR_PREPARE_ENCODER_H_
