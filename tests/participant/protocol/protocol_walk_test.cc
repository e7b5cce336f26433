// Random walks of the protocol beside a plain reference, with crashes at every step.
#include <gtest/gtest.h>

#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <iostream>
#include <memory>
#include <random>
#include <string>

#include "participant/protocol/protocol.h"
#include "tests/participant/protocol/reference_participant.h"

namespace lockstep::participant {
namespace {

using Fate = ReferenceParticipant::Fate;

// What a crash leaves.
struct Disk {
  Scan scan;
  RoundId written;  // applied, perhaps not durable
};

class Walk {
 public:
  explicit Walk(uint32_t seed, BrokenRules broken = {}) : random_(seed), broken_(broken) {
    disk_.scan.identified = true;
    logs_[0] = logs_[1] = {++last_run_};
    Start();
    Fence();
  }

  void Step() {
    const int what = Pick(100);
    if (Pick(20) == 0) Fence();
    const Term term = Pick(20) == 0
                          ? reference_.term() + 1
                          : std::max(1, static_cast<int>(reference_.term()) - Pick(8) / 7);
    const RoundId held = reference_.Held();
    RoundId round =
        RoundId::Make(Pick(6) == 0 && term > 1 ? term - 1 : term, 1 + Pick(steps_ / 8 + 8));
    if (!held.is_none() && Pick(3) != 0) round = held;
    if (what < 35) {
      Prepare(term, round);
    } else if (what < 60) {
      Commit(term, round);
    } else if (what < 80) {
      Rollback(term, round);
    } else if (what < 88) {
      Sync();
    } else if (what < 94) {
      FinishRedo();
    } else {
      Crash();
    }
    ++steps_;
    EXPECT_EQ(protocol_->state().round, reference_.Held());
  }

 private:
  int Pick(int below) { return static_cast<int>(random_() % static_cast<uint32_t>(below)); }

  void Start() {
    protocol_ = std::make_unique<Protocol>(/*standalone=*/false, broken_);
    protocol_->Scanned(disk_.scan);
  }

  // By one of two coordinators, on two copies of one log that may have parted.
  void Fence() {
    std::vector<uint64_t>& log = logs_[Pick(2)];
    if (Pick(8) == 0) log = logs_[Pick(2)];
    if (Pick(3) != 0) log.push_back(++last_run_);
    const auto term = static_cast<Term>(log.size());
    const Decision decision =
        protocol_->Fence(term, log.back(), {log.begin(), std::prev(log.end())});
    ASSERT_EQ(decision.action == Action::kAnswer ? "ok" : "no", reference_.Fence(log));
    if (!decision.persist_term) return;
    disk_.scan.term = term;
    disk_.scan.coordinator = log.back();
    protocol_->TermPersisted(term, log.back());
  }

  void Persist(const Decision& decision) {
    if (decision.persist_tombstone) {
      disk_.scan.tombstone = *decision.persist_tombstone;
      protocol_->TombstonePersisted(*decision.persist_tombstone);
    }
  }

  void Prepare(Term term, RoundId round) {
    const Decision decision = protocol_->Prepare(term, round);
    const std::string expected = reference_.Prepare(term, round);
    Persist(decision);
    const std::string got = decision.action == Action::kExecute       ? "run"
                            : decision.action == Action::kRepeatVotes ? "votes"
                                                                      : "no";
    ASSERT_EQ(got, expected) << round.value();
    if (got != "run") return;
    const bool holds = Pick(4) != 0;
    if (holds) {
      disk_.scan.in_doubt = {round, true};
      disk_.scan.applied = disk_.written;
    }
    protocol_->Voted(round, holds);
    reference_.Ran(round, holds);
  }

  void Commit(Term term, RoundId round) {
    const bool cut = Pick(3) == 0;
    const State before = protocol_->state();
    const Decision decision = protocol_->Commit(term, round, cut ? Keep::kPrefix : Keep::kAll);
    const std::string expected = reference_.Commit(term, round, cut);
    Persist(decision);
    switch (decision.action) {
      case Action::kCommitPrepared:
        ASSERT_EQ(expected, "commit");
        protocol_->Committed(round);
        disk_.written = round;
        disk_.scan.in_doubt.reset();
        reference_.Set(round, Fate::kApplied);
        break;
      case Action::kCommitInDoubt:
        ASSERT_EQ(expected, "commit");
        protocol_->CommittedInDoubt(round);
        disk_.scan.applied = disk_.written = round;
        disk_.scan.in_doubt.reset();
        reference_.Set(round, Fate::kApplied);
        protocol_->Scanned(disk_.scan);
        break;
      case Action::kCommitCut:
        ASSERT_EQ(expected, "cut");
        protocol_->RedoPersisted(round);
        disk_.scan.redo = round;
        disk_.scan.in_doubt.reset();
        reference_.Set(round, Fate::kRedo);
        break;
      case Action::kFinishReexecution:
        ASSERT_EQ(expected, "redo");
        FinishRedo();
        break;
      case Action::kAnswer:
        ASSERT_EQ(expected, "ok");
        ASSERT_LE(round, before.applied);  // OK means visible (R8)
        break;
      case Action::kStop:
        ASSERT_EQ(expected, "stop");
        break;
      default:
        ASSERT_EQ(expected, "no");
    }
  }

  void Rollback(Term term, RoundId round) {
    const Decision decision = protocol_->Rollback(term, round);
    const std::string expected = reference_.Rollback(term, round);
    Persist(decision);
    if (decision.action == Action::kRefuse) {
      ASSERT_EQ(expected, "no");
      return;
    }
    ASSERT_EQ(expected, decision.action == Action::kForget ? "forget" : "ok");
    if (decision.action == Action::kForget) {
      protocol_->Forgotten(round);
      disk_.scan.in_doubt.reset();
    }
    reference_.RolledBack(term, round);
  }

  void FinishRedo() {
    if (protocol_->state().phase != RoundPhase::kReexecuting) return;
    const RoundId round = protocol_->state().round;
    protocol_->Reexecuted(round);
    disk_.scan.redo.reset();
    disk_.scan.applied = disk_.written = round;
    reference_.Set(round, Fate::kApplied);
  }

  void Sync() {
    protocol_->Synced(protocol_->state().applied);
    disk_.scan.applied = disk_.written;
  }

  // After a kill the page cache keeps what was written, and the start syncs it (rule R9). Power
  // loss may bring the mask of a commit back that no sync covered (rule R5).
  void Crash() {
    const bool record_lost = Pick(3) == 0;
    const bool power_loss = Pick(2) == 0;
    if (power_loss && disk_.written > disk_.scan.applied && !disk_.scan.in_doubt) {
      disk_.scan.in_doubt = {disk_.written, true};
      reference_.Set(disk_.written, Fate::kPrepared);
      disk_.written = disk_.scan.applied;
    }
    disk_.scan.applied = disk_.written;
    if (disk_.scan.in_doubt) {
      disk_.scan.in_doubt->has_record = disk_.scan.in_doubt->has_record && !record_lost;
    }
    const bool bare = disk_.scan.in_doubt && !disk_.scan.in_doubt->has_record;
    reference_.Crash(bare);
    Start();
  }

  std::mt19937 random_;
  const BrokenRules broken_;
  Disk disk_;
  std::unique_ptr<Protocol> protocol_;
  ReferenceParticipant reference_;
  std::vector<uint64_t> logs_[2];
  uint64_t last_run_ = 0;
  int steps_ = 0;
};

constexpr uint32_t kSeeds = 400;
constexpr int kSteps = 400;

// Ends with the first failure of the test, and tells where it was; empty: there was none.
std::string WalkAll(BrokenRules broken) {
  for (uint32_t seed = 1; seed <= kSeeds; ++seed) {
    const std::string place = "seed " + std::to_string(seed);
    SCOPED_TRACE(place);
    Walk walk(seed, broken);
    for (int step = 0; step < kSteps; ++step) {
      walk.Step();
      if (testing::Test::HasFailure()) return place + ", step " + std::to_string(step);
    }
  }
  return "";
}

TEST(ProtocolWalkTest, AgreesWithTheReferenceOverRandomMessagesAndCrashes) {
  EXPECT_EQ(WalkAll({}), "");
  std::cout << "seeds 1 to " << kSeeds << ", " << kSteps << " steps each\n";
}

struct Mutant {
  std::string rule;
  bool BrokenRules::*broken;
};

void PrintTo(const Mutant& mutant, std::ostream* out) { *out << mutant.rule; }

class WalkMutantTest : public testing::TestWithParam<Mutant> {};

// Ends the process: with success if the reference disagrees.
[[noreturn]] void Search(const Mutant& mutant) {
  // What fails there is meant to.
  std::fclose(stdout);
  BrokenRules broken;
  broken.*mutant.broken = true;
  std::_Exit(WalkAll(broken).empty() ? EXIT_FAILURE : EXIT_SUCCESS);
}

// A check of the protocol's own, which ends its process, is a find too.
bool Found(int status) {
  return (WIFEXITED(status) && WEXITSTATUS(status) == EXIT_SUCCESS) ||
         (WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT);
}

TEST_P(WalkMutantTest, IsFoundWithinTheSeeds) { EXPECT_EXIT(Search(GetParam()), Found, ""); }

INSTANTIATE_TEST_SUITE_P(
    Rules, WalkMutantTest,
    testing::Values(Mutant{"R1_AnOlderTermIsObeyed", &BrokenRules::obeys_older_terms},
                    Mutant{"R3_AFinishedRoundIsRun", &BrokenRules::runs_finished_rounds},
                    Mutant{"R4_ARollbackEndsAnyRound", &BrokenRules::rollback_ends_any_round},
                    Mutant{"R4_TheMarkEndsADoubt", &BrokenRules::mark_ends_doubt},
                    Mutant{"R8_ACommitOfTheUnknownIsOk", &BrokenRules::commits_the_unknown},
                    Mutant{"R10_AParticipantDecidesAlone", &BrokenRules::decides_alone}),
    [](const testing::TestParamInfo<Mutant>& mutant) { return mutant.param.rule; });

}  // namespace
}  // namespace lockstep::participant
