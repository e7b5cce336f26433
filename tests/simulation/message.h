// What travels between coordinators and participants in a simulation.
#ifndef LOCKSTEP_TESTS_SIMULATION_MESSAGE_H_
#define LOCKSTEP_TESTS_SIMULATION_MESSAGE_H_

#include <cstdint>
#include <vector>

#include "absl/time/time.h"
#include "tests/simulation/model.h"

namespace lockstep::simulation {

using CallId = uint64_t;

struct Request {
  enum class Kind { kPrepare, kCommit, kRollback, kFence, kStatus, kRead };
  Kind kind = Kind::kStatus;
  CallId call = 0;
  size_t coordinator = 0;  // its place in World::coordinators_
  ParticipantIndex participant = 0;
  Term term = 0;
  std::vector<uint64_t> runs;  // of a Fence: of the sender's log, by term; its own the last
  RoundId round;               // of a Read: the least round
  std::vector<PreparedBranch> branches;
  Cut cut = coordinator::kKeepAll;
};

struct Answer {
  CallId call = 0;
  size_t coordinator = 0;
  ParticipantIndex participant = 0;
  bool ok = false;
  coordinator::CallFailure failure = coordinator::CallFailure::kRefused;
  bool strayed = false;  // refuses a Fence of another copy of the log
  Report report;
  std::vector<Vote> votes;
  RoundId visible;  // of a Read: what it shows
  Rows rows;
};

}  // namespace lockstep::simulation

#endif  // LOCKSTEP_TESTS_SIMULATION_MESSAGE_H_
