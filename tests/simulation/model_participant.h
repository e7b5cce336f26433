// A participant in a simulation: the real protocol over a model of its disk.
#ifndef LOCKSTEP_TESTS_SIMULATION_MODEL_PARTICIPANT_H_
#define LOCKSTEP_TESTS_SIMULATION_MODEL_PARTICIPANT_H_

#include <optional>
#include <vector>

#include "participant/protocol/protocol.h"
#include "tests/simulation/message.h"
#include "tests/simulation/options.h"
#include "tests/simulation/sim_participant.h"
#include "tests/simulation/storage.h"

namespace lockstep::simulation {

// A copy goes on alone, but with the same options, chance and observer.
class ModelParticipant final : public SimParticipant {
 public:
  ModelParticipant(ParticipantIndex index, DatabaseIndex database, const Options* options,
                   Random* random, Observer observer);

  bool alive() const override { return protocol_.has_value(); }
  void Start() override;
  void Crash(bool power) override;
  void Idle() override;
  Handled Handle(const Request& request, Answer* answer) override;

  bool is_known() const override { return true; }
  RoundId applied() const override { return storage_.applied_round(); }
  const Rows& rows() const override { return storage_.rows(); }
  RoundId held() const override { return state().round; }
  bool CanFind(RoundId round) const override { return storage_.CanFind(round); }
  uint64_t coordinator() const override { return storage_.coordinator(); }

  ParticipantIndex index() const { return index_; }
  uint64_t boot_id() const { return boot_id_; }
  const Storage& storage() const { return storage_; }
  // Requires alive().
  const participant::State& state() const { return protocol_->state(); }
  // Appends everything that later calls depend on, as words.
  void AppendState(std::vector<uint64_t>* words) const;

 private:
  bool MayCrash();
  bool HasNoSpace();
  Handled NoSpace(Answer* answer);
  void RefuseToHold(RoundId round);
  std::optional<Handled> Persist(const participant::Decision& decision, Answer* answer);
  Handled Prepare(const Request& request, Answer* answer);
  Handled Commit(const Request& request, Answer* answer);
  Handled Rollback(const Request& request, Answer* answer);
  Handled Fence(const Request& request, Answer* answer);
  participant::Decision DecideFence(const Request& request) const;
  Handled Read(const Request& request, Answer* answer);
  Handled RunBranches(const Request& request, Answer* answer);
  Handled CommitCut(const Request& request);
  Handled Done(Answer* answer);
  Handled Refuse(participant::Refusal refusal, Answer* answer);
  participant::Keep KeepOf(const Request& request) const;
  // The rows after the YES branches; their digests have to come again.
  Rows Reexecute(const std::vector<RunBranch>& branches);
  void FinishRedo();
  Report MakeReport() const;

  const ParticipantIndex index_;
  const DatabaseIndex database_;
  const Options* const options_;
  Random* const random_;
  const Observer observer_;
  Storage storage_;
  std::optional<participant::Protocol> protocol_;  // none: not running
  uint64_t boot_id_ = 0;
  std::vector<Vote> votes_;  // of the last round that this process voted on
};

}  // namespace lockstep::simulation

#endif  // LOCKSTEP_TESTS_SIMULATION_MODEL_PARTICIPANT_H_
