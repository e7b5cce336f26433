// Compares what the databases hold with what the clients of a BankWorkload were told.
#ifndef LOCKSTEP_TESTS_CLUSTER_BANK_AUDIT_H_
#define LOCKSTEP_TESTS_CLUSTER_BANK_AUDIT_H_

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "tests/cluster/bank_workload.h"
#include "tests/support/process_cluster.h"

namespace lockstep::testing_support {

// How the transfers whose clients were told nothing came out.
struct ResolvedCounts {
  int64_t committed = 0;
  int64_t aborted = 0;
};

// May be used again and again in one run, with the workload stopped and the cluster settled each
// time. It remembers only what one audit needs of those before: sums, and how many rows there were.
class BankAudit {
 public:
  explicit BankAudit(ProcessCluster* cluster);

  // Asks every participant itself, not through the coordinator. `transfers` are all since the last
  // audit. Fails the test
  // - for an acknowledged transfer that is not on every participant of its databases, one that was
  //   told aborted and is on any, one that is on some only;
  // - if GetTransaction says otherwise than the databases: of all that were left unknown, and of a
  //   sample of the others;
  // - for a row of no transfer, and for rows that are gone since;
  // - for an account that holds other than the transfers that happened make of it, for a total that
  //   changed, for replicas that differ;
  // - for a participant that holds a round, prepared or in doubt.
  void Check(const std::vector<Transfer>& transfers);

  // Of all audits.
  const ResolvedCounts& resolved() const { return resolved_; }

 private:
  struct Node {
    std::map<std::string, std::string> done;  // since the last audit: id to the other columns
    int64_t rows = 0;                         // of table done, in all
    std::vector<int64_t> balances;
  };

  Node ReadNode(size_t index);
  void CheckTransfer(const Transfer& transfer);
  void CheckOutcome(const Transfer& transfer, bool happened, const std::string& name);
  void Apply(const Transfer& transfer);
  void CheckNodes();

  ProcessCluster* const cluster_;
  std::unique_ptr<v1::CoordinatorService::Stub> coordinator_;  // of the audit at work
  std::vector<Node> nodes_;                                    // likewise
  int asked_ = 0;                                              // likewise
  // What must be there now.
  std::map<std::string, std::vector<int64_t>> balances_;  // by database
  std::map<std::string, int64_t> rows_;                   // by database
  std::vector<int64_t> last_rowid_;                       // by node: what was read already
  ResolvedCounts resolved_;
};

}  // namespace lockstep::testing_support

#endif  // LOCKSTEP_TESTS_CLUSTER_BANK_AUDIT_H_
