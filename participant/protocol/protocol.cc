#include "participant/protocol/protocol.h"

#include <algorithm>
#include <string>

#include "common/check.h"
#include "participant/protocol/invariants.h"

namespace lockstep::participant {
namespace {

constexpr size_t kRememberedForgotten = 64;

Decision Refuse(Refusal refusal) {
  Decision decision;
  decision.refusal = refusal;
  return decision;
}

Decision Do(Action action) {
  Decision decision;
  decision.action = action;
  return decision;
}

bool IsRound(RoundId round) { return round.value() > 0 && round.term() > 0; }

}  // namespace

RoundId Protocol::mark() const { return std::max(state_.applied, state_.tombstone); }

bool Protocol::WasRolledBack(RoundId round) const {
  return round == state_.tombstone ||
         std::find(forgotten_.begin(), forgotten_.end(), round) != forgotten_.end();
}

std::optional<Decision> Protocol::RefuseTerm(Term term, RoundId round) const {
  if (term == 0 || term > RoundId::kMaxTerm || round.term() > term) {
    return Refuse(Refusal::kRoundInvalid);
  }
  // Its own term is not known before the scan has read it, so an older one cannot be told.
  if (state_.phase == RoundPhase::kRecovering) return Refuse(Refusal::kRecovering);
  if (term < state_.term && !broken_.obeys_older_terms) return Refuse(Refusal::kTermOutdated);
  return std::nullopt;
}

// A term has to be a Fence's first: that one names the run it belongs to (rule R22).
std::optional<Decision> Protocol::RefuseUnfenced(Term term, RoundId round) const {
  if (auto refused = RefuseTerm(term, round)) return refused;
  if (term > state_.term) return Refuse(Refusal::kNotFenced);
  return std::nullopt;
}

Decision Protocol::Prepare(Term term, RoundId round) const {
  // Only the coordinator that numbered a round prepares it (rule R2).
  if (!IsRound(round) || round.term() != term) return Refuse(Refusal::kRoundInvalid);
  if (auto refused = RefuseUnfenced(term, round)) return *refused;
  return DecidePrepare(round);
}

Decision Protocol::DecidePrepare(RoundId round) const {
  if (!state_.identified) return Refuse(Refusal::kNotIdentified);
  if (state_.phase == RoundPhase::kInDoubt) return Refuse(Refusal::kInDoubt);
  if (state_.phase == RoundPhase::kReexecuting) return Refuse(Refusal::kReexecuting);
  if (state_.phase == RoundPhase::kPrepared) {
    if (Holds(round)) return Do(Action::kRepeatVotes);
    return Refuse(round <= mark() ? Refusal::kRoundFinished : Refusal::kHoldsAnotherRound);
  }
  if (broken_.runs_finished_rounds) return Do(Action::kExecute);
  if (round <= mark() || WasRolledBack(round)) return Refuse(Refusal::kRoundFinished);
  // It voted NO to everything and holds nothing: run again it could find other data and vote YES,
  // and nobody would ever end it.
  if (round == last_voted_) return Do(Action::kRepeatVotes);
  if (round < last_voted_) return Refuse(Refusal::kRoundFinished);
  return Do(Action::kExecute);
}

Decision Protocol::Commit(Term term, RoundId round, Keep keep) const {
  if (!IsRound(round)) return Refuse(Refusal::kRoundInvalid);
  if (auto refused = RefuseUnfenced(term, round)) return *refused;
  return DecideCommit(round, keep);
}

Decision Protocol::DecideCommit(RoundId round, Keep keep) const {
  if (Holds(round)) return DecideCommitOfHeld(keep);
  const bool applied = round == state_.applied || (round < state_.applied && !WasRolledBack(round));
  if (applied || broken_.commits_the_unknown) return Do(Action::kAnswer);
  return Refuse(Refusal::kRoundUnknown);
}

Decision Protocol::DecideCommitOfHeld(Keep keep) const {
  if (state_.phase == RoundPhase::kReexecuting) return Do(Action::kFinishReexecution);
  if (keep == Keep::kNothing) return Refuse(Refusal::kCutKeepsNothing);
  if (keep == Keep::kPrefix) {
    // A cut follows a vote, a vote follows its record, and the record stays until the cut is done.
    const bool branches_known = state_.phase == RoundPhase::kPrepared || state_.has_record;
    return Do(branches_known ? Action::kCommitCut : Action::kStop);
  }
  return Do(state_.phase == RoundPhase::kPrepared ? Action::kCommitPrepared
                                                  : Action::kCommitInDoubt);
}

Decision Protocol::Rollback(Term term, RoundId round) const {
  if (!IsRound(round)) return Refuse(Refusal::kRoundInvalid);
  if (auto refused = RefuseUnfenced(term, round)) return *refused;
  return DecideRollback(term, round);
}

Decision Protocol::DecideRollback(Term term, RoundId round) const {
  if (round <= state_.applied) return Refuse(Refusal::kRoundApplied);
  const bool held =
      Holds(round) || (broken_.rollback_ends_any_round && state_.phase == RoundPhase::kPrepared);
  if (held && state_.phase == RoundPhase::kReexecuting) return Refuse(Refusal::kRoundApplied);
  Decision decision = Do(held ? Action::kForget : Action::kAnswer);
  // A mask without its record may be a torn write, its number random: made a tombstone, it could
  // refuse every round of this term. Older terms' Prepares are refused by their term.
  const bool bare_mask = held && state_.phase == RoundPhase::kInDoubt && !state_.has_record;
  // A repeated Rollback of one writes as little as the first.
  const bool forgotten = !held && WasRolledBack(round);
  if (!bare_mask && !forgotten && round.term() == term && round > state_.tombstone) {
    decision.persist_tombstone = round;
  }
  return decision;
}

Decision Protocol::Fence(Term term, uint64_t coordinator,
                         const std::vector<uint64_t>& earlier) const {
  if (auto refused = RefuseTerm(term, RoundId())) return *refused;
  Decision decision = Do(Action::kAnswer);
  // A call made by hand names no run: it is taken by its term.
  if (term == state_.term) {
    const bool same = coordinator == 0 || coordinator == state_.coordinator;
    return same ? decision : Refuse(Refusal::kTermTaken);
  }
  const bool follows =
      coordinator == 0 || state_.coordinator == 0 ||
      (state_.term <= earlier.size() && earlier[state_.term - 1] == state_.coordinator);
  if (!follows) return Refuse(Refusal::kStrayed);
  decision.persist_term = term;
  return decision;
}

Decision Protocol::Read(Term term, RoundId least_round) const {
  if (least_round.value() < 0) return Refuse(Refusal::kRoundInvalid);
  if (auto refused = RefuseUnfenced(term, least_round)) return *refused;
  if (!state_.identified) return Refuse(Refusal::kNotIdentified);
  return Do(least_round <= state_.applied ? Action::kAnswer : Action::kWait);
}

Decision Protocol::ExecuteLocal() const {
  if (state_.phase == RoundPhase::kRecovering) return Refuse(Refusal::kRecovering);
  if (state_.identified && state_.replicated) return Refuse(Refusal::kReplicated);
  if (!state_.identified && !standalone_) return Refuse(Refusal::kNotIdentified);
  if (state_.phase == RoundPhase::kInDoubt) return Refuse(Refusal::kInDoubt);
  if (state_.phase == RoundPhase::kReexecuting) return Refuse(Refusal::kReexecuting);
  return Do(state_.phase == RoundPhase::kPrepared ? Action::kWait : Action::kRunLocal);
}

void Protocol::Change(const State& next) {
  const std::optional<std::string> broken = BrokenInvariant(state_, next);
  LOCKSTEP_CHECK(!broken.has_value(), *broken);
  state_ = next;
}

void Protocol::Release(State* next) const {
  next->phase = RoundPhase::kIdle;
  next->round = RoundId();
  next->has_record = false;
}

void Protocol::Scanned(const Scan& scan) {
  LOCKSTEP_CHECK(state_.phase == RoundPhase::kRecovering, "a scan ended that nobody waited for");
  LOCKSTEP_CHECK(!(scan.redo && scan.in_doubt), "the redo block comes before what is masked");
  State next = state_;
  next.term = scan.term;
  next.coordinator = scan.coordinator;
  next.tombstone = scan.tombstone;
  next.applied = scan.applied;
  next.durable = scan.applied;
  next.identified = scan.identified;
  next.replicated = scan.replicated;
  next.phase = RoundPhase::kIdle;
  if (scan.redo) {
    next.phase = RoundPhase::kReexecuting;
    next.round = *scan.redo;
    next.has_record = true;
  } else if (scan.in_doubt && !broken_.decides_alone &&
             !(broken_.mark_ends_doubt && scan.in_doubt->round <= scan.tombstone)) {
    next.phase = RoundPhase::kInDoubt;
    next.round = scan.in_doubt->round;
    next.has_record = scan.in_doubt->has_record;
  }
  Change(next);
}

void Protocol::TermPersisted(Term term, uint64_t coordinator) {
  LOCKSTEP_CHECK(state_.phase != RoundPhase::kRecovering, "a term before the scan has ended");
  State next = state_;
  next.term = term;
  next.coordinator = coordinator;
  Change(next);
}

void Protocol::TombstonePersisted(RoundId tombstone) {
  LOCKSTEP_CHECK(tombstone.term() == state_.term, "a tombstone of another term (rule 6)");
  State next = state_;
  next.tombstone = tombstone;
  Change(next);
}

void Protocol::Voted(RoundId round, bool holds) {
  LOCKSTEP_CHECK(state_.phase == RoundPhase::kIdle, "voted while a round was held");
  LOCKSTEP_CHECK(round > mark() && round > last_voted_, "voted on a finished round (R3)");
  last_voted_ = round;
  if (!holds) return;
  State next = state_;
  next.phase = RoundPhase::kPrepared;
  next.round = round;
  next.has_record = true;
  next.durable = next.applied;
  Change(next);
}

void Protocol::Committed(RoundId round) {
  LOCKSTEP_CHECK(state_.phase == RoundPhase::kPrepared && Holds(round),
                 "committed what was not held");
  State next = state_;
  next.applied = round;
  Release(&next);
  Change(next);
}

void Protocol::CommittedInDoubt(RoundId round) {
  LOCKSTEP_CHECK(state_.phase == RoundPhase::kInDoubt && Holds(round),
                 "committed what was not held");
  State next = state_;
  Release(&next);
  next.phase = RoundPhase::kRecovering;
  Change(next);
}

void Protocol::RedoPersisted(RoundId round) {
  LOCKSTEP_CHECK(state_.phase == RoundPhase::kPrepared || state_.phase == RoundPhase::kInDoubt,
                 "a cut of what does not wait for its decision");
  LOCKSTEP_CHECK(state_.has_record && Holds(round), "a cut of what was not held");
  State next = state_;
  next.phase = RoundPhase::kReexecuting;
  Change(next);
}

void Protocol::Reexecuted(RoundId round) {
  LOCKSTEP_CHECK(state_.phase == RoundPhase::kReexecuting && Holds(round), "nothing to re-execute");
  State next = state_;
  next.applied = round;
  next.durable = round;
  Release(&next);
  Change(next);
}

void Protocol::Forgotten(RoundId round) {
  LOCKSTEP_CHECK(state_.phase == RoundPhase::kPrepared || state_.phase == RoundPhase::kInDoubt,
                 "forgot what does not wait for its decision");
  LOCKSTEP_CHECK(Holds(round), "forgot what was not held");
  State next = state_;
  Release(&next);
  Change(next);
  if (forgotten_.size() == kRememberedForgotten) forgotten_.pop_front();
  forgotten_.push_back(round);
}

void Protocol::Synced(RoundId up_to) {
  if (up_to <= state_.durable) return;
  State next = state_;
  next.durable = up_to;
  Change(next);
}

void Protocol::Identified(bool replicated) {
  State next = state_;
  next.identified = true;
  next.replicated = replicated;
  Change(next);
}

void Protocol::AppendState(std::vector<uint64_t>* words) const {
  const auto append = [words](RoundId round) {
    words->push_back(static_cast<uint64_t>(round.value()));
  };
  words->push_back(state_.term);
  words->push_back(state_.coordinator);
  for (const RoundId round :
       {state_.tombstone, state_.applied, state_.durable, state_.round, last_voted_}) {
    append(round);
  }
  words->push_back(static_cast<uint64_t>(state_.phase) << 3 | uint64_t{state_.has_record} << 2 |
                   uint64_t{state_.identified} << 1 | uint64_t{state_.replicated});
  words->push_back(forgotten_.size());
  for (const RoundId round : forgotten_) append(round);
}

}  // namespace lockstep::participant
