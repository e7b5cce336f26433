// What can be asked of a participant, and how it answers, without gRPC.
#ifndef LOCKSTEP_PARTICIPANT_CALLS_H_
#define LOCKSTEP_PARTICIPANT_CALLS_H_

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/functional/any_invocable.h"
#include "absl/time/time.h"
#include "common/branch.h"
#include "common/error.h"
#include "common/round_id.h"
#include "common/value.h"
#include "participant/round_body.h"

namespace lockstep::participant {

// Called exactly once, on whatever thread has the answer; must not block.
template <typename T>
using Done = absl::AnyInvocable<void(Result<T>)>;

// An answer that has nothing to say but the report that goes with each.
struct Ok {};

// Whom a call is meant for, and by whose authority.
struct Target {
  std::string cluster_id;
  std::string node_id;
  Term term = 0;
};

struct PrepareCall {
  Target target;
  RoundId round;
  std::vector<Branch> branches;
  RoundBody body;  // of the same branches
};

struct Votes {
  std::shared_ptr<const std::vector<BranchVote>> votes;
  absl::Duration queue_time;
  absl::Duration sync_time;
};

struct CommitCall {
  Target target;
  RoundId round;
  std::optional<uint32_t> cut;
};

struct RollbackCall {
  Target target;
  RoundId round;
};

struct FenceCall {
  Target target;
  std::string log_id;
  std::string database;
  int role = 0;
  uint32_t replicas = 0;
  uint32_t data_format = 0;
  uint64_t boot_id = 0;
  std::vector<uint64_t> earlier_boot_ids;  // of terms 1, 2 and so on
};

struct StatusCall {
  Target target;
};

// `timeout` counts from the call, waiting included.
struct LocalCall {
  std::vector<Statement> statements;
  absl::Duration timeout;
};

struct QueryCall {
  Statement select;
  // Set: MAX(version) of this table, instead of `select`.
  std::string version_of_table;
  // Answered when this round is visible.
  RoundId least_round;
  absl::Duration timeout;
};

struct ReadCall {
  Target target;
  QueryCall query;
};

struct QueryRows {
  std::vector<Column> columns;
  std::vector<Row> rows;
  int64_t table_version = 0;
  RoundId round;  // the applied one that the rows show
};

// `busy`: a statement was running on the connection that commits, which was not asked.
struct Health {
  bool busy = false;
  uint32_t mailbox_length = 0;
};

}  // namespace lockstep::participant

#endif  // LOCKSTEP_PARTICIPANT_CALLS_H_
