// Clients that append to lists in three databases and read them, several of each in one
// transaction, and remember what they did and were told: the history that CheckHistory judges.
#ifndef LOCKSTEP_TESTS_CLUSTER_LIST_WORKLOAD_H_
#define LOCKSTEP_TESTS_CLUSTER_LIST_WORKLOAD_H_

#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <random>
#include <string>
#include <thread>
#include <vector>

#include "lockstep/v1/coordinator.grpc.pb.h"
#include "tests/cluster/list_archive.h"
#include "tests/support/history/history.h"
#include "tests/support/process_cluster.h"

namespace lockstep::testing_support {

struct ListCounts {
  int64_t committed = 0;
  int64_t failed = 0;
  int64_t unknown = 0;       // to the end
  int64_t reads = 0;         // of lists, in what was committed
  int64_t retries = 0;       // of what was unknown at first, under the same request_id
  int64_t deduplicated = 0;  // answers that came from an earlier try
};

// A retry follows docs/CLIENTS.md: same request_id, a higher attempt; or GetTransaction is asked.
// Some are left unknown on purpose.
class ListWorkload {
 public:
  ListWorkload(ProcessCluster* cluster, uint64_t seed);
  // Stops.
  ~ListWorkload();

  // Makes the tables; fails the test if it cannot.
  void CreateTables();
  // May be called again after Stop; goes on with lists of their own.
  void Start(int clients);
  void Stop();

  // Reads every list of the latest Start on every participant itself, and judges the history since
  // then; and lists of earlier ones, which have to be as they were then. Fails the test for an
  // anomaly. Requires that the workload is stopped and the cluster settled.
  void Check();

  ListCounts counts() const;
  // Lists of earlier Starts that the latest Check has read.
  size_t compared() const { return compared_; }
  // Unknown ends that reads showed to be commits, in all.
  int64_t proved() const { return proved_; }

 private:
  struct Client;

  void Work(int process, std::mt19937_64 random);
  ListTransaction MakeTransaction(int process, std::mt19937_64* random, std::string* request_id);
  std::string PickList(std::mt19937_64* random);
  // Until the end is known, or the client gives up.
  void Run(Client* client, ListTransaction* transaction, const std::string& request_id);
  bool Try(Client* client, ListTransaction* transaction, v1::ExecuteRequest* request,
           bool is_retry);
  bool Ask(Client* client, ListTransaction* transaction, const v1::ExecuteRequest& request);
  void RunQuery(Client* client, ListTransaction* transaction);
  void Record(ListTransaction transaction);
  bool stopping() const;
  void ReadNode(size_t index);
  std::vector<int64_t> ReadList(v1::ParticipantService::Stub* stub, const std::string& list) const;
  void KeepLists();

  ProcessCluster* const cluster_;
  const uint64_t seed_;
  std::mt19937_64 seeds_;  // of the threads
  std::vector<std::thread> threads_;
  int next_process_ = 0;
  int64_t proved_ = 0;
  size_t compared_ = 0;

  mutable std::mutex mutex_;
  bool stopping_ = false;  // guarded by mutex_, as all below
  int64_t next_name_ = 0;
  int64_t next_element_ = 0;
  int64_t first_list_ = 0;  // of those in use, in each database
  int64_t start_list_ = 0;  // of those since the latest Start
  std::vector<ListTransaction> history_;
  ListArchive archive_;
  ListCounts counts_;
};

}  // namespace lockstep::testing_support

#endif  // LOCKSTEP_TESTS_CLUSTER_LIST_WORKLOAD_H_
