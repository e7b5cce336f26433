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
#include "tests/support/process_cluster.h"

namespace lockstep::testing_support {

// What a client was told of a transfer.
enum class Told { kNothing, kCommitted, kAborted, kUnknown };

struct Transfer {
  std::string id;                      // written into table "done" of each of its databases
  std::vector<std::string> databases;  // two different ones, or all three
  Told told = Told::kNothing;
  std::string transaction_id;  // as far as the client was told
};

struct WorkloadCounts {
  int64_t committed = 0;
  int64_t aborted = 0;
  int64_t unknown = 0;
  int64_t reads = 0;  // of acknowledged transfers, that were answered
  std::map<std::string, int64_t> reasons;
};

// Each of the databases bank, stock and orders has accounts and a table of the transfers done. A
// transfer takes money from an account in one database, gives it to one in another, and writes its
// id in all its databases. Balances never fall below zero, so some are refused midway.
class BankWorkload {
 public:
  static constexpr int kAccounts = 20;  // in each database
  static constexpr int64_t kInitialBalance = 1000;

  BankWorkload(ProcessCluster* cluster, uint64_t seed);
  // Stops.
  ~BankWorkload();

  // Makes the tables; fails the test if it cannot.
  void CreateTables();
  void Start(int writers, int readers);
  // Waits until `count` more transfers are committed; false when `limit` is over.
  bool WaitForCommits(int64_t count, absl::Duration limit);
  void Stop();

  WorkloadCounts counts() const;

  // After Stop, on a settled cluster: reads every participant directly, asks GetTransaction about
  // all that was left unknown and many others, and fails the test for each transfer that is not as
  // it was told, not whole, or not equal on all replicas, and for money that was lost or made.
  void CheckEverything();

 private:
  struct Node {
    std::string node_id;
    std::string database;
    std::map<std::string, std::string> done;  // id to the row's other columns
    std::string accounts;                     // all of them as text, to compare
    int64_t total = 0;
  };

  void Write(int client, std::mt19937_64 random);
  void Read(std::mt19937_64 random);
  v1::ExecuteRequest MakeRequest(const Transfer& transfer, std::mt19937_64* random) const;
  void Record(Transfer transfer, const std::string& reason);
  Node ReadNode(size_t index) const;
  void CheckOutcome(const Transfer& transfer, bool happened, const std::string& name);
  void CheckTransfer(const Transfer& transfer, const std::vector<Node>& nodes);
  void CheckReplicas(const std::vector<Node>& nodes);

  ProcessCluster* const cluster_;
  const uint64_t seed_;
  std::vector<std::thread> threads_;
  std::unique_ptr<v1::CoordinatorService::Stub> coordinator_;  // of CheckEverything

  mutable std::mutex mutex_;
  std::condition_variable answered_;
  bool stopping_ = false;  // guarded by mutex_, as all below
  std::vector<Transfer> transfers_;
  std::vector<size_t> committed_;  // indexes of transfers_
  WorkloadCounts counts_;
  std::string wrong_read_;
  int outcomes_asked_ = 0;
};

}  // namespace lockstep::testing_support

#endif  // LOCKSTEP_TESTS_CLUSTER_BANK_WORKLOAD_H_
