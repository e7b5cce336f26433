// A participant in a simulation: the real engine, with SQLite, on a disk that loses power.
#ifndef LOCKSTEP_TESTS_SIMULATION_SQLITE_PARTICIPANT_H_
#define LOCKSTEP_TESTS_SIMULATION_SQLITE_PARTICIPANT_H_

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "tests/participant/test_node.h"
#include "tests/simulation/sim_participant.h"
#include "tests/support/sim_disk.h"

namespace lockstep::simulation {

// What it shows is read with the engine's own readers after everything that may change it: each
// step that touched the disk, and each read. The one reader's thread works only while the
// simulation waits for it, so all stays in one order.
//
// A crash is planned before some write or sync of a message, of an idle turn or of a start; the
// process then goes on as a ghost to the end of that step and is dropped. A read, write or sync
// that fails has to end the process: if it does not, that is a violation.
class SqliteParticipant final : public SimParticipant {
 public:
  SqliteParticipant(ParticipantIndex index, DatabaseIndex database, const Options* options,
                    Random* random, Observer observer);
  ~SqliteParticipant() override;

  bool alive() const override { return node_ != nullptr; }
  void Start() override;
  void Crash(bool power) override;
  void Idle() override;
  Handled Handle(const Request& request, Answer* answer) override;

  bool is_known() const override { return alive(); }
  RoundId applied() const override { return report_.applied; }
  const Rows& rows() const override { return rows_; }
  RoundId held() const override { return report_.held ? report_.held->round : RoundId(); }
  bool CanFind(RoundId round) const override { return held() == round; }
  uint64_t coordinator() const override { return alive() ? report_.coordinator : 0; }

 private:
  using OkAnswer = participant::Answer<participant::Ok>;

  participant::EngineOptions MakeOptions();
  void MakeVolume();
  void SetClock();
  // Faults of the disk that may strike until the step has ended.
  void PlanFaults();
  // Runs a step of the process, with faults; `act` may end in the middle.
  template <typename Act>
  void Step(Act act);
  // After a step: whether the process has lived through it. Looks at what is true then.
  bool Survived();
  void Look();
  void LookAtRows();

  // Whether it is answered now.
  bool Obey(const Request& request, Answer* answer);
  void Prepare(const Request& request, Answer* answer);
  void TakeVotes(const Request& request, const participant::Votes& votes, Answer* answer);
  void Refuse(const Error& error, Answer* answer) const;
  void TakeOk(const OkAnswer& got, Answer* answer) const;
  bool Read(const Request& request, Answer* answer);
  Report MakeReport() const;

  const ParticipantIndex index_;
  const DatabaseIndex database_;
  const Options* const options_;
  Random* const random_;
  const Observer observer_;
  SimDisk disk_;
  const participant::EngineOptions engine_options_;
  std::unique_ptr<participant::TestNode> node_;  // null: not running
  std::optional<std::string> ended_;             // why the process ended itself
  bool io_fails_ = false;                        // is planned
  RoundId last_run_;                             // the latest that this process voted on
  absl::Duration last_now_;
  // Of the latest look.
  participant::NodeReport report_;
  Rows rows_;
  std::optional<int64_t> rows_are_of_;  // the disk's operations until then
};

}  // namespace lockstep::simulation

#endif  // LOCKSTEP_TESTS_SIMULATION_SQLITE_PARTICIPANT_H_
