// The state behind Protocol. Its handlers stand by subject: core.cc (events, clients, time),
// rounds.cc, delivery.cc and handshake.cc.
#ifndef LOCKSTEP_COORDINATOR_PROTOCOL_CORE_H_
#define LOCKSTEP_COORDINATOR_PROTOCOL_CORE_H_

#include <cstdint>
#include <deque>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/types/span.h"
#include "coordinator/protocol/config.h"
#include "coordinator/protocol/effect.h"
#include "coordinator/protocol/event.h"
#include "coordinator/protocol/outcome.h"
#include "coordinator/protocol/participant_record.h"
#include "coordinator/protocol/queue.h"
#include "coordinator/protocol/view.h"

namespace lockstep::coordinator {

// A round, from its Prepares until its decision is durable.
struct Round {
  enum class Phase { kUnused, kVoting, kLogging };
  Phase phase = Phase::kUnused;
  RoundId id;
  std::vector<Slot> transactions;              // in the round's order
  std::vector<ParticipantIndex> participants;  // by Place
  std::vector<bool> answered;                  // by Place: has voted, or its vote is missing
  std::vector<bool> holds;                     // by Place: may have prepared something
  Ballot ballot;
  RoundOutcome outcome;
  uint32_t awaited = 0;  // votes
  absl::Duration vote_deadline;
};

// What a participant that refused our term has done.
inline constexpr char kHigherTerm[] = "has seen a higher term than ours";

class Core {
 public:
  Core(Config config, StartState start);

  void Start(Now now, std::vector<Effect>* effects);
  void StepAll(absl::Span<const Event> events, Now now, std::vector<Effect>* effects);

  std::optional<ReadRoute> RouteRead(DatabaseIndex database) const;
  std::optional<ReadRoute> RouteReadTo(ParticipantIndex participant) const;
  RoundId DatabaseVersion(DatabaseIndex database) const;
  uint64_t queue_length() const;
  View GetView() const;
  void CheckInvariants() const;
  void AppendState(std::vector<uint64_t>* words) const;

 private:
  // core.cc: clients and time.
  void On(const Submit& event);
  void On(const Tick& event);
  void On(const Shutdown& event);
  void EndWaiting(Slot slot, Ending ending, EndingReason reason, ParticipantIndex participant);
  void EndExpired();
  // By name of the first participant that it cannot have; false if there is none.
  bool EndIfUnavailable(Slot slot);
  void MaybeIdle();
  void Die(std::string reason, bool superseded = false);
  void DieSuperseded(ParticipantIndex participant, const std::string& why);
  void Pump();
  void ForgivePause();

  // rounds.cc: from Prepare to decision.
  void On(const PrepareAnswered& event);
  void On(const PrepareFailed& event);
  void On(const DecisionDurable& event);
  void On(const DecisionFailed& event);
  void StartRounds();
  Capacity CapacityOf(const ParticipantRecord& participant) const;
  void FormRounds(const std::vector<Slot>& joining);
  ParticipantIndex ComponentOf(ParticipantIndex participant);
  RoundSlot NewRound();
  void AddToRound(RoundSlot round_slot, Slot slot);
  void SendPrepares(RoundSlot round_slot);
  void NoteBranchTime(ParticipantRecord* participant, const PrepareAnswered& event);
  // Null unless the participant's vote in this round is still awaited.
  Round* AwaitingVote(ParticipantIndex participant, RoundId round);
  void MissVote(ParticipantIndex participant);
  void Decide(RoundSlot round_slot);
  void LogRound(const Round& round);
  void FinishRound(RoundSlot round_slot);
  void EndRoundFor(Round* round, Place place);
  void CompleteTransactions(const Round& round);
  Complete EndingOf(const Round& round, size_t transaction, size_t first_member) const;
  void MissOverdueVotes();

  // delivery.cc: from decision to forgetting.
  void On(const CommitAnswered& event);
  void On(const CommitFailed& event);
  void On(const RollbackAnswered& event);
  void On(const RollbackFailed& event);
  void Keep(const KeptDecision& decision);
  void Deliver(ParticipantIndex participant, Delivery delivery);
  void SendHead(ParticipantIndex participant);
  void Delivered(ParticipantIndex participant, RoundId round, bool commit, const Report& report);
  void DeliveryFailed(ParticipantIndex participant, RoundId round, CallFailure failure);
  void RetryDelivery(ParticipantIndex participant);
  void LearnDurable(ParticipantIndex participant, RoundId durable);
  void ReleaseKept(ParticipantIndex participant, RoundId up_to);

  // handshake.cc: connections, handshakes, recovery.
  void On(const FenceAnswered& event);
  void On(const FenceFailed& event);
  void On(const FenceRefused& event);
  void On(const StatusAnswered& event);
  void On(const StatusFailed& event);
  void On(const Heard& event);
  void LearnFrom(ParticipantIndex participant, const Report& report);
  void Reached(ParticipantIndex participant);
  void LearnBoot(ParticipantIndex participant, uint64_t boot_id);
  void LoseHandshake(ParticipantIndex participant, std::string why);
  void Refuse(ParticipantIndex participant, std::string reason, bool alarm);
  void Unreachable(ParticipantIndex participant, std::string reason);
  void UpdateState(ParticipantIndex participant, std::string reason);
  void DieOfOldLog(ParticipantIndex participant, const Report& report);
  bool LostData(ParticipantIndex participant, const Report& report);
  void Recover(ParticipantIndex participant, const Report& report);
  void KeepConnected(ParticipantIndex participant);
  void SendFenceTo(ParticipantIndex participant);
  void SendStatusTo(ParticipantIndex participant);

  // core_state.cc
  void AppendParticipant(const ParticipantRecord& record, std::vector<uint64_t>* words) const;
  void AppendRound(const Round& round, std::vector<uint64_t>* words) const;
  bool IsDue(absl::Duration when) const { return when <= now_.monotonic; }

  template <typename T>
  void Emit(T effect) {
    effects_->emplace_back(std::move(effect));
  }
  uint64_t DrawSeed();

  const Config config_;
  const Term term_;

  // Of the Step that runs.
  Now now_;
  std::vector<Effect>* effects_ = nullptr;

  absl::Duration last_step_;
  bool dead_ = false;  // after Fatal
  bool shutting_down_ = false;
  bool idle_said_ = false;
  uint64_t next_number_;
  absl::Time last_clock_;
  uint64_t random_state_;

  std::vector<ParticipantRecord> participants_;
  AdmissionQueue queue_;
  std::deque<Round> rounds_;  // references to its elements stay
  std::vector<RoundSlot> unused_rounds_;
  // Decided rounds, each with how many participants have not reported it durable (rule R17).
  absl::flat_hash_map<RoundId, uint32_t> decisions_;
  absl::flat_hash_map<RoundId, RoundSlot> logging_;

  // Scratch, kept for its memory.
  std::vector<Capacity> capacities_;
  std::vector<Slot> joining_;
  std::vector<ParticipantIndex> component_;
  std::vector<RoundSlot> round_of_component_;
  std::vector<Slot> slots_;
};

}  // namespace lockstep::coordinator

#endif  // LOCKSTEP_COORDINATOR_PROTOCOL_CORE_H_
