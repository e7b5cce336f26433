// Tells whether a process that ended and was started again still recovers.
#ifndef LOCKSTEP_TESTS_CLUSTER_RECOVERY_WATCH_H_
#define LOCKSTEP_TESTS_CLUSTER_RECOVERY_WATCH_H_

#include <cstddef>
#include <memory>
#include <vector>

#include "tests/cluster/failpoint_orders.h"
#include "tests/support/process_cluster.h"

namespace lockstep::testing_support {

// Needs a workload that keeps all nodes busy: a participant that has recovered gets the next
// Prepare at once, and never one before (rule R14). A coordinator has recovered when it shows all
// participants as READY. To be made before they start.
class RecoveryWatch {
 public:
  RecoveryWatch(ProcessCluster* cluster, FailpointOrders* orders);

  // The process is down, and is started next.
  void Begin(size_t process);
  // Whether its recovery has ended. When in doubt it has: a Prepare that was on its way to the run
  // before may be taken for a new one.
  bool IsOver();

 private:
  bool HasPrepareSince(size_t participant) const;
  bool AllHaveOne() const;
  bool CoordinatorShowsAllReady() const;

  ProcessCluster& cluster_;
  const FailpointOrders& orders_;
  std::unique_ptr<v1::CoordinatorService::Stub> coordinator_;
  size_t process_ = 0;
  bool is_over_ = true;
  std::vector<int> prepares_;  // that had come when it began, by participant
};

}  // namespace lockstep::testing_support

#endif  // LOCKSTEP_TESTS_CLUSTER_RECOVERY_WATCH_H_
