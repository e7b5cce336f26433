#include "tests/simulation/sim_participant.h"

#include <iterator>
#include <utility>

namespace lockstep::simulation {

using participant::Action;
using participant::Decision;
using participant::Keep;
using participant::Refusal;
using participant::RoundPhase;

SimParticipant::SimParticipant(ParticipantIndex index, DatabaseIndex database,
                               const Options* options, Random* random, Observer observer)
    : index_(index),
      database_(database),
      options_(options),
      random_(random),
      observer_(std::move(observer)) {}

void SimParticipant::Start() {
  boot_id_ = random_->Next();
  votes_.clear();
  protocol_ =
      std::make_unique<participant::Protocol>(/*standalone=*/false, options_->broken_participant);
  protocol_->Scanned(storage_.Scan());
}

void SimParticipant::Crash(bool power) {
  protocol_.reset();
  storage_.Crash(power, random_);
}

void SimParticipant::Idle() {
  if (state().phase == RoundPhase::kReexecuting) FinishRedo();
  storage_.Sync();
  protocol_->Synced(storage_.applied_round());
}

bool SimParticipant::MayCrash() {
  if (!random_->Chance(options_->crash_inside)) return false;
  Crash(random_->Chance(options_->power_loss));
  return true;
}

Report SimParticipant::MakeReport() const {
  const participant::State& state = protocol_->state();
  Report report;
  report.boot_id = boot_id_;
  report.applied = state.applied;
  report.durable = state.durable;
  report.prepared = state.round;
  report.term = state.term;
  return report;
}

SimParticipant::Handled SimParticipant::Done(Answer* answer) {
  if (MayCrash()) return Handled::kDied;
  answer->ok = true;
  answer->report = MakeReport();
  return Handled::kAnswered;
}

SimParticipant::Handled SimParticipant::Refuse(Refusal refusal, Answer* answer) {
  answer->ok = false;
  answer->strayed = refusal == Refusal::kStrayed;
  answer->failure = refusal == Refusal::kTermOutdated || refusal == Refusal::kTermTaken
                        ? coordinator::CallFailure::kTermOutdated
                        : coordinator::CallFailure::kRefused;
  answer->report = MakeReport();
  return Handled::kAnswered;
}

// False if it crashed meanwhile.
bool SimParticipant::Persist(const Decision& decision) {
  if (MayCrash()) return false;
  if (decision.persist_tombstone) {
    if (!options_->tombstone_is_not_durable) {
      storage_.PersistTombstone(*decision.persist_tombstone);
    }
    if (MayCrash()) return false;
    protocol_->TombstonePersisted(*decision.persist_tombstone);
  }
  return true;
}

SimParticipant::Handled SimParticipant::Handle(const Request& request, Answer* answer) {
  switch (request.kind) {
    case Request::Kind::kPrepare:
      return Prepare(request, answer);
    case Request::Kind::kCommit:
      return Commit(request, answer);
    case Request::Kind::kRollback:
      return Rollback(request, answer);
    case Request::Kind::kFence:
      return Fence(request, answer);
    case Request::Kind::kStatus:
      if (request.term < state().term) return Refuse(Refusal::kTermOutdated, answer);
      return Done(answer);
    case Request::Kind::kRead:
      return Read(request, answer);
  }
  return Handled::kDied;
}

SimParticipant::Handled SimParticipant::Prepare(const Request& request, Answer* answer) {
  const Decision decision = protocol_->Prepare(request.term, request.round);
  if (!Persist(decision)) return Handled::kDied;
  if (decision.action == Action::kRefuse) return Refuse(decision.refusal, answer);
  if (decision.action == Action::kExecute) return RunBranches(request, answer);
  answer->votes = votes_;
  return Done(answer);
}

SimParticipant::Handled SimParticipant::RunBranches(const Request& request, Answer* answer) {
  observer_.on_execute(index_, request.round);
  Frame frame{request.round, {}, true};
  Rows rows = storage_.rows();
  bool deferring = false;
  bool holds = false;
  votes_.clear();
  for (const PreparedBranch& branch : request.branches) {
    deferring = deferring || random_->Chance(options_->vote_defer);
    const Vote vote =
        deferring ? Vote{Vote::Kind::kDefer, 0} : Execute(branch, database_, index_, &rows);
    holds = holds || vote.kind == Vote::Kind::kYes;
    votes_.push_back(vote);
    frame.branches.push_back({branch, vote});
  }
  if (MayCrash()) return Handled::kDied;
  if (holds) {
    storage_.BeginFrame(std::move(frame));
    if (MayCrash()) return Handled::kDied;
    storage_.FinishFrame();
    if (MayCrash()) return Handled::kDied;
  }
  protocol_->Voted(request.round, holds);
  answer->votes = votes_;
  return Done(answer);
}

Keep SimParticipant::KeepOf(const Request& request) const {
  if (request.cut == coordinator::kKeepAll) return Keep::kAll;
  if (!storage_.frame() || storage_.frame()->round != request.round) return Keep::kPrefix;
  const std::vector<RunBranch>& branches = storage_.frame()->branches;
  for (size_t i = 0; i < branches.size() && i < request.cut; ++i) {
    if (branches[i].vote.kind == Vote::Kind::kYes) return Keep::kPrefix;
  }
  return Keep::kNothing;
}

Rows SimParticipant::Reexecute(const std::vector<RunBranch>& branches) {
  Rows rows = storage_.rows();
  for (const RunBranch& run : branches) {
    if (run.vote.kind != Vote::Kind::kYes) continue;
    const Vote again = Execute(run.branch, database_, index_, &rows);
    if (again.kind != run.vote.kind || again.digest != run.vote.digest) {
      observer_.on_violation("a branch that is kept ran otherwise than when it was voted on");
    }
  }
  return rows;
}

SimParticipant::Handled SimParticipant::Commit(const Request& request, Answer* answer) {
  const Decision decision = protocol_->Commit(request.term, request.round, KeepOf(request));
  if (!Persist(decision)) return Handled::kDied;
  switch (decision.action) {
    case Action::kRefuse:
      return Refuse(decision.refusal, answer);
    case Action::kCommitPrepared:
      storage_.Commit(Reexecute(storage_.frame()->branches));
      protocol_->Committed(request.round);
      break;
    case Action::kCommitInDoubt:
      storage_.CommitInDoubt(Reexecute(storage_.frame()->branches));
      if (MayCrash()) return Handled::kDied;
      protocol_->CommittedInDoubt(request.round);
      protocol_->Scanned(storage_.Scan());
      break;
    case Action::kCommitCut:
      if (CommitCut(request) == Handled::kDied) return Handled::kDied;
      break;
    case Action::kFinishReexecution:
      FinishRedo();
      break;
    case Action::kStop:
      observer_.on_violation("a participant was asked for a cut of what it cannot know");
      break;
    default:
      break;
  }
  if (protocol_->state().applied < request.round) {
    observer_.on_violation("Commit answered OK, and not visible (R8)");
  }
  return Done(answer);
}

SimParticipant::Handled SimParticipant::CommitCut(const Request& request) {
  Frame redo{request.round, {}, true};
  const std::vector<RunBranch>& branches = storage_.frame()->branches;
  for (size_t i = 0; i < branches.size() && i < request.cut; ++i) {
    if (branches[i].vote.kind == Vote::Kind::kYes) redo.branches.push_back(branches[i]);
  }
  storage_.PersistRedo(std::move(redo));
  if (MayCrash()) return Handled::kDied;
  protocol_->RedoPersisted(request.round);
  if (MayCrash()) return Handled::kDied;
  FinishRedo();
  return Handled::kAnswered;
}

void SimParticipant::FinishRedo() {
  const RoundId round = storage_.redo()->round;
  storage_.CommitRedo(Reexecute(storage_.redo()->branches));
  protocol_->Reexecuted(round);
}

SimParticipant::Handled SimParticipant::Rollback(const Request& request, Answer* answer) {
  const Decision decision = protocol_->Rollback(request.term, request.round);
  if (!Persist(decision)) return Handled::kDied;
  if (decision.action == Action::kRefuse) return Refuse(decision.refusal, answer);
  if (decision.action == Action::kForget) protocol_->Forgotten(storage_.frame()->round);
  observer_.on_rolled_back(index_, request.round);
  return Done(answer);
}

SimParticipant::Handled SimParticipant::Fence(const Request& request, Answer* answer) {
  const uint64_t run = request.runs.back();
  const Decision decision = DecideFence(request);
  if (decision.action == Action::kRefuse) return Refuse(decision.refusal, answer);
  if (MayCrash()) return Handled::kDied;
  if (decision.persist_term) {
    if (!options_->term_is_not_durable) storage_.PersistTerm(*decision.persist_term, run);
    if (MayCrash()) return Handled::kDied;
    protocol_->TermPersisted(*decision.persist_term, run);
  }
  storage_.PersistIdentity();
  protocol_->Identified(/*replicated=*/false);
  return Done(answer);
}

Decision SimParticipant::DecideFence(const Request& request) const {
  const uint64_t run = request.runs.back();
  std::vector<uint64_t> earlier(request.runs.begin(), std::prev(request.runs.end()));
  if (!options_->obey_any_run) return protocol_->Fence(request.term, run, earlier);
  // As if no run had a name: the term alone counts.
  return protocol_->Fence(request.term, 0, {});
}

SimParticipant::Handled SimParticipant::Read(const Request& request, Answer* answer) {
  const Decision decision = protocol_->Read(request.term, request.round);
  if (!Persist(decision)) return Handled::kDied;
  if (decision.action == Action::kRefuse) return Refuse(decision.refusal, answer);
  if (decision.action == Action::kWait) return Handled::kWait;
  answer->visible = storage_.applied_round();
  return Done(answer);
}

}  // namespace lockstep::simulation
