// What an observer may know of the coordinator's state.
#ifndef LOCKSTEP_COORDINATOR_PROTOCOL_VIEW_H_
#define LOCKSTEP_COORDINATOR_PROTOCOL_VIEW_H_

#include <cstdint>
#include <string>
#include <vector>

#include "absl/time/time.h"
#include "coordinator/protocol/types.h"

namespace lockstep::coordinator {

struct ParticipantView {
  ParticipantState state = ParticipantState::kRecovering;
  std::string reason;  // why it is not READY
  RoundId applied;     // as it last reported
  RoundId durable;
  RoundId in_doubt;
  absl::Time in_doubt_since = absl::InfinitePast();
  absl::Duration round_trip;  // of the latest Status
  bool free = false;
};

struct View {
  Term term = 0;
  std::vector<ParticipantView> participants;
  uint64_t queue_length = 0;
  uint64_t rounds_in_flight = 0;
  uint64_t undelivered_decisions = 0;
};

// Where a read may go, and the round that has to be visible there first (rule R21).
struct ReadRoute {
  ParticipantIndex participant = 0;
  RoundId least_round;
};

}  // namespace lockstep::coordinator

#endif  // LOCKSTEP_COORDINATOR_PROTOCOL_VIEW_H_
