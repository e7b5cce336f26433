#include "tests/cluster/nemesis.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <csignal>
#include <numeric>
#include <set>

namespace lockstep::testing_support {
namespace {

// A strike lets this much time go by between its blow and its end, at most.
constexpr absl::Duration kMoment = absl::Milliseconds(150);
constexpr absl::Duration kLongMoment = absl::Milliseconds(700);
constexpr int kTriesOfAKind = 5;

}  // namespace

const std::vector<Nemesis::Kind>& Nemesis::Kinds() {
  static const std::vector<Kind> kKinds = {
      {"kill", 600, &Nemesis::KillSome},
      {"planned stop", 20, &Nemesis::StopOne},
      {"rolling restart", 5, &Nemesis::RestartAllInTurn},
      {"freeze", 40, &Nemesis::FreezeOne},
      {"freeze before the vote", 40, &Nemesis::FreezeBeforeTheVote},
      {"freeze after the answer", 40, &Nemesis::FreezeAfterTheAnswer},
      {"new address", 15, &Nemesis::MoveOne},
      {"disturbed link", 120, &Nemesis::DisturbOneLink},
      {"answer lost", 60, &Nemesis::CutAnAnswer},
      {"swizzled partition", 15, &Nemesis::PartitionAndHeal},
      {"clock jump", 30, &Nemesis::SetAClock, /*needs_shim=*/true},
      {"slow disk", 20, &Nemesis::SlowADisk, /*needs_shim=*/true},
      {"old backup", 3, &Nemesis::RestoreAnOldBackup},
      {"another's volume", 3, &Nemesis::MountAnothersVolume},
  };
  return kKinds;
}

void Nemesis::Strike() {
  const auto& kinds = Kinds();
  const int all = std::accumulate(kinds.begin(), kinds.end(), 0,
                                  [](int sum, const Kind& kind) { return sum + kind.weight; });
  int dice = static_cast<int>(random_() % static_cast<uint64_t>(all));
  for (const Kind& kind : kinds) {
    dice -= kind.weight;
    if (dice < 0) {
      StrikeWith(kind);
      return;
    }
  }
}

void Nemesis::StrikeWithEach() {
  std::vector<Kind> kinds = Kinds();
  std::shuffle(kinds.begin(), kinds.end(), random_);
  for (const Kind& kind : kinds) {
    if (kind.needs_shim && cluster_.shim(0) == nullptr) continue;
    bool struck = false;
    for (int i = 0; i < kTriesOfAKind && !struck && !testing::Test::HasFailure(); ++i) {
      struck = StrikeWith(kind);
    }
    EXPECT_TRUE(struck) << "no " << kind.name << " comes about";
  }
}

bool Nemesis::StrikeWith(const Kind& kind) {
  // Mostly a cluster that works; now and then one that is still busy with the last blow.
  if (random_() % 4 != 0) workload_.WaitForCommits(1, absl::Seconds(10));
  Wait(kMoment);
  missed_ = false;
  (this->*kind.strike)();
  if (testing::Test::HasFailure()) return false;
  if (!missed_) ++strikes_[kind.name];
  for (size_t i = 0; i <= coordinator(); ++i) {
    if (const auto end = cluster_.process(i).Died()) {
      ADD_FAILURE() << cluster_.process_name(i) << " ended by itself: " << *end;
    }
  }
  return !missed_;
}

void Nemesis::Wait(absl::Duration limit) {
  const auto length =
      static_cast<int64_t>(random_() % static_cast<uint64_t>(absl::ToInt64Microseconds(limit)));
  workload_.WaitForCommits(static_cast<int64_t>(random_() % 200), absl::Microseconds(length));
}

size_t Nemesis::Victim() { return random_() % 4 == 0 ? coordinator() : ParticipantVictim(); }

void Nemesis::Kill(size_t victim) {
  if (const auto end = cluster_.process(victim).Died()) {
    ADD_FAILURE() << cluster_.process_name(victim) << " ended by itself: " << *end;
    return;
  }
  cluster_.process(victim).Kill();
  ++kills_;
  if (victim == coordinator()) ++coordinator_kills_;
}

void Nemesis::Start(size_t victim) {
  if (!cluster_.process(victim).started()) cluster_.process(victim).Start();
}

// Several at a time, sometimes all: that is what a power cut does to processes.
void Nemesis::KillSome() {
  std::set<size_t> victims = {Victim()};
  const uint64_t dice = random_() % 20;
  if (dice < 6) victims.insert(Victim());
  for (size_t i = 0; dice == 0 && i <= coordinator(); ++i) victims.insert(i);
  for (const size_t victim : victims) Kill(victim);
  Wait(kMoment);
  for (const size_t victim : victims) Start(victim);
}

void Nemesis::Stop(size_t victim) {
  Process& process = cluster_.process(victim);
  process.Terminate();
  const auto exit = process.WaitForExit(absl::Seconds(20));
  // One that has only just been started may not have come as far as to take the signal in order.
  EXPECT_TRUE(exit == 0 || exit == 128 + SIGTERM) << cluster_.process_name(victim) << " exits with "
                                                  << exit.value_or(-1) << ": " << process.LogTail();
  if (process.started()) process.Kill();
}

void Nemesis::StopOne() {
  const size_t victim = Victim();
  Stop(victim);
  Wait(kMoment);
  Start(victim);
}

void Nemesis::RestartAllInTurn() {
  const bool is_planned = random_() % 2 == 0;
  for (size_t i = 0; i <= coordinator(); ++i) {
    is_planned ? Stop(i) : Kill(i);
    Start(i);
    workload_.WaitForCommits(1, absl::Seconds(10));
  }
}

void Nemesis::FreezeOne() {
  const size_t victim = Victim();
  cluster_.process(victim).Freeze();
  Wait(kLongMoment);
  EndFreeze(victim);
}

void Nemesis::EndFreeze(size_t victim) {
  if (random_() % 2 == 0) {
    cluster_.process(victim).Thaw();
    return;
  }
  Kill(victim);
  Wait(kMoment);
  Start(victim);
}

// As soon as a request is on its way to it: mostly a Prepare, a Commit or a Rollback.
void Nemesis::FreezeBeforeTheVote() {
  const size_t victim = ParticipantVictim();
  FaultProxy& proxy = cluster_.proxy();
  const size_t link = cluster_.link(victim);
  missed_ = !proxy.WaitForRequest(link, proxy.counts(link).requests, absl::Seconds(1));
  cluster_.process(victim).Freeze();
  Wait(kLongMoment);
  EndFreeze(victim);
}

void Nemesis::FreezeAfterTheAnswer() {
  const size_t victim = ParticipantVictim();
  FaultProxy& proxy = cluster_.proxy();
  const size_t link = cluster_.link(victim);
  missed_ = !proxy.WaitForAnswer(link, proxy.counts(link).answers, absl::Seconds(1));
  cluster_.process(victim).Freeze();
  Wait(kLongMoment);
  EndFreeze(victim);
}

void Nemesis::MoveOne() {
  const size_t victim = ParticipantVictim();
  Kill(victim);
  Wait(kMoment);
  Kill(coordinator());
  if (testing::Test::HasFailure()) return;
  cluster_.Move(victim);
  Start(coordinator());
  Wait(kMoment);
  Start(victim);
}

}  // namespace lockstep::testing_support
