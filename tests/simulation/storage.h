// A participant's disk as docs/PROTOCOL.md describes it: what a crash keeps, and what it may keep.
#ifndef LOCKSTEP_TESTS_SIMULATION_STORAGE_H_
#define LOCKSTEP_TESTS_SIMULATION_STORAGE_H_

#include <optional>
#include <vector>

#include "common/round_id.h"
#include "participant/protocol/state.h"
#include "tests/simulation/model.h"
#include "tests/simulation/random.h"

namespace lockstep::simulation {

// A round's frames in the WAL with the masked commit frame, and its record if that is whole.
struct Frame {
  RoundId round;
  std::vector<RunBranch> branches;
  bool has_record = true;
};

struct AppliedRound {
  RoundId round;
  std::vector<RunBranch> kept;  // the YES branches
  Rows after = {};
};

// Writes to the side file are durable when they return. A commit is not: a sync has to follow, or a
// power loss may bring the mask back.
class Storage {
 public:
  const std::vector<AppliedRound>& applied() const { return applied_; }
  RoundId applied_round() const { return applied_.empty() ? RoundId() : applied_.back().round; }
  const Rows& rows() const { return applied_.empty() ? before_all_ : applied_.back().after; }
  // The masked frame behind what is applied: prepared, in doubt or left over from a Rollback.
  const std::optional<Frame>& frame() const { return frame_; }
  uint64_t coordinator() const { return coordinator_; }
  const std::optional<Frame>& redo() const { return redo_; }
  // Whether a round that was prepared can still be found again.
  bool CanFind(RoundId round) const;

  void PersistTerm(Term term, uint64_t coordinator) {
    term_ = term;
    coordinator_ = coordinator;
  }
  void PersistTombstone(RoundId tombstone) { tombstone_ = tombstone; }
  void PersistIdentity() { identified_ = true; }
  void PersistRedo(Frame redo) { redo_ = std::move(redo); }

  // Starts to write a round's frames; until FinishFrame a crash leaves any part of them.
  void BeginFrame(Frame frame) { writing_ = std::move(frame); }
  // Frames, record and all before them are synced.
  void FinishFrame();
  // Unmasks the frame; `after` are the rows then. Not synced.
  void Commit(const Rows& after);
  // The same, synced; what stands behind it comes to light.
  void CommitInDoubt(const Rows& after);
  // A plain, synced commit of the redo block's branches over whatever is in the WAL.
  void CommitRedo(const Rows& after);
  void Sync() { unsynced_.reset(); }

  // The process ends; `power`: the page cache is lost too.
  void Crash(bool power, Random* random);
  // What a start finds; syncs first.
  participant::Scan Scan();

  bool is_synced() const { return !unsynced_.has_value(); }
  // Appends everything, as words.
  void AppendState(std::vector<uint64_t>* words) const;

 private:
  void TearFrame(bool power, Random* random);
  void Apply(const Frame& frame, const Rows& after);

  Term term_ = 0;
  uint64_t coordinator_ = 0;
  RoundId tombstone_;
  bool identified_ = false;
  std::optional<Frame> redo_;
  const Rows before_all_ = {};
  std::vector<AppliedRound> applied_;
  std::optional<Frame> unsynced_;  // the frame of the last applied round, if no sync covered it
  std::optional<Frame> frame_;
  std::optional<Frame> behind_;  // behind frame_: of a round that never voted
  std::optional<Frame> writing_;
};

}  // namespace lockstep::simulation

#endif  // LOCKSTEP_TESTS_SIMULATION_STORAGE_H_
