// Unary clients that keep a coordinator busy.
#ifndef LOCKSTEP_BENCH_LOAD_H_
#define LOCKSTEP_BENCH_LOAD_H_

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "bench/samples.h"

namespace lockstep::bench {

struct LoadOptions {
  std::string endpoint;
  std::string database;
  int clients = 1;
  absl::Duration duration;
};

// Runs `clients` closed loops for `duration`: each has one Execute call in flight, an insert of 100
// bytes, and starts the next when it is answered. One thread drives them all, over one connection
// for every 64 clients, so that the load generator leaves the cores to what it measures. An error
// answer ends the run and is returned: a bench that aborts transactions measures something else.
absl::StatusOr<Samples> RunLoad(const LoadOptions& options);

}  // namespace lockstep::bench

#endif  // LOCKSTEP_BENCH_LOAD_H_
