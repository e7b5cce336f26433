#include "tests/simulation/model_participant.h"

#include <iterator>
#include <utility>

namespace lockstep::simulation {

using participant::Action;
using participant::Decision;
using participant::Keep;
using participant::Refusal;
using participant::RoundPhase;

ModelParticipant::ModelParticipant(ParticipantIndex index, DatabaseIndex database,
                                   const Options* options, Random* random, Observer observer)
    : index_(index),
      database_(database),
      options_(options),
      random_(random),
      observer_(std::move(observer)) {}

void ModelParticipant::Start() {
  boot_id_ = random_->Next();
  votes_.clear();
  protocol_.emplace(/*standalone=*/false, options_->broken_participant);
  protocol_->Scanned(storage_.Scan());
}

void ModelParticipant::Crash(bool power) {
  protocol_.reset();
  storage_.Crash(power, random_);
}

void ModelParticipant::Idle() {
  if (state().phase == RoundPhase::kReexecuting) FinishRedo();
  storage_.Sync();
  protocol_->Synced(storage_.applied_round());
}

bool ModelParticipant::HasNoSpace() { return random_->Chance(options_->disk_full); }

SimParticipant::Handled ModelParticipant::NoSpace(Answer* answer) {
  answer->ok = false;
  answer->failure = coordinator::CallFailure::kRefused;
  answer->report = MakeReport();
  return Handled::kAnswered;
}

bool ModelParticipant::MayCrash() {
  if (!random_->Chance(options_->crash_inside)) return false;
  Crash(random_->Chance(options_->power_loss));
  return true;
}

Report ModelParticipant::MakeReport() const {
  const participant::State& state = protocol_->state();
  Report report;
  report.boot_id = boot_id_;
  report.applied = state.applied;
  report.durable = state.durable;
  report.prepared = state.round;
  report.term = state.term;
  return report;
}

SimParticipant::Handled ModelParticipant::Done(Answer* answer) {
  if (MayCrash()) return Handled::kDied;
  answer->ok = true;
  answer->report = MakeReport();
  return Handled::kAnswered;
}

SimParticipant::Handled ModelParticipant::Refuse(Refusal refusal, Answer* answer) {
  answer->ok = false;
  answer->strayed = refusal == Refusal::kStrayed;
  answer->failure = refusal == Refusal::kTermOutdated || refusal == Refusal::kTermTaken
                        ? coordinator::CallFailure::kTermOutdated
                        : coordinator::CallFailure::kRefused;
  answer->report = MakeReport();
  return Handled::kAnswered;
}

// Nothing if its decision's action may follow.
std::optional<SimParticipant::Handled> ModelParticipant::Persist(const Decision& decision,
                                                                 Answer* answer) {
  if (MayCrash()) return Handled::kDied;
  if (decision.persist_tombstone) {
    if (HasNoSpace()) return NoSpace(answer);
    if (!options_->tombstone_is_not_durable) {
      storage_.PersistTombstone(*decision.persist_tombstone);
    }
    if (MayCrash()) return Handled::kDied;
    protocol_->TombstonePersisted(*decision.persist_tombstone);
  }
  return std::nullopt;
}

SimParticipant::Handled ModelParticipant::Handle(const Request& request, Answer* answer) {
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

SimParticipant::Handled ModelParticipant::Prepare(const Request& request, Answer* answer) {
  const Decision decision = protocol_->Prepare(request.term, request.round);
  if (const auto over = Persist(decision, answer)) return *over;
  if (decision.action == Action::kRefuse) return Refuse(decision.refusal, answer);
  if (decision.action == Action::kExecute) return RunBranches(request, answer);
  answer->votes = votes_;
  return Done(answer);
}

SimParticipant::Handled ModelParticipant::RunBranches(const Request& request, Answer* answer) {
  observer_.on_execute(index_, request.round, storage_.applied_round());
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
  if (holds && HasNoSpace()) {
    RefuseToHold(request.round);
    holds = false;
  }
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

// As the engine: no YES, and what was judged on top of one is open again.
void ModelParticipant::RefuseToHold(RoundId round) {
  bool first = true;
  for (Vote& vote : votes_) {
    if (first && vote.kind != Vote::Kind::kYes) continue;
    vote = {first ? Vote::Kind::kNo : Vote::Kind::kDefer, 0};
    first = false;
  }
  observer_.on_no_space(index_, round);
}

Keep ModelParticipant::KeepOf(const Request& request) const {
  if (request.cut == coordinator::kKeepAll) return Keep::kAll;
  if (!storage_.frame() || storage_.frame()->round != request.round) return Keep::kPrefix;
  const std::vector<RunBranch>& branches = storage_.frame()->branches;
  for (size_t i = 0; i < branches.size() && i < request.cut; ++i) {
    if (branches[i].vote.kind == Vote::Kind::kYes) return Keep::kPrefix;
  }
  return Keep::kNothing;
}

Rows ModelParticipant::Reexecute(const std::vector<RunBranch>& branches) {
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

SimParticipant::Handled ModelParticipant::Commit(const Request& request, Answer* answer) {
  const Decision decision = protocol_->Commit(request.term, request.round, KeepOf(request));
  if (const auto over = Persist(decision, answer)) return *over;
  switch (decision.action) {
    case Action::kRefuse:
      return Refuse(decision.refusal, answer);
    case Action::kCommitPrepared:
      if (HasNoSpace()) return NoSpace(answer);
      storage_.Commit(Reexecute(storage_.frame()->branches));
      protocol_->Committed(request.round);
      break;
    case Action::kCommitInDoubt:
      if (HasNoSpace()) return NoSpace(answer);
      storage_.CommitInDoubt(Reexecute(storage_.frame()->branches));
      if (MayCrash()) return Handled::kDied;
      protocol_->CommittedInDoubt(request.round);
      protocol_->Scanned(storage_.Scan());
      break;
    case Action::kCommitCut:
      if (HasNoSpace()) return NoSpace(answer);
      if (CommitCut(request) == Handled::kDied) return Handled::kDied;
      if (storage_.applied_round() < request.round) return NoSpace(answer);
      break;
    case Action::kFinishReexecution:
      FinishRedo();
      if (storage_.applied_round() < request.round) return NoSpace(answer);
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

SimParticipant::Handled ModelParticipant::CommitCut(const Request& request) {
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

// Unless there is no space: it is tried again.
void ModelParticipant::FinishRedo() {
  if (HasNoSpace()) return;
  const RoundId round = storage_.redo()->round;
  storage_.CommitRedo(Reexecute(storage_.redo()->branches));
  protocol_->Reexecuted(round);
}

SimParticipant::Handled ModelParticipant::Rollback(const Request& request, Answer* answer) {
  const Decision decision = protocol_->Rollback(request.term, request.round);
  if (const auto over = Persist(decision, answer)) return *over;
  if (decision.action == Action::kRefuse) return Refuse(decision.refusal, answer);
  if (decision.action == Action::kForget) protocol_->Forgotten(storage_.frame()->round);
  observer_.on_rolled_back(index_, request.round);
  return Done(answer);
}

SimParticipant::Handled ModelParticipant::Fence(const Request& request, Answer* answer) {
  const uint64_t run = request.runs.back();
  const Decision decision = DecideFence(request);
  if (decision.action == Action::kRefuse) return Refuse(decision.refusal, answer);
  if (MayCrash()) return Handled::kDied;
  if (decision.persist_term) {
    if (HasNoSpace()) return NoSpace(answer);
    if (!options_->term_is_not_durable) storage_.PersistTerm(*decision.persist_term, run);
    if (MayCrash()) return Handled::kDied;
    protocol_->TermPersisted(*decision.persist_term, run);
  }
  storage_.PersistIdentity();
  protocol_->Identified(/*replicated=*/false);
  return Done(answer);
}

Decision ModelParticipant::DecideFence(const Request& request) const {
  const uint64_t run = request.runs.back();
  std::vector<uint64_t> earlier(request.runs.begin(), std::prev(request.runs.end()));
  if (!options_->obey_any_run) return protocol_->Fence(request.term, run, earlier);
  // As if no run had a name: the term alone counts.
  return protocol_->Fence(request.term, 0, {});
}

SimParticipant::Handled ModelParticipant::Read(const Request& request, Answer* answer) {
  const Decision decision = protocol_->Read(request.term, request.round);
  if (const auto over = Persist(decision, answer)) return *over;
  if (decision.action == Action::kRefuse) return Refuse(decision.refusal, answer);
  if (decision.action == Action::kWait) return Handled::kWait;
  answer->visible = storage_.applied_round();
  answer->rows = storage_.rows();
  return Done(answer);
}

void ModelParticipant::AppendState(std::vector<uint64_t>* words) const {
  storage_.AppendState(words);
  words->push_back(boot_id_);
  words->push_back(alive() ? 1 : 0);
  if (!alive()) return;
  protocol_->AppendState(words);
  for (const Vote& vote : votes_) {
    words->push_back(static_cast<uint64_t>(vote.kind));
    words->push_back(vote.digest);
  }
}

}  // namespace lockstep::simulation
