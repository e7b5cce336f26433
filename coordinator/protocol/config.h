// What the coordinator protocol is started with.
#ifndef LOCKSTEP_COORDINATOR_PROTOCOL_CONFIG_H_
#define LOCKSTEP_COORDINATOR_PROTOCOL_CONFIG_H_

#include <cstdint>
#include <string>
#include <vector>

#include "absl/time/time.h"
#include "coordinator/protocol/types.h"

namespace lockstep::coordinator {

// How often a Tick has to come.
inline constexpr absl::Duration kTickInterval = absl::Milliseconds(20);
// A Status call per participant this often; it keeps the connection and the boot id known.
inline constexpr absl::Duration kStatusInterval = absl::Seconds(1);
inline constexpr absl::Duration kStatusTimeout = absl::Seconds(8);
// A participant that answered nothing for this long is UNREACHABLE, whatever its connection says.
inline constexpr absl::Duration kSilenceLimit = absl::Seconds(8);
// The first and the longest pause between two tries of Commit, Rollback or Fence.
inline constexpr absl::Duration kFirstRetry = absl::Milliseconds(20);
inline constexpr absl::Duration kLongestRetry = absl::Seconds(1);
// Between two Fences of a participant that is REFUSED.
inline constexpr absl::Duration kRefusedRetry = absl::Seconds(5);
// Votes may come this much after the last of the round's transactions ran out of time: the
// participants end its statements themselves, and a NO costs less than a missing vote.
inline constexpr absl::Duration kVoteGrace = absl::Milliseconds(200);
inline constexpr absl::Duration kLongestVoteTime = absl::Seconds(60);

// Of one round, at each of its participants. The first transaction of a round may exceed them.
struct RoundCaps {
  uint32_t transactions = 2000;
  uint64_t bytes = 4 << 20;
  // By the average that the participant's last rounds took per branch.
  absl::Duration execution_time = absl::Milliseconds(50);
};

struct QueueCaps {
  uint64_t transactions = 20000;
  uint64_t bytes = 256 << 20;
};

struct ParticipantConfig {
  std::string name;  // node id, for reasons and alarms
  DatabaseIndex database = 0;
  bool is_master = true;
};

// Test-only: each switches one rule off, to show that the tests notice.
struct BrokenRules {
  bool number_comes_again = false;          // R2: of a round that kept nothing
  bool forget_on_acknowledgement = false;   // R17
  bool free_by_timeout = false;             // R14
  bool no_fence_on_new_boot_id = false;     // R15
  bool answer_before_durable = false;       // R13
  bool missing_vote_keeps = false;          // R12
  bool rollback_unknown_decisions = false;  // R16: takes kept decisions for not found
  bool read_any_round = false;              // R21
  bool clock_may_fall = false;              // R23
  bool seed_comes_again = false;            // R23: when a transaction is deferred
};

struct Config {
  std::vector<ParticipantConfig> participants;
  RoundCaps round_caps;
  QueueCaps queue_caps;
  BrokenRules broken;  // production leaves it alone
};

// What the decision log knows of a participant.
struct KnownParticipant {
  RoundId durable;    // the highest of its RecordDurable
  RoundId last_kept;  // the last decided round that keeps a branch there
};

struct StartState {
  Term term = 0;                               // durable in the log already (rule R1)
  uint64_t next_number = 1;                    // of this term's rounds
  std::vector<KnownParticipant> participants;  // as Config::participants; empty: a new log
  std::vector<KeptDecision> kept;              // all of the log, by round, ascending (rule R16)
  absl::Time clock_floor = absl::UnixEpoch();
  uint64_t random_seed = 0;
};

}  // namespace lockstep::coordinator

#endif  // LOCKSTEP_COORDINATOR_PROTOCOL_CONFIG_H_
