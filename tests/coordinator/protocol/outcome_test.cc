// The outcome function (rule R12), by hand and against serial execution.
#include "coordinator/protocol/outcome.h"

#include <gtest/gtest.h>

#include <array>
#include <deque>
#include <vector>

#include "tests/coordinator/protocol/names.h"
#include "tests/simulation/random.h"

namespace lockstep::coordinator {
namespace {

using Kind = TransactionOutcome::Kind;
using Cause = TransactionOutcome::Cause;
using simulation::Mix;
using simulation::SeededRandom;

struct Branch {
  Place place;
  Vote vote;
};

// One list of branches per transaction; participant i serves database i.
Ballot MakeBallot(size_t participants, const std::vector<std::vector<Branch>>& transactions) {
  Ballot ballot;
  ballot.participants.resize(participants);
  for (Place place = 0; place < participants; ++place) {
    ballot.participants[place].database = place;
  }
  for (const std::vector<Branch>& transaction : transactions) {
    for (const Branch& branch : transaction) {
      ballot.members.push_back(branch.place);
      ballot.participants[branch.place].votes.push_back(branch.vote);
    }
    ballot.member_end.push_back(static_cast<uint32_t>(ballot.members.size()));
  }
  return ballot;
}

RoundOutcome Decide(const Ballot& ballot) {
  RoundOutcome outcome;
  DecideOutcome(ballot, &outcome);
  return outcome;
}

TEST(OutcomeTest, AllYesCommitsWithoutACut) {
  const RoundOutcome outcome = Decide(MakeBallot(2, {{{0, kYes}, {1, kYes}}, {{0, kYes}}}));
  EXPECT_EQ(outcome.transactions[0].kind, Kind::kCommit);
  EXPECT_EQ(outcome.transactions[1].kind, Kind::kCommit);
  EXPECT_EQ(outcome.cuts, (std::vector<Cut>{kKeepAll, kKeepAll}));
  EXPECT_EQ(outcome.kept, (std::vector<uint32_t>{2, 1}));
}

TEST(OutcomeTest, ANoAbortsAndCutsThoseThatVotedYes) {
  const RoundOutcome outcome =
      Decide(MakeBallot(2, {{{0, kYes}}, {{0, kYes}, {1, kNo}}, {{0, kYes}}, {{1, kYes}}}));
  EXPECT_EQ(outcome.transactions[0].kind, Kind::kCommit);
  EXPECT_EQ(outcome.transactions[1].kind, Kind::kAbort);
  EXPECT_EQ(outcome.transactions[1].cause, Cause::kVoteNo);
  EXPECT_EQ(outcome.transactions[1].culprit, 1u);
  EXPECT_EQ(outcome.transactions[2].kind, Kind::kDefer);
  EXPECT_EQ(outcome.transactions[3].kind, Kind::kCommit);
  EXPECT_EQ(outcome.cuts, (std::vector<Cut>{1, kKeepAll}));
  EXPECT_EQ(outcome.kept, (std::vector<uint32_t>{1, 1}));
}

TEST(OutcomeTest, ANoEverywhereCutsNobody) {
  const RoundOutcome outcome =
      Decide(MakeBallot(2, {{{0, kNo}, {1, kNo}}, {{0, kYes}, {1, kYes}}}));
  EXPECT_EQ(outcome.transactions[0].kind, Kind::kAbort);
  EXPECT_EQ(outcome.transactions[0].culprit, 0u);
  EXPECT_EQ(outcome.transactions[1].kind, Kind::kCommit);
}

TEST(OutcomeTest, ADeferVoteDefersAndCutsTheOthers) {
  const RoundOutcome outcome = Decide(MakeBallot(2, {{{0, kYes}, {1, kDefer}}, {{0, kNo}}}));
  EXPECT_EQ(outcome.transactions[0].kind, Kind::kDefer);
  EXPECT_EQ(outcome.cuts[0], 0u);
  // Its NO may rest on what was just undone: it is no answer.
  EXPECT_EQ(outcome.transactions[1].kind, Kind::kDefer);
  EXPECT_FALSE(outcome.keeps_anything());
}

TEST(OutcomeTest, AMissingVoteKeepsNothingAndAbortsWhatNeedsIt) {
  Ballot ballot = MakeBallot(2, {{{0, kYes}}, {{0, kYes}, {1, kYes}}, {{1, kYes}}});
  ballot.participants[1].missing = true;
  const RoundOutcome outcome = Decide(ballot);
  EXPECT_EQ(outcome.transactions[0].kind, Kind::kCommit);
  EXPECT_EQ(outcome.transactions[1].cause, Cause::kVoteMissing);
  EXPECT_EQ(outcome.transactions[2].cause, Cause::kVoteMissing);
  EXPECT_EQ(outcome.kept, (std::vector<uint32_t>{1, 0}));
  EXPECT_EQ(outcome.cuts[0], 1u);
}

// R12: the participant did vote YES, so it is cut as any other that did.
TEST(OutcomeTest, AVetoedYesAbortsAndCutsItsParticipantToo) {
  constexpr Vote kVetoed{Vote::Kind::kYes, 7, true};
  const RoundOutcome outcome = Decide(
      MakeBallot(2, {{{0, kYes}, {1, kYes}}, {{0, kYes}, {1, kVetoed}}, {{0, kYes}}, {{1, kYes}}}));
  EXPECT_EQ(outcome.transactions[0].kind, Kind::kCommit);
  EXPECT_EQ(outcome.transactions[1].kind, Kind::kAbort);
  EXPECT_EQ(outcome.transactions[1].cause, Cause::kVetoed);
  EXPECT_EQ(outcome.transactions[1].culprit, 1u);
  EXPECT_EQ(outcome.transactions[2].kind, Kind::kDefer);
  EXPECT_EQ(outcome.transactions[3].kind, Kind::kDefer);
  EXPECT_EQ(outcome.cuts, (std::vector<Cut>{1, 1}));
  EXPECT_EQ(outcome.kept, (std::vector<uint32_t>{1, 1}));
}

TEST(OutcomeTest, ReplicasThatDisagreeAbort) {
  Ballot ballot = MakeBallot(3, {{{0, kYes}, {1, {Vote::Kind::kYes, 8}}, {2, kYes}}});
  ballot.participants[1].database = 0;
  const RoundOutcome outcome = Decide(ballot);
  EXPECT_EQ(outcome.transactions[0].cause, Cause::kReplicasDisagree);
  EXPECT_EQ(outcome.transactions[0].culprit, 1u);
  EXPECT_FALSE(outcome.keeps_anything());
}

TEST(OutcomeTest, DigestsOfDifferentDatabasesAreNotCompared) {
  const RoundOutcome outcome = Decide(MakeBallot(2, {{{0, kYes}, {1, {Vote::Kind::kYes, 8}}}}));
  EXPECT_EQ(outcome.transactions[0].kind, Kind::kCommit);
}

// ---- Against serial execution

constexpr uint32_t kParticipants = 4;
using Rows = std::array<uint64_t, 2>;

struct Work {
  uint64_t id = 0;
  std::vector<Place> places;
};

// The vote of one branch; a YES changes the rows. About one in four is a NO, by what is there.
Vote Run(uint64_t id, Place place, Rows* rows) {
  const uint64_t what = Mix(id, place);
  uint64_t& row = (*rows)[what & 1];
  if (row % 4 == (what >> 1) % 4) return kNo;
  row = Mix(row, what);
  return {Vote::Kind::kYes, row};
}

// A run of rounds until every transaction has its outcome.
class History {
 public:
  explicit History(uint64_t seed) : random_(seed) {
    const uint64_t count = 1 + random_.Below(12);
    for (uint64_t id = 1; id <= count; ++id) {
      Work work{Mix(seed, id), {}};
      for (Place place = 0; place < kParticipants; ++place) {
        if (random_.Chance(0.5)) work.places.push_back(place);
      }
      if (work.places.empty()) work.places.push_back(0);
      waiting_.push_back(work);
    }
  }

  uint64_t Run() {
    uint64_t outcomes = 0;
    while (!waiting_.empty() && !testing::Test::HasFailure()) {
      const size_t before = waiting_.size();
      const bool quiet = Round(1 + random_.Below(8));
      outcomes += before - waiting_.size();
      // The first of a round is final unless a node votes DEFER.
      EXPECT_TRUE(!quiet || waiting_.size() < before);
    }
    return outcomes;
  }

 private:
  // False if somebody voted DEFER.
  bool Round(size_t size) {
    std::vector<Work> round;
    while (!waiting_.empty() && round.size() < size) {
      round.push_back(waiting_.front());
      waiting_.pop_front();
    }
    Ballot ballot;
    ballot.participants.resize(kParticipants);
    std::array<Rows, kParticipants> rows = decided_;
    std::array<bool, kParticipants> deferring = {};
    bool quiet = true;
    for (Place place = 0; place < kParticipants; ++place) {
      ballot.participants[place].database = place;
      ballot.participants[place].missing = random_.Chance(0.05);
    }
    for (const Work& work : round) {
      for (const Place place : work.places) {
        deferring[place] = deferring[place] || random_.Chance(0.03);
        quiet = quiet && !deferring[place];
        ballot.members.push_back(place);
        Vote vote = deferring[place] ? kDefer : coordinator::Run(work.id, place, &rows[place]);
        vote.vetoed = vote.kind == Vote::Kind::kYes && random_.Chance(0.05);
        ballot.participants[place].votes.push_back(vote);
      }
      ballot.member_end.push_back(static_cast<uint32_t>(ballot.members.size()));
    }
    Judge(round, ballot, Decide(ballot));
    return quiet;
  }

  void Judge(const std::vector<Work>& round, const Ballot& ballot, const RoundOutcome& outcome) {
    std::array<size_t, kParticipants> next = {};
    std::array<Rows, kParticipants> kept = decided_;
    std::vector<Work> deferred;
    for (size_t t = 0; t < round.size(); ++t) {
      const TransactionOutcome& it = outcome.transactions[t];
      for (const Place place : round[t].places) {
        const Ballot::Participant& participant = ballot.participants[place];
        const size_t branch = next[place]++;
        if (participant.missing) {
          EXPECT_NE(it.kind, Kind::kCommit);
          continue;
        }
        const Vote& vote = participant.votes[branch];
        EXPECT_FALSE(vote.vetoed && it.kind == Kind::kCommit);
        // What the participant itself keeps, by nothing but its cut.
        if (outcome.kept[place] > 0 && branch < outcome.cuts[place] &&
            vote.kind == Vote::Kind::kYes) {
          coordinator::Run(round[t].id, place, &kept[place]);
          EXPECT_EQ(it.kind, Kind::kCommit) << "keeps what did not commit";
        }
      }
      Replay(round[t], it);
      if (it.kind == Kind::kDefer) deferred.push_back(round[t]);
    }
    EXPECT_EQ(kept, decided_) << "what is kept is not what was committed, in order";
    for (auto work = deferred.rbegin(); work != deferred.rend(); ++work) {
      waiting_.push_front(*work);
    }
  }

  // Serial execution at this very place of the order.
  void Replay(const Work& work, const TransactionOutcome& outcome) {
    if (outcome.kind == Kind::kCommit) {
      for (const Place place : work.places) {
        EXPECT_EQ(coordinator::Run(work.id, place, &decided_[place]).kind, Vote::Kind::kYes);
      }
    } else if (outcome.cause == Cause::kVoteNo) {
      Rows rows = decided_[outcome.culprit];
      EXPECT_EQ(coordinator::Run(work.id, outcome.culprit, &rows).kind, Vote::Kind::kNo)
          << "a NO that was judged on what was undone";
    }
  }

  SeededRandom random_;
  std::deque<Work> waiting_;
  std::array<Rows, kParticipants> decided_ = {};
};

TEST(OutcomeTest, RandomHistoriesEqualSerialExecution) {
  constexpr uint64_t kHistories = 60000;
  uint64_t outcomes = 0;
  for (uint64_t seed = 1; seed <= kHistories && !HasFailure(); ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    outcomes += History(seed).Run();
  }
  std::printf("seeds 1 to %llu: %llu outcomes\n", static_cast<unsigned long long>(kHistories),
              static_cast<unsigned long long>(outcomes));
}

}  // namespace
}  // namespace lockstep::coordinator
