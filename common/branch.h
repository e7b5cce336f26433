// A branch of a transaction and the vote on it, as a participant works with them.
#ifndef LOCKSTEP_COMMON_BRANCH_H_
#define LOCKSTEP_COMMON_BRANCH_H_

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "absl/time/time.h"
#include "common/error.h"
#include "common/value.h"

namespace lockstep {

// The statements of one operation at one participant.
struct BranchOperation {
  int operation = 0;  // its place in the transaction, from 0
  std::vector<Statement> statements;
};

// The part of a transaction that one participant runs.
struct Branch {
  std::string transaction_id;
  absl::Time clock;   // the instant that every time function sees (rule R23)
  uint64_t seed = 0;  // of random() and randomblob() (rule R23)
  std::vector<BranchOperation> operations;
  bool want_rows = false;
  absl::Duration time_left = absl::InfiniteDuration();  // not recorded: re-execution has no budget
};

enum class VoteKind { kYes = 1, kNo = 2, kDefer = 3 };

struct BranchResult {
  int operation = 0;
  std::vector<StatementResult> statements;
};

// Requires of its maker: error is set exactly when kind is kNo; digest and results mean something
// only when kind is kYes.
struct BranchVote {
  VoteKind kind = VoteKind::kNo;
  uint64_t digest = 0;
  std::optional<Error> error;
  std::vector<BranchResult> results;
  absl::Duration execution_time;
};

}  // namespace lockstep

#endif  // LOCKSTEP_COMMON_BRANCH_H_
