// The participant's side of two-phase commit, as pure code.
#ifndef LOCKSTEP_PARTICIPANT_PROTOCOL_PROTOCOL_H_
#define LOCKSTEP_PARTICIPANT_PROTOCOL_PROTOCOL_H_

#include <cstdint>
#include <deque>
#include <optional>
#include <vector>

#include "common/round_id.h"
#include "participant/protocol/decision.h"
#include "participant/protocol/state.h"

namespace lockstep::participant {

// Test-only: each switches one rule off, to show that the tests notice.
struct BrokenRules {
  bool obeys_older_terms = false;        // R1
  bool runs_finished_rounds = false;     // R3
  bool rollback_ends_any_round = false;  // R4
  bool mark_ends_doubt = false;          // R4: at start
  bool commits_the_unknown = false;      // R8
  bool decides_alone = false;            // R10: a start takes what is in doubt for aborted
};

// Decides what a participant does about each message, and remembers what it holds. It does nothing
// itself: no thread, clock, file or log. The owner carries a Decision out, in the order that
// decision.h gives, and tells each step that is done; when a step fails it says nothing, and the
// state stands as before. After every change the invariants are checked (invariants.h); a broken
// one ends the process.
//
//   Protocol protocol(/*standalone=*/false);
//   protocol.Scanned(scan);
//   Decision decision = protocol.Prepare(term, round);
//   if (decision.action == Action::kExecute) { ...run, write, sync...; protocol.Voted(round, true);
//   }
//
// A crash is the end of the object: a new one starts from what the disk holds. A copy goes on
// alone.
class Protocol {
 public:
  // `standalone`: local transactions run before any coordinator has introduced itself.
  explicit Protocol(bool standalone, BrokenRules broken = {})
      : standalone_(standalone), broken_(broken) {}

  const State& state() const { return state_; }
  // The highest round that is finished here: a Prepare at or below it is refused (rule R3).
  RoundId mark() const;

  // Messages. `term` is the sender's. None of them changes the state.
  [[nodiscard]] Decision Prepare(Term term, RoundId round) const;
  [[nodiscard]] Decision Commit(Term term, RoundId round, Keep keep) const;
  [[nodiscard]] Decision Rollback(Term term, RoundId round) const;
  // The owner checks the identity before it carries the decision out.
  // `coordinator` is the boot id of the sender's run, 0 for none; earlier[t - 1] that of the run
  // that the sender's decision log gave term t.
  [[nodiscard]] Decision Fence(Term term, uint64_t coordinator,
                               const std::vector<uint64_t>& earlier) const;
  // kAnswer: read now.
  [[nodiscard]] Decision Read(Term term, RoundId least_round) const;
  [[nodiscard]] Decision ExecuteLocal() const;

  // Steps that are done.
  // Requires kRecovering.
  void Scanned(const Scan& scan);
  // The term is durable, and that it belongs to this run.
  void TermPersisted(Term term, uint64_t coordinator);
  // The tombstone is durable.
  void TombstonePersisted(RoundId tombstone);
  // All branches have their votes. `holds`: at least one is YES, frames and record are durable
  // (rule R5), and so is everything that was applied before.
  void Voted(RoundId round, bool holds);
  // The held round is visible, not yet durable here.
  void Committed(RoundId round);
  // The held round, found by a scan, is durable in the database file; a scan has to follow.
  void CommittedInDoubt(RoundId round);
  // The kept branches are durable beside the database, and the prepared state was dropped (R7).
  void RedoPersisted(RoundId round);
  // The kept branches are visible and durable.
  void Reexecuted(RoundId round);
  // The held round is dropped. Its tombstone, where it gets one, was durable before.
  void Forgotten(RoundId round);
  // A sync that started when `up_to` was applied has returned (rule R9).
  void Synced(RoundId up_to);
  // Cluster, node and log are stored.
  void Identified(bool replicated);

  // Appends all that its later answers depend on: two protocols that were made alike and append the
  // same act alike. For tests that compare states.
  void AppendState(std::vector<uint64_t>* words) const;

 private:
  std::optional<Decision> RefuseTerm(Term term, RoundId round) const;
  std::optional<Decision> RefuseUnfenced(Term term, RoundId round) const;
  Decision DecidePrepare(RoundId round) const;
  Decision DecideCommit(RoundId round, Keep keep) const;
  Decision DecideRollback(Term term, RoundId round) const;
  Decision DecideCommitOfHeld(Keep keep) const;
  // Requires a round, not none.
  bool Holds(RoundId round) const { return state_.round == round; }
  bool WasRolledBack(RoundId round) const;
  void Change(const State& next);
  void Release(State* next) const;

  const bool standalone_;
  const BrokenRules broken_;
  State state_;
  // Rounds at or below it were voted on by this process (rule R11): numbers only grow, so a Prepare
  // below it is a late repetition.
  RoundId last_voted_;
  // The latest rounds that this process dropped, so that a Commit of one is an error after a later
  // round was applied, and a repeated Prepare of one in doubt without a record is refused although
  // nothing was written. Bounded; older ones cannot be told from applied ones.
  std::deque<RoundId> forgotten_;
};

}  // namespace lockstep::participant

#endif  // LOCKSTEP_PARTICIPANT_PROTOCOL_PROTOCOL_H_
