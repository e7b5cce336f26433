// The baseline B: what one plain SQLite file does.
#ifndef LOCKSTEP_BENCH_RAW_H_
#define LOCKSTEP_BENCH_RAW_H_

#include <string>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "bench/samples.h"

namespace lockstep::bench {

// One thread, one new SQLite file in `directory`, WAL, synchronous=FULL, one insert of 100 bytes a
// commit, for `duration`. The file is removed afterwards.
absl::StatusOr<Samples> RunRaw(const std::string& directory, absl::Duration duration);

}  // namespace lockstep::bench

#endif  // LOCKSTEP_BENCH_RAW_H_
