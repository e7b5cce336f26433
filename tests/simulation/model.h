// What transactions do in a simulation: a tiny database whose votes depend on all that came before.
#ifndef LOCKSTEP_TESTS_SIMULATION_MODEL_H_
#define LOCKSTEP_TESTS_SIMULATION_MODEL_H_

#include <array>
#include <cstdint>
#include <vector>

#include "absl/container/inlined_vector.h"
#include "absl/time/time.h"
#include "common/round_id.h"
#include "coordinator/protocol/effect.h"
#include "coordinator/protocol/request_table.h"
#include "coordinator/protocol/types.h"

namespace lockstep::simulation {

using coordinator::Cut;
using coordinator::DatabaseIndex;
using coordinator::ParticipantIndex;
using coordinator::PreparedBranch;
using coordinator::Report;
using coordinator::TransactionHandle;
using coordinator::Vote;

// The rows of one participant.
using Rows = std::array<uint64_t, 3>;

// A branch as a participant runs and records it.
struct RunBranch {
  PreparedBranch branch;
  Vote vote;
};

using ParticipantList = absl::InlinedVector<ParticipantIndex, 4>;

// One try of a request_id: a transaction of its own, which runs or does not.
struct SimTry {
  coordinator::RequestTry its;
  TransactionHandle transaction = 0;
  ParticipantList participants;
};

inline constexpr TransactionHandle kNondeterministicBit = uint64_t{1} << 40;

// Runs a branch on rows: a YES changes them, a NO leaves them. Replicas of a database agree, unless
// the transaction is marked as nondeterministic.
Vote Execute(const PreparedBranch& branch, DatabaseIndex database, ParticipantIndex participant,
             Rows* rows);

}  // namespace lockstep::simulation

#endif  // LOCKSTEP_TESTS_SIMULATION_MODEL_H_
