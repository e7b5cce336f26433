// Watches the events and effects of one Protocol from outside, and ends the process when they break
// a rule of docs/PROTOCOL.md. Knows nothing of how the protocol works inside.
#ifndef LOCKSTEP_COORDINATOR_PROTOCOL_INVARIANTS_H_
#define LOCKSTEP_COORDINATOR_PROTOCOL_INVARIANTS_H_

#include <cstdint>
#include <map>
#include <set>
#include <vector>

#include "absl/time/time.h"
#include "absl/types/span.h"
#include "coordinator/protocol/config.h"
#include "coordinator/protocol/effect.h"
#include "coordinator/protocol/event.h"

namespace lockstep::coordinator {

// For tests: remembers every decision, so it grows with the run.
//
//   protocol.Step(event, now, &effects);
//   invariants.Observe(event, effects);
class Invariants {
 public:
  Invariants(const Config& config, const StartState& start);

  // What Protocol::Start answered.
  void ObserveStart(absl::Span<const Effect> effects);
  // One Step: the event, then what it answered.
  void Observe(const Event& event, absl::Span<const Effect> effects);
  // One StepAll.
  void ObserveAll(absl::Span<const Event> events, absl::Span<const Effect> effects);

  // Two that append the same words judge everything that follows alike; instants aside.
  void AppendState(std::vector<uint64_t>* words) const;

 private:
  struct Participant {
    bool fence_under_way = false;
    bool was_fenced = false;  // since the last Prepare, or since the start if there was none
    bool needs_fence = true;
    bool status_under_way = false;
    bool delivery_under_way = false;
    RoundId last_sent;
    RoundId open;  // the round that it may hold something of
    RoundId durable;
  };
  struct Decision {
    std::vector<KeptBranches> kept;
    std::set<TransactionHandle> committed;
    bool durable = false;
  };

  void See(const Submit& event);
  void See(const PrepareAnswered& event);
  void See(const PrepareFailed& event);
  void See(const DecisionDurable& event);
  void See(const DecisionFailed&) {}
  void See(const CommitAnswered& event);
  void See(const CommitFailed& event);
  void See(const RollbackAnswered& event);
  void See(const RollbackFailed& event);
  void See(const FenceAnswered& event);
  void See(const FenceFailed& event);
  void See(const FenceRefused& event);
  void See(const StatusAnswered& event);
  void See(const StatusFailed& event);
  void See(const Heard& event);
  void See(const Tick&) {}
  void See(const Shutdown&) {}

  void See(const SendPrepare& effect);
  void See(const LogDecision& effect);
  void See(const SendCommit& effect);
  void See(const SendRollback& effect);
  void See(const SendFence& effect);
  void See(const SendStatus& effect);
  void See(const Complete& effect);
  void See(const ForgetDecision& effect);
  void See(const RecordDurable& effect);
  void See(const ParticipantStateChanged&) {}
  void See(const Alarm&) {}
  void See(const Fatal&) { dead_ = true; }
  void See(const Idle&) {}

  void SeeEffects(absl::Span<const Effect> effects);
  void SeeDurable(ParticipantIndex participant, RoundId durable);
  void SeeDelivered(ParticipantIndex participant, RoundId round);
  bool Keeps(RoundId round, ParticipantIndex participant) const;

  std::vector<Participant> participants_;
  std::map<RoundId, Decision> decisions_;
  std::set<TransactionHandle> open_;
  absl::Time last_clock_;
  bool dead_ = false;
};

}  // namespace lockstep::coordinator

#endif  // LOCKSTEP_COORDINATOR_PROTOCOL_INVARIANTS_H_
