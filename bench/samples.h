// Latencies of one repetition, and what is said of them.
#ifndef LOCKSTEP_BENCH_SAMPLES_H_
#define LOCKSTEP_BENCH_SAMPLES_H_

#include <vector>

#include "absl/time/time.h"

namespace lockstep::bench {

// The latencies of one repetition and the time that it took.
struct Samples {
  std::vector<absl::Duration> latencies;
  absl::Duration elapsed;

  double PerSecond() const;
  // `fraction` in [0, 1]; zero without samples.
  absl::Duration Quantile(double fraction) const;
};

// The middle value; the mean of the two in the middle of an even number. Zero of none.
double Median(std::vector<double> values);

}  // namespace lockstep::bench

#endif  // LOCKSTEP_BENCH_SAMPLES_H_
