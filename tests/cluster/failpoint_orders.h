// The failpoints there are, and what a test tells its processes about them.
#ifndef LOCKSTEP_TESTS_CLUSTER_FAILPOINT_ORDERS_H_
#define LOCKSTEP_TESTS_CLUSTER_FAILPOINT_ORDERS_H_

#include <cstddef>
#include <filesystem>
#include <string>
#include <vector>

#include "tests/support/failpoint_order.h"
#include "tests/support/process_cluster.h"

namespace lockstep::testing_support {

struct FailpointName {
  std::string name;
  bool of_coordinator = false;  // else of the participants
};

// The table in docs/PROTOCOL.md.
std::vector<FailpointName> AllFailpoints();

// Orders for all processes of a cluster, which have to be made of programs with failpoints. To be
// made before they start.
class FailpointOrders {
 public:
  explicit FailpointOrders(ProcessCluster* cluster);
  ~FailpointOrders();
  FailpointOrders(const FailpointOrders&) = delete;
  FailpointOrders& operator=(const FailpointOrders&) = delete;

  // From now on the process ends when it comes to the failpoint for the nth time. It may run.
  void Arm(size_t process, const std::string& name, int nth = 1);
  // It stands still there, as by SIGSTOP, and goes on where it was once it is thawed.
  void ArmFreeze(size_t process, const std::string& name);
  // Returns whether that came too late: the process is at its end.
  bool Disarm(size_t process);
  // Whether it came there since it was armed.
  bool Reached(size_t process) const;

  // Counts how often a process comes to the failpoint, in all its runs. To be told before it
  // starts.
  void Watch(size_t process, const std::string& name);
  int Passed(size_t process) const;

 private:
  void Write(size_t process, const std::string& name, int nth, bool freezes);

  std::vector<FailpointOrder*> orders_;
};

}  // namespace lockstep::testing_support

#endif  // LOCKSTEP_TESTS_CLUSTER_FAILPOINT_ORDERS_H_
