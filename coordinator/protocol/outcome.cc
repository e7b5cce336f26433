#include "coordinator/protocol/outcome.h"

#include <algorithm>

#include "absl/container/inlined_vector.h"
#include "absl/types/span.h"
#include "common/check.h"

namespace lockstep::coordinator {
namespace {

using Kind = TransactionOutcome::Kind;
using Cause = TransactionOutcome::Cause;

class Decider {
 public:
  Decider(const Ballot& ballot, RoundOutcome* outcome) : ballot_(ballot), outcome_(outcome) {
    next_.resize(ballot.participants.size(), 0);
    outcome_->transactions.clear();
    outcome_->cuts.assign(ballot.participants.size(), kKeepAll);
    outcome_->kept.assign(ballot.participants.size(), 0);
  }

  void Run() {
    uint32_t begin = 0;
    for (const uint32_t end : ballot_.member_end) {
      members_ = absl::MakeConstSpan(ballot_.members).subspan(begin, end - begin);
      const TransactionOutcome decided = Judge();
      Apply(decided.kind);
      outcome_->transactions.push_back(decided);
      begin = end;
    }
  }

 private:
  // Null if it is missing.
  const Vote* VoteOf(Place place) const {
    const Ballot::Participant& participant = ballot_.participants[place];
    if (participant.missing) return nullptr;
    LOCKSTEP_CHECK(next_[place] < participant.votes.size(), "fewer votes than branches");
    return &participant.votes[next_[place]];
  }

  bool Voted(Place place, Vote::Kind kind) const {
    const Vote* vote = VoteOf(place);
    return vote != nullptr && vote->kind == kind;
  }

  TransactionOutcome Judge() const {
    for (const Place place : members_) {
      if (next_[place] >= outcome_->cuts[place] || Voted(place, Vote::Kind::kDefer)) {
        return {Kind::kDefer, Cause::kNone, place};
      }
    }
    for (const Place place : members_) {
      if (VoteOf(place) == nullptr) return {Kind::kAbort, Cause::kVoteMissing, place};
      if (Voted(place, Vote::Kind::kNo)) return {Kind::kAbort, Cause::kVoteNo, place};
      if (VoteOf(place)->vetoed) return {Kind::kAbort, Cause::kVetoed, place};
    }
    return JudgeDigests();
  }

  TransactionOutcome JudgeDigests() const {
    for (size_t i = 1; i < members_.size(); ++i) {
      const Ballot::Participant& replica = ballot_.participants[members_[i]];
      for (size_t j = 0; j < i; ++j) {
        if (ballot_.participants[members_[j]].database != replica.database) continue;
        if (VoteOf(members_[j])->digest == VoteOf(members_[i])->digest) break;
        return {Kind::kAbort, Cause::kReplicasDisagree, members_[i]};
      }
    }
    return {Kind::kCommit, Cause::kNone, 0};
  }

  void Apply(Kind kind) {
    for (const Place place : members_) {
      const uint32_t branch = next_[place]++;
      const Vote* vote = ballot_.participants[place].missing
                             ? nullptr
                             : &ballot_.participants[place].votes[branch];
      if (vote == nullptr || vote->kind != Vote::Kind::kYes) continue;
      if (kind == Kind::kCommit) {
        ++outcome_->kept[place];
      } else {
        outcome_->cuts[place] = std::min(outcome_->cuts[place], branch);
      }
    }
  }

  const Ballot& ballot_;
  RoundOutcome* const outcome_;
  absl::InlinedVector<uint32_t, 8> next_;  // per participant: which of its branches comes next
  absl::Span<const Place> members_;
};

}  // namespace

void Ballot::Clear() {
  member_end.clear();
  members.clear();
  participants.clear();
}

bool RoundOutcome::keeps_anything() const {
  return std::any_of(kept.begin(), kept.end(), [](uint32_t count) { return count > 0; });
}

void DecideOutcome(const Ballot& ballot, RoundOutcome* outcome) { Decider(ballot, outcome).Run(); }

}  // namespace lockstep::coordinator
