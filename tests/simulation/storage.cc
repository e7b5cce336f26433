#include "tests/simulation/storage.h"

#include "common/check.h"

namespace lockstep::simulation {
namespace {

void AppendBranches(const std::vector<RunBranch>& branches, std::vector<uint64_t>* words) {
  words->push_back(branches.size());
  for (const RunBranch& run : branches) {
    words->push_back(run.branch.transaction);
    words->push_back(run.branch.seed);
    words->push_back(static_cast<uint64_t>(absl::ToUnixNanos(run.branch.clock)));
    words->push_back(static_cast<uint64_t>(run.vote.kind));
    words->push_back(run.vote.digest);
  }
}

void AppendFrame(const std::optional<Frame>& frame, std::vector<uint64_t>* words) {
  words->push_back(frame ? static_cast<uint64_t>(frame->round.value()) : 0);
  if (!frame) return;
  words->push_back(frame->has_record ? 1 : 0);
  AppendBranches(frame->branches, words);
}

}  // namespace

bool Storage::CanFind(RoundId round) const {
  return (frame_ && frame_->round == round) || (redo_ && redo_->round == round);
}

void Storage::FinishFrame() {
  frame_ = std::move(writing_);
  writing_.reset();
  behind_.reset();
  unsynced_.reset();
}

void Storage::Apply(const Frame& frame, const Rows& after) {
  LOCKSTEP_CHECK(frame.round > applied_round(), "applied out of order");
  AppliedRound& round = applied_.emplace_back();
  round.round = frame.round;
  round.after = after;
  for (const RunBranch& branch : frame.branches) {
    if (branch.vote.kind == Vote::Kind::kYes) round.kept.push_back(branch);
  }
}

void Storage::Commit(const Rows& after) {
  Apply(*frame_, after);
  unsynced_ = std::move(frame_);
  frame_.reset();
}

void Storage::CommitInDoubt(const Rows& after) {
  Apply(*frame_, after);
  frame_ = std::move(behind_);
  behind_.reset();
}

void Storage::CommitRedo(const Rows& after) {
  Apply(*redo_, after);
  frame_.reset();
  behind_.reset();
  unsynced_.reset();
}

void Storage::Crash(bool power, Random* random) {
  const bool torn = writing_.has_value();
  if (torn) {
    TearFrame(power, random);
  } else if (power && unsynced_ && random->Chance(0.5)) {
    applied_.pop_back();
    frame_ = std::move(unsynced_);
  }
  unsynced_.reset();
}

// A crash between the first byte of a round's frames and the sync that covers them.
void Storage::TearFrame(bool power, Random* random) {
  Frame torn = std::move(*writing_);
  writing_.reset();
  if (power && unsynced_ && random->Chance(0.5)) {
    // The mask of the round before is back; the new frames may have overwritten its record.
    applied_.pop_back();
    frame_ = std::move(unsynced_);
    frame_->has_record = random->Chance(0.5);
    torn.has_record = false;
    if (!frame_->has_record && random->Chance(0.5)) behind_ = std::move(torn);
    return;
  }
  switch (random->Below(5)) {
    case 0:  // nothing of the new frames that matters; a rolled-back round's frames are still there
      break;
    case 1:
      if (frame_) frame_->has_record = false;
      break;
    case 2:
      torn.has_record = false;
      // A torn commit frame unmasks to a random number; a start ignores terms that cannot be.
      if (term_ > 0 && random->Chance(0.3)) {
        const auto term = static_cast<Term>(1 + random->Below(term_));
        torn.round = RoundId::Make(term, random->Below(RoundId::kMaxNumber));
      }
      frame_ = std::move(torn);
      break;
    case 3:
      frame_ = std::move(torn);
      break;
    default:
      frame_.reset();
      break;
  }
}

participant::Scan Storage::Scan() {
  unsynced_.reset();
  participant::Scan scan;
  scan.term = term_;
  scan.coordinator = coordinator_;
  scan.tombstone = tombstone_;
  scan.applied = applied_round();
  scan.identified = identified_;
  if (redo_ && redo_->round > scan.applied) {
    scan.redo = redo_->round;
    frame_.reset();
  } else if (frame_ && frame_->round > scan.applied) {
    scan.in_doubt = participant::Scan::InDoubt{frame_->round, frame_->has_record};
  }
  return scan;
}

void Storage::AppendState(std::vector<uint64_t>* words) const {
  words->push_back(term_);
  words->push_back(coordinator_);
  words->push_back(static_cast<uint64_t>(tombstone_.value()));
  words->push_back(identified_ ? 1 : 0);
  words->push_back(applied_.size());
  for (const AppliedRound& round : applied_) {
    words->push_back(static_cast<uint64_t>(round.round.value()));
    AppendBranches(round.kept, words);
    round.after.AppendState(words);
  }
  // A redo block that is done is never looked at again.
  AppendFrame(redo_ && redo_->round > applied_round() ? redo_ : std::nullopt, words);
  AppendFrame(unsynced_, words);
  AppendFrame(frame_, words);
  AppendFrame(behind_, words);
}

}  // namespace lockstep::simulation
