// How the engine carries rounds through: Prepare, Commit, Rollback.
#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "common/check.h"
#include "common/failpoint.h"
#include "common/logging.h"
#include "participant/engine.h"
#include "participant/errors.h"

namespace lockstep::participant {
namespace {

absl::Time LatestClock(const std::vector<Branch>& branches) {
  absl::Time latest = absl::UnixEpoch();
  for (const Branch& branch : branches) latest = std::max(latest, branch.clock);
  return latest;
}

}  // namespace

void Engine::On(PrepareMessage& message) {
  Failpoint("prepare_arrived");
  const PrepareCall& call = message.call;
  const Decision decision = protocol_.Prepare(call.target.term, call.round);
  if (std::optional<Error> failed = MakeDurable(decision)) return message.done(*failed);
  switch (decision.action) {
    case Action::kExecute:
      return RunRound(message);
    case Action::kRepeatVotes:
      LOCKSTEP_CHECK(given_.round == call.round, "votes are kept for the latest round (R11)");
      return message.done(Votes{given_.votes, absl::ZeroDuration(), absl::ZeroDuration()});
    default:
      return message.done(Refused(decision, call.target.term, call.round));
  }
}

void Engine::RunRound(PrepareMessage& message) {
  PrepareCall& call = message.call;
  Votes answer;
  const absl::Duration started = clock_.MonotonicNow();
  answer.queue_time = started - message.arrived;
  // Round by round, so that its memory goes with the votes.
  auto votes = std::make_shared<std::vector<BranchVote>>();
  RoundRunner runner(store_.get(), executor_.get(), options_.round, options_.name);
  if (absl::Status begun = runner.Run(call.branches, message.arrived, &call.body, votes.get());
      !begun.ok()) {
    return message.done(FromStorage(begun, "begin the round's transaction", options_.name));
  }
  bool holds = std::any_of(votes->begin(), votes->end(),
                           [](const BranchVote& vote) { return vote.kind == VoteKind::kYes; });
  Failpoint("prepare_executed");
  if (holds) {
    const absl::Duration executed = clock_.MonotonicNow();
    const absl::Status prepared =
        store_->Prepare(call.round, LatestClock(call.branches), call.body.bytes());
    answer.sync_time = clock_.MonotonicNow() - executed;
    if (!prepared.ok()) {
      RefuseToHold(prepared, votes.get());
      holds = false;
    }
  }
  protocol_.Voted(call.round, holds);
  for (BranchVote& vote : *votes) {
    if (!vote.error) continue;
    vote.error->node_id = options_.name.node_id;
    vote.error->database = options_.name.database;
  }
  given_ = Given{call.round, std::move(votes)};
  if (holds) {
    held_since_ = clock_.WallNow();
    held_ = Held{call.round, std::move(call.body), held_since_};
    ++prepared_rounds_;
  }
  Publish();
  answer.votes = given_.votes;
  message.done(std::move(answer));
  Failpoint("prepare_voted");
}

// The round could not be made durable: no YES, and what was judged on top of one is open again.
void Engine::RefuseToHold(const absl::Status& status, std::vector<BranchVote>* votes) const {
  Error error = FromStorage(status, "make the round durable", options_.name);
  error.outcome = FailureOutcome::kAborted;
  Log(LogLevel::kError, "a round could not be made durable", {{"reason", error.message}});
  bool first = true;
  for (BranchVote& vote : *votes) {
    if (first && vote.kind != VoteKind::kYes) continue;
    vote = BranchVote();
    vote.kind = first ? VoteKind::kNo : VoteKind::kDefer;
    if (first) vote.error = error;
    first = false;
  }
}

Keep Engine::KeepOf(const CommitCall& call) const {
  if (!call.cut) return Keep::kAll;
  // Without the branches it cannot be told; the protocol knows what that means.
  if (!held_ || held_->round != call.round) return Keep::kPrefix;
  const size_t kept = held_->body.KeptBy(*call.cut);
  if (kept == held_->body.KeptBy(held_->body.size())) return Keep::kAll;
  return kept == 0 ? Keep::kNothing : Keep::kPrefix;
}

void Engine::On(CommitMessage& message) {
  Failpoint("commit_arrived");
  const CommitCall& call = message.call;
  const Decision decision = protocol_.Commit(call.target.term, call.round, KeepOf(call));
  if (std::optional<Error> failed = MakeDurable(decision)) return message.done(*failed);
  absl::Status status;
  switch (decision.action) {
    case Action::kAnswer:
      break;
    case Action::kCommitPrepared:
      status = CommitPrepared(call);
      break;
    case Action::kCommitInDoubt:
      status = CommitInDoubt(call.round);
      break;
    case Action::kCommitCut:
      status = CommitCut(call);
      break;
    case Action::kFinishReexecution:
      status = Reexecute();
      break;
    case Action::kStop:
      LOCKSTEP_CHECK(false, absl::StrCat("round ", call.round.value(),
                                         " is decided with a cut, and its branches are lost"));
      break;
    default:
      return message.done(Refused(decision, call.target.term, call.round));
  }
  Publish();
  if (status.ok()) {
    message.done(Ok());
    Failpoint("commit_answered");
    return;
  }
  Error error = FromStorage(status, "commit the round yet; send the Commit again", options_.name);
  Log(LogLevel::kError, "a commit could not be carried out yet",
      {{"round", call.round.value()}, {"reason", error.message}});
  message.done(std::move(error));
}

absl::Status Engine::CommitPrepared(const CommitCall& call) {
  if (absl::Status status = store_->Commit(); !status.ok()) return status;
  protocol_.Committed(call.round);
  LetGo();
  last_commit_ = clock_.MonotonicNow();
  // A cut that keeps everything can be told from others by the record alone, which the next round
  // overwrites: found in doubt without it, this one could not be finished any more (rule R7).
  return call.cut ? store_->SyncIdle() : absl::OkStatus();
}

absl::Status Engine::CommitInDoubt(RoundId round) {
  const absl::Status status = store_->CommitInDoubt();
  if (!status.ok()) {
    // The connections may be gone already, and nothing but a start makes them anew.
    LOCKSTEP_CHECK(executor_ != nullptr, "a round in doubt was committed, but not read again: " +
                                             std::string(status.message()));
    return status;
  }
  protocol_.CommittedInDoubt(round);
  Log(LogLevel::kInfo, "a round in doubt was committed", {{"round", round.value()}});
  const absl::Status taken = TakeOver();
  LOCKSTEP_CHECK(taken.ok(), std::string(taken.message()));
  return absl::OkStatus();
}

absl::Status Engine::CommitCut(const CommitCall& call) {
  if (absl::Status status = store_->WriteRedo(call.round, held_->body.Kept(*call.cut));
      !status.ok()) {
    return status;
  }
  const absl::Status dropped = store_->Forget();
  LOCKSTEP_CHECK(dropped.ok(), std::string(dropped.message()));
  Failpoint("cut_dropped");
  protocol_.RedoPersisted(call.round);
  LetGo();
  return Reexecute();
}

absl::Status Engine::Reexecute() {
  const RoundId round = protocol_.state().round;
  const auto branches = DecodeBranches(store_->redo()->body);
  LOCKSTEP_CHECK(branches.ok(), std::string(branches.status().message()));
  RoundRunner runner(store_.get(), executor_.get(), options_.round, options_.name);
  absl::Status status = runner.RunAgain(*branches);
  Failpoint("cut_executed");
  if (status.ok()) {
    absl::Time latest = absl::UnixEpoch();
    for (const RecordedBranch& recorded : *branches) {
      latest = std::max(latest, recorded.branch.clock);
    }
    status = store_->CommitRedone(latest);
  }
  if (!status.ok()) {
    next_reexecution_ = clock_.MonotonicNow() + kReexecutionRetry;
    const Error error = FromStorage(status, "finish a decided round yet", options_.name);
    Log(LogLevel::kError, "a decided round could not be re-executed, and will be tried again",
        {{"round", round.value()}, {"reason", error.message}});
    return status;
  }
  Failpoint("cut_committed");
  protocol_.Reexecuted(round);
  Publish();
  return absl::OkStatus();
}

void Engine::LetGo() {
  held_.reset();
  given_.votes.reset();
}

void Engine::On(RollbackMessage& message) {
  Failpoint("rollback_arrived");
  const RollbackCall& call = message.call;
  const Decision decision = protocol_.Rollback(call.target.term, call.round);
  if (std::optional<Error> failed = MakeDurable(decision)) return message.done(*failed);
  if (decision.action == Action::kRefuse) {
    return message.done(Refused(decision, call.target.term, call.round));
  }
  if (decision.action == Action::kForget) {
    if (absl::Status status = store_->Forget(); !status.ok()) {
      return message.done(FromStorage(status, "drop the round yet", options_.name));
    }
    Failpoint("rollback_forgotten");
    protocol_.Forgotten(call.round);
    LetGo();
    Publish();
  }
  message.done(Ok());
  Failpoint("rollback_answered");
}

}  // namespace lockstep::participant
