// Transfers between accounts in three databases, remembered so that it can be told afterwards
// whether every one of them happened wholly, exactly once, or not at all.
#ifndef LOCKSTEP_TESTS_CLUSTER_BANK_WORKLOAD_H_
#define LOCKSTEP_TESTS_CLUSTER_BANK_WORKLOAD_H_

#include <condition_variable>
#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <random>
#include <string>
#include <thread>
#include <vector>

#include "absl/time/time.h"
#include "lockstep/v1/coordinator.grpc.pb.h"
#include "tests/cluster/bank_judge.h"
#include "tests/support/process_cluster.h"

namespace lockstep::testing_support {

struct WorkloadCounts {
  int64_t committed = 0;
  int64_t aborted = 0;
  int64_t unknown = 0;
  int64_t reads = 0;  // of acknowledged transfers, that were answered
  std::map<std::string, int64_t> reasons;
};

// Each of the databases bank, stock and orders has accounts and a table of the transfers done. A
// transfer takes money from an account in one database, gives it to one in another, and writes its
// id in all its databases. Every other one has a request_id, and a third of those an expire_time.
// Balances never fall below zero, so some are refused midway.
class BankWorkload {
 public:
  static constexpr int kAccounts = 20;  // in each database
  static constexpr int64_t kInitialBalance = 1000;
  static const std::vector<std::string>& Databases();

  BankWorkload(ProcessCluster* cluster, uint64_t seed);
  // Stops.
  ~BankWorkload();

  // Makes the tables; fails the test if it cannot.
  void CreateTables();
  // May be called again after Stop.
  void Start(int writers, int readers);
  // Waits until `count` more transfers are committed; false when `limit` is over.
  bool WaitForCommits(int64_t count, absl::Duration limit);
  void Stop();

  // Of everything since the beginning.
  WorkloadCounts counts() const;
  // The first read that missed an acknowledged transfer (rule R21); empty if there was none.
  std::string wrong_read() const;
  // Those since the last call, which are forgotten here. Requires that it is stopped.
  std::vector<Transfer> TakeTransfers();

 private:
  void Write(std::mt19937_64 random);
  void Read(std::mt19937_64 random);
  Transfer MakeTransfer(std::mt19937_64* random);
  void Record(Transfer transfer, const std::string& reason);

  ProcessCluster* const cluster_;
  std::mt19937_64 seeds_;  // of the threads
  std::vector<std::thread> threads_;

  mutable std::mutex mutex_;
  std::condition_variable answered_;
  bool stopping_ = false;  // guarded by mutex_, as all below
  int64_t next_id_ = 0;
  std::vector<Transfer> transfers_;
  std::vector<size_t> committed_;  // indexes of transfers_
  WorkloadCounts counts_;
  std::string wrong_read_;
};

}  // namespace lockstep::testing_support

#endif  // LOCKSTEP_TESTS_CLUSTER_BANK_WORKLOAD_H_
