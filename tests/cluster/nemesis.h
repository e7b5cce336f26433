// What happens to a cluster of processes while clients use it: everything is chosen from a seed.
#ifndef LOCKSTEP_TESTS_CLUSTER_NEMESIS_H_
#define LOCKSTEP_TESTS_CLUSTER_NEMESIS_H_

#include <cstdint>
#include <filesystem>
#include <functional>
#include <map>
#include <random>
#include <string>
#include <vector>

#include "absl/time/time.h"
#include "tests/cluster/bank_workload.h"
#include "tests/support/process_cluster.h"

namespace lockstep::testing_support {

// Requires a cluster with a proxy; without shims, clocks and disks stay as they are. Each strike
// leaves all processes started and all links whole; clocks keep their offsets.
class Nemesis {
 public:
  Nemesis(ProcessCluster* cluster, BankWorkload* workload, uint64_t seed)
      : cluster_(*cluster), workload_(*workload), random_(seed) {}

  // Waits for a moment, strikes, and waits for another. Fails the test for a process that ended by
  // itself, and for a volume that is not refused by name.
  void Strike();
  // One strike of each kind that the cluster can have, in any order. Fails the test if one does not
  // come about.
  void StrikeWithEach();

  int kills() const { return kills_; }  // kill -9 only
  int coordinator_kills() const { return coordinator_kills_; }
  // By kind of strike; those that came about.
  const std::map<std::string, int>& strikes() const { return strikes_; }

 private:
  struct Kind {
    const char* name;
    int weight;  // among all kinds' weights
    void (Nemesis::*strike)();
    bool needs_shim = false;  // which a cluster under a sanitizer has not
  };
  static const std::vector<Kind>& Kinds();
  // Whether it came about: what it waited for happened, and the cluster can be struck so.
  bool StrikeWith(const Kind& kind);

  // Processes.
  void KillSome();
  void StopOne();
  void RestartAllInTurn();
  void FreezeOne();
  void FreezeBeforeTheVote();
  void FreezeAfterTheAnswer();
  void MoveOne();
  // Networks.
  void DisturbOneLink();
  void CutAnAnswer();
  void PartitionAndHeal();
  // Machines.
  void SetAClock();
  void SlowADisk();
  void RestoreAnOldBackup();
  void MountAnothersVolume();

  size_t coordinator() const { return cluster_.size(); }
  // Of all processes; the coordinator is one of six, and the interesting one.
  size_t Victim();
  size_t ParticipantVictim() { return random_() % cluster_.size(); }
  LinkFaults RandomFaults();
  void Kill(size_t victim);
  void Stop(size_t victim);
  void Start(size_t victim);
  // Thaws it, or kills it as it is.
  void EndFreeze(size_t victim);
  // Waits while clients go on: for less than `limit`.
  void Wait(absl::Duration limit);
  // Whether something comes of a strike soon, while clients go on.
  bool ComesAbout(const std::function<bool()>& effect);
  bool IsRefused(size_t victim, std::string* reason);
  std::filesystem::path Backup() const { return cluster_.directory() / "backup"; }
  std::filesystem::path Aside() const { return cluster_.directory() / "aside"; }

  ProcessCluster& cluster_;
  BankWorkload& workload_;
  std::mt19937_64 random_;
  int kills_ = 0;
  int coordinator_kills_ = 0;
  bool missed_ = false;  // the strike under way did not come about
  std::map<std::string, int> strikes_;
};

}  // namespace lockstep::testing_support

#endif  // LOCKSTEP_TESTS_CLUSTER_NEMESIS_H_
