// What the bench asks of the cluster besides its load.
#ifndef LOCKSTEP_BENCH_CLUSTER_H_
#define LOCKSTEP_BENCH_CLUSTER_H_

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

namespace lockstep::bench {

// Counters of all participants together.
struct SyncCount {
  int64_t syncs = 0;
  int64_t rounds = 0;
};

// Returns when every participant is READY, or with what is not after half a minute.
absl::Status WaitUntilReady(const std::string& endpoint);

// Makes the empty table that the load fills, through the coordinator.
absl::Status CreateTable(const std::string& endpoint, const std::string& database);

// Adds up what the participants count.
absl::StatusOr<SyncCount> CountSyncs(const std::vector<std::string>& participants);

}  // namespace lockstep::bench

#endif  // LOCKSTEP_BENCH_CLUSTER_H_
