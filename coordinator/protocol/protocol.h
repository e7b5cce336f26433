// The coordinator's side of two-phase commit, as pure code: events in, effects out.
#ifndef LOCKSTEP_COORDINATOR_PROTOCOL_PROTOCOL_H_
#define LOCKSTEP_COORDINATOR_PROTOCOL_PROTOCOL_H_

#include <cstdint>
#include <memory>
#include <optional>
#include <vector>

#include "absl/types/span.h"
#include "coordinator/protocol/config.h"
#include "coordinator/protocol/effect.h"
#include "coordinator/protocol/event.h"
#include "coordinator/protocol/types.h"
#include "coordinator/protocol/view.h"

namespace lockstep::coordinator {

class Core;

// Admission, rounds, outcomes, delivery and recovery. Knows no thread, clock, socket, file or log:
// time and answers come in as events, and everything to be done comes out as effects.
//
// Requires: calls from one thread at a time; `now.monotonic` never decreases; effects are carried
// out in order; a LogDecision is answered by DecisionDurable only when no power loss can take the
// record away; each call asked for is answered by one event (event.h).
// Guarantees then the rules R1, R2, R12-R17 and R21-R23 of docs/PROTOCOL.md.
//
//   Protocol protocol(config, start);
//   std::vector<Effect> effects;
//   protocol.Start(now, &effects);                 // fences every participant
//   protocol.StepAll(mailbox_batch, now, &effects);
//   for (Effect& effect : effects) CarryOut(std::move(effect));
class Protocol {
 public:
  // Requires 1 or more participants, and a StartState::participants that is empty or as long.
  Protocol(Config config, StartState start);
  ~Protocol();
  // The copy goes on alone from here, as this one would.
  Protocol(const Protocol& other);
  Protocol& operator=(const Protocol&) = delete;

  // Call once, before any Step. Effects are appended, here and below.
  void Start(Now now, std::vector<Effect>* effects);

  // Handles one event. Rounds that can start are started.
  void Step(const Event& event, Now now, std::vector<Effect>* effects);

  // Handles the events in order, and starts rounds once, after the last: transactions that came
  // together so share a round. Prefer it.
  void StepAll(absl::Span<const Event> events, Now now, std::vector<Effect>* effects);

  // Where a read of a database goes: its master if READY, else a READY replica, else nowhere.
  std::optional<ReadRoute> RouteRead(DatabaseIndex database) const;
  // The same for one participant.
  std::optional<ReadRoute> RouteReadTo(ParticipantIndex participant) const;

  // The version of a database: its last decided round that keeps a branch of it.
  RoundId DatabaseVersion(DatabaseIndex database) const;

  // Transactions of a round that has not been decided yet, and those that wait.
  uint64_t queue_length() const;
  View GetView() const;

  // Ends the process if an invariant is broken; O(everything): for tests.
  void CheckInvariants() const;

  // Appends all that later Steps depend on: two protocols of one Config that append the same act
  // alike, but for seeds and texts. Of instants it tells only whether they have come, by the time
  // of the latest Step; so that holds as long as the caller lets time pass in steps that either
  // bring nothing due or everything. Names of slots and counts of calls do not show. For tests that
  // compare states.
  void AppendState(std::vector<uint64_t>* words) const;

 private:
  std::unique_ptr<Core> core_;
};

}  // namespace lockstep::coordinator

#endif  // LOCKSTEP_COORDINATOR_PROTOCOL_PROTOCOL_H_
