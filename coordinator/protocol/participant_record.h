// What the coordinator knows of one participant, and owes it.
#ifndef LOCKSTEP_COORDINATOR_PROTOCOL_PARTICIPANT_RECORD_H_
#define LOCKSTEP_COORDINATOR_PROTOCOL_PARTICIPANT_RECORD_H_

#include <cstdint>
#include <deque>
#include <string>

#include "absl/time/time.h"
#include "coordinator/protocol/config.h"
#include "coordinator/protocol/outcome.h"
#include "coordinator/protocol/types.h"

namespace lockstep::coordinator {

// A round in Core::rounds_.
using RoundSlot = uint32_t;
inline constexpr RoundSlot kNoRound = 0xffffffff;

// A Commit or Rollback that is repeated until it is answered OK (rule R14).
struct Delivery {
  RoundId round;
  bool commit = false;
  Cut cut = kKeepAll;
  absl::Duration since;  // when it was decided
};

// A decided round of which the participant keeps branches, not reported durable yet.
struct KeptHere {
  RoundId round;
  Cut cut = kKeepAll;
};

struct ParticipantRecord {
  ParticipantConfig config;

  // How it looks from here. The state follows from these four (Core::UpdateState).
  bool reachable = true;
  bool refused = false;
  bool shaken = false;  // hands, with the run of `boot_id` (rule R15)
  RoundId in_doubt;
  ParticipantState state = ParticipantState::kRecovering;
  std::string reason;  // why it is not READY
  uint64_t boot_id = 0;
  absl::Time in_doubt_since = absl::InfinitePast();
  absl::Duration last_heard;

  // The Fence. An answer counts only if nothing asked for another one meanwhile, no round was sent,
  // and no other answer told more than it; it is measured by what was known when it was sent, since
  // older news may overtake it.
  bool fence_under_way = false;
  uint64_t handshakes_lost = 0;
  uint64_t lost_at_fence = 0;
  uint64_t rounds_sent = 0;
  uint64_t rounds_sent_at_fence = 0;
  RoundId durable_at_fence;
  RoundId least_round_at_fence;
  uint64_t heard_since_fence = 0;  // the run that was heard last since it was sent; 0: none
  absl::Duration next_fence;
  absl::Duration fence_pause = kFirstRetry;

  // The Status call.
  bool status_under_way = false;
  bool idle_at_status = false;
  uint64_t rounds_sent_at_status = 0;
  absl::Duration status_sent;
  absl::Duration next_status;
  absl::Duration round_trip;

  // What it holds.
  RoundId applied;
  RoundId durable;
  RoundId recorded_durable;  // in the decision log
  RoundId least_round;       // the last decided round that it keeps a branch of (rule R21)
  std::deque<KeptHere> kept;

  // Its round, until that is decided or it voted YES to nothing; then what is to be delivered.
  RoundSlot round = kNoRound;
  Place place = 0;  // in that round
  std::deque<Delivery> outbox;
  bool delivery_under_way = false;  // of the outbox's head
  absl::Duration next_delivery;
  absl::Duration delivery_pause = kFirstRetry;
  RoundId last_round_sent;

  // The average of what a branch takes, for the cap; zero: not known yet.
  absl::Duration branch_time;

  bool has_nothing_to_do() const { return round == kNoRound && outbox.empty(); }
  // Rule R14.
  bool is_free() const { return state == ParticipantState::kReady && has_nothing_to_do(); }
};

}  // namespace lockstep::coordinator

#endif  // LOCKSTEP_COORDINATOR_PROTOCOL_PARTICIPANT_RECORD_H_
