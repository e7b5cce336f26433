#include "tests/simulation/truth.h"

#include <algorithm>

#include "absl/strings/str_cat.h"

namespace lockstep::simulation {

using coordinator::Ending;
using coordinator::EndingReason;
using coordinator::KeptBranches;

void Truth::Violate(const std::string& what) {
  if (!violation_) violation_ = what;
}

void Truth::Submitted(TransactionHandle transaction,
                      absl::InlinedVector<ParticipantIndex, 4> participants) {
  transactions_[transaction].participants = std::move(participants);
}

void Truth::Sent(const coordinator::SendPrepare& prepare) {
  sheets_[{prepare.round, prepare.participant}].branches = prepare.branches;
  for (const PreparedBranch& branch : prepare.branches) {
    Transaction& transaction = transactions_[branch.transaction];
    if (transaction.sent_in != prepare.round && transaction.seed == branch.seed) {
      Violate("a transaction that was deferred has its old seed (R23)");
    }
    transaction.sent_in = prepare.round;
    transaction.seed = branch.seed;
  }
}

void Truth::Voted(const coordinator::PrepareAnswered& answer) {
  Sheet& sheet = sheets_[{answer.round, answer.participant}];
  if (sheet.votes && !std::equal(sheet.votes->begin(), sheet.votes->end(), answer.votes.begin(),
                                 answer.votes.end(), [](const Vote& a, const Vote& b) {
                                   return a.kind == b.kind && a.digest == b.digest;
                                 })) {
    Violate("a participant voted twice on a round, and differently");
  }
  sheet.votes = answer.votes;
}

void Truth::Decided(const coordinator::LogDecision& record) {
  ++decided_rounds_;
  for (const TransactionHandle transaction : record.committed) {
    if (!committed_.emplace(transaction, record.round).second) {
      Violate("a transaction was decided twice");
    }
    if (aborted_.contains(transaction)) Violate("told ABORTED, and decided afterwards");
    DecideTry(transaction);
    for (const ParticipantIndex p : transactions_[transaction].participants) {
      const bool kept = std::any_of(record.kept.begin(), record.kept.end(),
                                    [p](const KeptBranches& k) { return k.participant == p; });
      if (!kept) Violate("committed, but one of its participants keeps nothing");
    }
  }
  for (const KeptBranches& kept : record.kept) DecideAt(kept, record);
}

void Truth::DecideTry(TransactionHandle transaction) {
  const auto its = tries_.find(transaction);
  if (its == tries_.end()) return;
  const auto& [id, attempt] = its->second;
  if (!committed_requests_.emplace(id, transaction).second) {
    Violate(absl::StrCat("request_id ", id, " is applied twice (R18)"));
  }
  const auto aborted = aborted_attempts_.find(id);
  if (aborted != aborted_attempts_.end() && attempt < aborted->second) {
    Violate(absl::StrCat("attempt ", attempt, " of request_id ", id,
                         " is decided after a later one was told ABORTED (R19)"));
  }
}

void Truth::ToldCommitted(const std::string& id, TransactionHandle transaction) {
  const auto committed = committed_requests_.find(id);
  if (committed == committed_requests_.end() || committed->second != transaction) {
    Violate(absl::StrCat("request_id ", id, " is given another answer (R18)"));
  }
}

void Truth::ToldAborted(const std::string& id, uint32_t attempt) {
  if (committed_requests_.contains(id)) {
    Violate(absl::StrCat("request_id ", id, " is told ABORTED, though committed (R18)"));
  }
  ToldUnknown(id, attempt);
}

void Truth::ToldUnknown(const std::string& id, uint32_t attempt) {
  uint32_t& highest = aborted_attempts_[id];
  highest = std::max(highest, attempt);
}

bool Truth::IsSame(const Vote& serial, const Vote& vote) const {
  return serial.kind == vote.kind && (!knows_digests_ || serial.digest == vote.digest);
}

// Every branch that is kept is of a committed transaction, and ran as serial execution would.
void Truth::DecideAt(const KeptBranches& kept, const coordinator::LogDecision& record) {
  const ParticipantIndex p = kept.participant;
  const Sheet& sheet = sheets_[{record.round, p}];
  if (!sheet.votes) return Violate("keeps branches whose votes nobody has");
  Rows rows = decided_[p].empty() ? Rows{} : decided_[p].back().after;
  absl::Time clock = decided_[p].empty() ? absl::InfinitePast() : decided_[p].back().latest_clock;
  size_t next = 0;
  std::ptrdiff_t used = 0;
  for (size_t i = 0; i < sheet.branches.size() && i < kept.cut; ++i) {
    const Vote& vote = (*sheet.votes)[i];
    if (vote.kind != Vote::Kind::kYes) continue;
    if (sheet.branches[i].clock < clock) Violate("an instant before that of the one before (R23)");
    clock = sheet.branches[i].clock;
    const Vote serial = Execute(sheet.branches[i], databases_[p], p, &rows);
    if (!IsSame(serial, vote)) {
      Violate("a vote that was used is not that of serial execution");
    }
    const auto& committed = record.committed;
    const auto found = std::find(committed.begin(), committed.end(), sheet.branches[i].transaction);
    if (found == committed.end()) {
      Violate("keeps a branch of a transaction that did not commit");
    } else if (static_cast<size_t>(found - committed.begin()) < next) {
      Violate("participants have different orders");
    } else {
      next = static_cast<size_t>(found - committed.begin()) + 1;
      ++used;
    }
  }
  const auto due = std::count_if(
      record.committed.begin(), record.committed.end(), [&](TransactionHandle transaction) {
        const auto& participants = transactions_[transaction].participants;
        return std::find(participants.begin(), participants.end(), p) != participants.end();
      });
  if (used != due) Violate("committed, but one of its participants keeps nothing of it");
  const RoundId last = decided_[p].empty() ? RoundId() : decided_[p].back().round;
  if (record.round <= last) Violate("rounds at a participant do not grow");
  decided_[p].push_back({record.round, rows, clock});
}

void Truth::Told(const coordinator::Complete& complete) {
  const auto committed = committed_.find(complete.transaction);
  if (complete.ending != Ending::kCommitted) {
    if (committed != committed_.end()) Violate("told ABORTED, though decided");
    aborted_.insert(complete.transaction);
    if (complete.reason == EndingReason::kVoteNo) CheckNo(complete);
    return;
  }
  if (committed == committed_.end() || committed->second != complete.round) {
    return Violate("told COMMITTED, and not decided");
  }
  for (const ParticipantIndex p : transactions_[complete.transaction].participants) {
    answered_[p] = std::max(answered_[p], complete.round);
  }
}

Rows Truth::RowsBefore(ParticipantIndex participant, RoundId round) const {
  const std::vector<DecidedRound>& decided = decided_[participant];
  const auto after = std::lower_bound(
      decided.begin(), decided.end(), round,
      [](const DecidedRound& before, RoundId limit) { return before.round < limit; });
  return after == decided.begin() ? Rows{} : std::prev(after)->after;
}

// A NO that was answered was judged on committed state (no YES before it was undone), and serial
// execution says NO there too.
void Truth::CheckNo(const coordinator::Complete& complete) {
  const Sheet& sheet = sheets_[{complete.round, complete.participant}];
  if (!sheet.votes) return Violate("a NO that nobody voted");
  const ParticipantIndex p = complete.participant;
  Rows rows = RowsBefore(p, complete.round);
  for (size_t i = 0; i < sheet.branches.size(); ++i) {
    if (sheet.branches[i].transaction == complete.transaction) {
      const Vote serial = Execute(sheet.branches[i], databases_[p], p, &rows);
      if ((*sheet.votes)[i].kind != Vote::Kind::kNo) Violate("a NO that was no NO");
      if (serial.kind != Vote::Kind::kNo && !sheet.had_no_space)
        Violate("a NO that is none by serial execution");
      return;
    }
    const auto committed = committed_.find(sheet.branches[i].transaction);
    const bool undone = committed == committed_.end() || committed->second != complete.round;
    if ((*sheet.votes)[i].kind == Vote::Kind::kYes && undone) {
      Violate("a NO was judged on what was undone");
    }
    if ((*sheet.votes)[i].kind == Vote::Kind::kYes) {
      Execute(sheet.branches[i], databases_[p], p, &rows);
    }
  }
  Violate("a NO of a branch that was not sent");
}

RoundId Truth::LastDecided(ParticipantIndex participant) const {
  return decided_[participant].empty() ? RoundId() : decided_[participant].back().round;
}

void Truth::RolledBack(ParticipantIndex participant, RoundId round) {
  rolled_back_[participant].insert(round);
}

void Truth::Executes(ParticipantIndex participant, RoundId round, RoundId applied) {
  if (round <= applied || rolled_back_[participant].contains(round)) {
    Violate(absl::StrCat("participant ", participant, " runs a round that has ended there (R3)"));
  }
  if (applied != LastDecided(participant)) {
    Violate(absl::StrCat("participant ", participant,
                         " runs a round before all that was decided is visible (R14)"));
  }
}

void Truth::Check(ParticipantIndex participant, const SimParticipant& its) {
  const std::vector<DecidedRound>& decided = decided_[participant];
  const auto next = std::upper_bound(
      decided.begin(), decided.end(), its.applied(),
      [](RoundId applied, const DecidedRound& after) { return applied < after.round; });
  const bool is_first = next == decided.begin();
  const RoundId same = is_first ? RoundId() : std::prev(next)->round;
  if (same != its.applied()) {
    return Violate(absl::StrCat("participant ", participant, " shows what was not decided"));
  }
  if (its.rows() != (is_first ? Rows{} : std::prev(next)->after)) {
    Violate(absl::StrCat("participant ", participant, " is not a prefix of the decided order"));
  }
  if (next != decided.end() && !its.CanFind(next->round)) {
    Violate(
        absl::StrCat("participant ", participant, " holds no trace of a branch that was decided"));
  }
}

void Truth::AppendState(std::vector<uint64_t>* words) const {
  const auto append = [words](RoundId round) {
    words->push_back(static_cast<uint64_t>(round.value()));
  };
  for (size_t p = 0; p < decided_.size(); ++p) {
    words->push_back(decided_[p].size());
    for (const DecidedRound& decided : decided_[p]) {
      append(decided.round);
      decided.after.AppendState(words);
    }
    words->push_back(rolled_back_[p].size());
    for (const RoundId round : rolled_back_[p]) append(round);
    append(answered_[p]);
  }
  for (const auto& [key, sheet] : sheets_) {
    append(key.first);
    words->push_back(key.second);
    for (const PreparedBranch& branch : sheet.branches) words->push_back(branch.transaction);
    words->push_back(sheet.votes ? sheet.votes->size() : ~uint64_t{0});
    if (!sheet.votes) continue;
    for (const Vote& vote : *sheet.votes) {
      words->push_back(static_cast<uint64_t>(vote.kind));
      words->push_back(vote.digest);
    }
  }
  words->push_back(transactions_.size());
  for (const auto& [transaction, round] : committed_) {
    words->push_back(transaction);
    append(round);
  }
  words->push_back(aborted_.size());
  words->insert(words->end(), aborted_.begin(), aborted_.end());
}

}  // namespace lockstep::simulation
