#include "tests/simulation/model.h"

#include "tests/simulation/random.h"

namespace lockstep::simulation {
namespace {

// A branch is a NO when its row, which earlier transactions wrote, has one of so many remainders.
constexpr uint64_t kRemainders = 6;

}  // namespace

Vote Execute(const PreparedBranch& branch, DatabaseIndex database, ParticipantIndex participant,
             Rows* rows) {
  const uint64_t what = Mix(branch.transaction, database);
  uint64_t& row = (*rows)[what % rows->size()];
  if (row % kRemainders == (what >> 8) % kRemainders) return {Vote::Kind::kNo, 0};
  // Time and chance go in: a replica or a re-execution that sees others is found out (R23).
  row = Mix(row, branch.seed, what ^ static_cast<uint64_t>(absl::ToUnixNanos(branch.clock)));
  uint64_t digest = Mix(row);
  if ((branch.transaction & kNondeterministicBit) != 0) digest = Mix(digest, participant);
  return {Vote::Kind::kYes, digest};
}

}  // namespace lockstep::simulation
