// What really was decided and told, and the checks against it.
#ifndef LOCKSTEP_TESTS_SIMULATION_TRUTH_H_
#define LOCKSTEP_TESTS_SIMULATION_TRUTH_H_

#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "coordinator/protocol/effect.h"
#include "coordinator/protocol/event.h"
#include "tests/simulation/sim_participant.h"

namespace lockstep::simulation {

// The invariants of docs/PROTOCOL.md that span coordinators and participants. Knows all; the
// simulated do not.
class Truth {
 public:
  // `knows_digests`: the votes have the model's.
  Truth(std::vector<DatabaseIndex> databases, bool knows_digests)
      : databases_(std::move(databases)),
        knows_digests_(knows_digests),
        decided_(databases_.size()),
        rolled_back_(databases_.size()),
        answered_(databases_.size()) {}

  const std::optional<std::string>& violation() const { return violation_; }
  void Violate(const std::string& what);

  // What coordinators do.
  void Submitted(TransactionHandle transaction,
                 absl::InlinedVector<ParticipantIndex, 4> participants);
  void Sent(const coordinator::SendPrepare& prepare);
  void Voted(const coordinator::PrepareAnswered& answer);
  void Decided(const coordinator::LogDecision& record);  // is durable
  void Told(const coordinator::Complete& complete);

  // What becomes of request_ids (rules R18, R19).
  void Tried(const SimTry& its) { tries_[its.transaction] = {its.its.id, its.its.attempt}; }
  // A try was answered: with a transaction that committed, or as aborted.
  void ToldCommitted(const std::string& id, TransactionHandle transaction);
  void ToldAborted(const std::string& id, uint32_t attempt);
  // No attempt below runs any more, it was said; whether an earlier one was committed was not.
  void ToldUnknown(const std::string& id, uint32_t attempt);
  size_t committed_requests() const { return committed_requests_.size(); }

  // What participants do.
  // `applied` is visible there then.
  void Executes(ParticipantIndex participant, RoundId round, RoundId applied);
  void RolledBack(ParticipantIndex participant, RoundId round);
  void HadNoSpace(ParticipantIndex participant, RoundId round) {
    sheets_[{round, participant}].had_no_space = true;
  }
  // Requires its.is_known().
  void Check(ParticipantIndex participant, const SimParticipant& its);

  // A read that is sent now has to show this round.
  RoundId MustShow(ParticipantIndex participant) const { return answered_[participant]; }
  RoundId LastDecided(ParticipantIndex participant) const;
  size_t decided_rounds() const { return decided_rounds_; }
  size_t committed() const { return committed_.size(); }
  size_t aborted() const { return aborted_.size(); }

  // Appends what later checks depend on, as words; but for request_ids and seeds.
  void AppendState(std::vector<uint64_t>* words) const;

 private:
  struct DecidedRound {
    RoundId round;
    Rows after = {};
    absl::Time latest_clock;
  };
  struct Sheet {  // a round at one participant
    std::vector<PreparedBranch> branches;
    std::optional<std::vector<Vote>> votes;
    bool had_no_space = false;  // a NO says nothing about the rows then
  };
  struct Transaction {
    absl::InlinedVector<ParticipantIndex, 4> participants;
    // Of the latest round that it was sent in.
    RoundId sent_in;
    uint64_t seed = 0;
  };

  void DecideTry(TransactionHandle transaction);
  void DecideAt(const coordinator::KeptBranches& kept, const coordinator::LogDecision& record);
  void CheckNo(const coordinator::Complete& complete);
  // What a participant shows before a round.
  Rows RowsBefore(ParticipantIndex participant, RoundId round) const;

  bool IsSame(const Vote& serial, const Vote& vote) const;

  std::vector<DatabaseIndex> databases_;  // by participant
  bool knows_digests_;
  std::vector<std::vector<DecidedRound>> decided_;
  std::vector<std::set<RoundId>> rolled_back_;
  std::vector<RoundId> answered_;
  std::map<TransactionHandle, Transaction> transactions_;
  std::map<std::pair<RoundId, ParticipantIndex>, Sheet> sheets_;
  std::map<TransactionHandle, RoundId> committed_;
  std::set<TransactionHandle> aborted_;
  std::map<TransactionHandle, std::pair<std::string, uint32_t>> tries_;  // id and attempt
  std::map<std::string, TransactionHandle> committed_requests_;
  std::map<std::string, uint32_t> aborted_attempts_;  // the highest of which that was told
  size_t decided_rounds_ = 0;
  std::optional<std::string> violation_;
};

}  // namespace lockstep::simulation

#endif  // LOCKSTEP_TESTS_SIMULATION_TRUTH_H_
