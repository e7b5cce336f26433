// Compares what the databases hold with what the clients of a BankWorkload were told.
#ifndef LOCKSTEP_TESTS_CLUSTER_BANK_AUDIT_H_
#define LOCKSTEP_TESTS_CLUSTER_BANK_AUDIT_H_

#include <cstdint>
#include <vector>

#include "tests/cluster/bank_judge.h"
#include "tests/cluster/bank_workload.h"
#include "tests/support/process_cluster.h"

namespace lockstep::testing_support {

// May be used again and again in one run, with the workload stopped and the cluster settled each
// time.
class BankAudit {
 public:
  explicit BankAudit(ProcessCluster* cluster);

  // Asks every participant itself, not through the coordinator; and GetTransaction, of all
  // transfers that were left unknown and can be named to it, and of a sample of the others.
  // `transfers` are all since the last audit. Fails the test for what BankJudge finds wrong, and
  // for a participant that holds a round, prepared or in doubt.
  void Check(std::vector<Transfer> transfers);

  // Of all audits.
  const ResolvedCounts& resolved() const { return judge_.resolved(); }

 private:
  void AskFor(std::vector<Transfer>* transfers);
  BankNode ReadNode(size_t index);

  ProcessCluster* const cluster_;
  BankJudge judge_{BankWorkload::Databases(), BankWorkload::kAccounts,
                   BankWorkload::kInitialBalance};
  std::vector<int64_t> last_rowid_;  // by node: what was read already
};

}  // namespace lockstep::testing_support

#endif  // LOCKSTEP_TESTS_CLUSTER_BANK_AUDIT_H_
