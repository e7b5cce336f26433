// Clients that change the same rows again and again, as fast as they can or at a rate.
#ifndef LOCKSTEP_TESTS_SOAK_SOAK_LOAD_H_
#define LOCKSTEP_TESTS_SOAK_SOAK_LOAD_H_

#include <condition_variable>
#include <cstdint>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "absl/time/time.h"
#include "tests/support/process_cluster.h"

namespace lockstep::testing_support {

class SoakLoad {
 public:
  static constexpr int kClients = 16;

  explicit SoakLoad(ProcessCluster* cluster) : cluster_(cluster) {}
  // Stops.
  ~SoakLoad() { Stop(); }

  // Fails the test if it cannot.
  void CreateTables();
  // All clients together make `per_second` transactions; 0: as many as they can.
  void Start(double per_second);
  // Waits; false if it was cut short, because a transaction failed.
  bool Go(absl::Duration time);
  void Stop();

  int64_t committed() const;
  // The first answer that was not OK.
  std::string failure() const;

 private:
  void Work(int client, absl::Duration interval);
  bool is_over() const { return stopping_ || !failure_.empty(); }

  ProcessCluster* const cluster_;
  std::vector<std::thread> threads_;
  mutable std::mutex mutex_;
  std::condition_variable over_;
  bool stopping_ = false;  // guarded by mutex_, as all below
  int64_t committed_ = 0;
  std::string failure_;
};

}  // namespace lockstep::testing_support

#endif  // LOCKSTEP_TESTS_SOAK_SOAK_LOAD_H_
