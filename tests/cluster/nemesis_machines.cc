// What the nemesis does to networks, clocks, disks and volumes.
#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <numeric>
#include <utility>

#include "absl/time/clock.h"
#include "tests/cluster/nemesis.h"

namespace lockstep::testing_support {
namespace {

namespace fs = std::filesystem;

constexpr absl::Duration kFaultTime = absl::Milliseconds(500);
// Longer than the calls of the list workload may take, shorter than a keepalive notices.
constexpr absl::Duration kLongFaultTime = absl::Seconds(4);
// For a victim to do something that a strike is about.
constexpr absl::Duration kComesAbout = absl::Seconds(1);
constexpr absl::Duration kRefusedWithin = absl::Seconds(30);
// Far longer than anything is kept: clocks that are set make nothing old (R18, R19).
constexpr int kLongestClockLeapMinutes = 3 * 24 * 60;

// How often the faults of a link met something: they do nothing to one that is idle.
int64_t HitsOf(const FaultProxy& proxy, size_t link) {
  const FaultProxy::Counts counts = proxy.counts(link);
  return counts.lost + counts.held_up;
}

}  // namespace

bool Nemesis::ComesAbout(const std::function<bool()>& effect) {
  return Eventually(kComesAbout, [&] {
    if (!effect()) workload_.WaitForCommits(1, absl::Milliseconds(10));
    return effect();
  });
}

LinkFaults Nemesis::RandomFaults() {
  LinkFaults faults;
  switch (random_() % 8) {
    case 0:
      faults.delay = absl::Milliseconds(1 + random_() % 50);
      break;
    case 1:
      faults.bytes_per_second = 2'000 + static_cast<int64_t>(random_() % 200'000);
      break;
    case 2:
      faults.forward.hold = true;
      break;
    case 3:
      faults.back.hold = true;
      break;
    case 4:
      faults.forward.hold = faults.back.hold = true;
      break;
    case 5:
      faults.forward.drop = true;
      break;
    case 6:
      faults.back.drop = true;
      break;
    default:
      faults.forward.drop = faults.back.drop = true;
      faults.refuse = true;
  }
  return faults;
}

// One end may be killed while nobody can tell the other.
void Nemesis::DisturbOneLink() {
  const size_t victim = Victim();
  const size_t link = cluster_.link(victim);
  FaultProxy& proxy = cluster_.proxy();
  if (random_() % 6 == 0) {
    const int64_t resets = proxy.counts(link).resets;
    proxy.Reset(link);
    missed_ = proxy.counts(link).resets == resets;
    return;
  }
  const int64_t hits = HitsOf(proxy, link);
  proxy.Set(link, RandomFaults());
  Wait(random_() % 10 == 0 ? kLongFaultTime : kFaultTime);
  missed_ = !ComesAbout([&] { return HitsOf(proxy, link) > hits; });
  const bool has_kill = random_() % 2 == 0;
  const size_t killed = random_() % 3 == 0 ? coordinator() : victim;
  if (has_kill) {
    Kill(killed);
    Wait(kFaultTime / 4);
    Start(killed);
  }
  if (has_kill && random_() % 2 == 0) Wait(kFaultTime);
  proxy.Heal(link);
}

void Nemesis::CutAnAnswer() {
  const size_t link = cluster_.link(Victim());
  FaultProxy& proxy = cluster_.proxy();
  const int64_t cut = proxy.counts(link).cut;
  proxy.CutNextAnswer(link);
  missed_ = !proxy.WaitForCut(link, cut, kComesAbout);
  proxy.KeepNextAnswer(link);
  Wait(kFaultTime / 4);
}

// Participants are cut off one by one, and come back in another order.
void Nemesis::PartitionAndHeal() {
  std::vector<size_t> order(cluster_.size());
  std::iota(order.begin(), order.end(), size_t{0});
  std::shuffle(order.begin(), order.end(), random_);
  LinkFaults hole;
  hole.forward.hold = hole.back.hold = true;
  if (random_() % 2 == 0) {
    hole = {};
    hole.forward.drop = hole.back.drop = true;
  }
  missed_ = true;
  for (const size_t victim : order) {
    const int64_t hits = HitsOf(cluster_.proxy(), cluster_.link(victim));
    cluster_.proxy().Set(cluster_.link(victim), hole);
    Wait(kFaultTime / 2);
    if (HitsOf(cluster_.proxy(), cluster_.link(victim)) > hits) missed_ = false;
  }
  if (random_() % 2 == 0) {
    Kill(coordinator());
    Start(coordinator());
  }
  std::shuffle(order.begin(), order.end(), random_);
  for (const size_t victim : order) {
    cluster_.proxy().Heal(cluster_.link(victim));
    Wait(kFaultTime / 2);
  }
}

void Nemesis::SetAClock() {
  const size_t victim = Victim();
  const int minutes = std::uniform_int_distribution<int>(-kLongestClockLeapMinutes,
                                                         kLongestClockLeapMinutes)(random_);
  ShimControl* shim = cluster_.shim(victim);
  missed_ = shim == nullptr;
  if (missed_) return;
  shim->SetClockOffset(absl::Minutes(minutes));
  missed_ = !ComesAbout([&] { return shim->HasUsedClockOffset(); });
}

void Nemesis::SlowADisk() {
  const size_t victim = Victim();
  ShimControl* shim = cluster_.shim(victim);
  missed_ = shim == nullptr;
  if (missed_) return;
  const int64_t delayed = shim->delayed_syncs();
  shim->SetSyncDelay(absl::Milliseconds(5 + random_() % 200));
  Wait(2 * kFaultTime);
  missed_ = !ComesAbout([&] { return shim->delayed_syncs() > delayed; });
  if (random_() % 2 == 0) {
    Kill(victim);
    Start(victim);
  }
  shim->SetSyncDelay(absl::ZeroDuration());
}

bool Nemesis::IsRefused(size_t victim, std::string* reason) {
  v1::GetClusterStatusResponse response;
  const grpc::Status status = cluster_.Coordinator()->GetClusterStatus(
      Within(absl::Seconds(1), /*wait_for_ready=*/true).get(), {}, &response);
  *reason = ToText(status);
  if (!status.ok()) return false;
  const v1::ParticipantStatus& node = response.participants(static_cast<int>(victim));
  EXPECT_EQ(node.node_id(), cluster_.node(victim).node_id);
  *reason = v1::State_Name(node.state()) + ": " + node.state_reason();
  return node.state() == v1::STATE_REFUSED;
}

// Rule R22: a participant that lost what it said durable is refused, until it has that again.
void Nemesis::RestoreAnOldBackup() {
  const size_t victim = ParticipantVictim();
  const fs::path data = cluster_.data_directory(victim);
  Kill(victim);
  fs::remove_all(Backup());
  fs::copy(data, Backup(), fs::copy_options::recursive);
  Start(victim);
  missed_ = !workload_.WaitForCommits(100, absl::Seconds(30));
  if (missed_) return;
  Kill(victim);
  if (testing::Test::HasFailure()) return;
  fs::rename(data, Aside());
  fs::rename(Backup(), data);
  Start(victim);
  std::string reason;
  EXPECT_TRUE(Eventually(kRefusedWithin, [&] { return IsRefused(victim, &reason); }))
      << "an old backup of " << cluster_.node(victim).node_id << " is not refused: " << reason;
  EXPECT_NE(reason.find("lost data"), std::string::npos) << reason;
  Kill(victim);
  fs::remove_all(data);
  fs::rename(Aside(), data);
  Start(victim);
}

void Nemesis::MountAnothersVolume() {
  const size_t victim = ParticipantVictim();
  const size_t other = (victim + 1 + random_() % (cluster_.size() - 1)) % cluster_.size();
  const fs::path data = cluster_.data_directory(victim);
  Kill(victim);
  Kill(other);
  if (testing::Test::HasFailure()) return;
  fs::rename(data, Aside());
  fs::copy(cluster_.data_directory(other), data, fs::copy_options::recursive);
  Start(other);
  Process& process = cluster_.process(victim);
  process.Start();
  const auto exit = process.WaitForExit(kRefusedWithin);
  EXPECT_TRUE(exit.has_value() && *exit != 0) << "it runs on the data of another node";
  const std::string told = process.LogTail();
  EXPECT_NE(told.find("belongs to node " + cluster_.node(other).node_id), std::string::npos)
      << told;
  if (process.started()) process.Kill();
  fs::remove_all(data);
  fs::rename(Aside(), data);
  Start(victim);
}

}  // namespace lockstep::testing_support
