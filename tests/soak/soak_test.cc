// A cluster under 70 % of its full load for a long time takes no more of anything than at the
// beginning.
//
// LOCKSTEP_SOAK_SECONDS: how long (20); an hour is possible.
#include <gtest/gtest.h>

#include <algorithm>
#include <cstdlib>
#include <iostream>

#include "absl/strings/str_cat.h"
#include "tests/soak/process_usage.h"
#include "tests/soak/soak_load.h"
#include "tests/support/process_cluster.h"

namespace lockstep::testing_support {
namespace {

constexpr double kShareOfFullLoad = 0.7;
constexpr int kSamples = 200;
constexpr double kMebibyte = 1 << 20;

// The median of the last quarter may be above that of the second one by this much; the first
// quarter is the warm-up.
struct Bound {
  const char* what;
  double factor;
  double more;
};
constexpr Bound kBounds[] = {{"resident bytes", 1.10, 16 * kMebibyte},
                             {"open files", 1.0, 4},
                             {"WAL bytes", 1.10, 4 * kMebibyte},
                             {"other data bytes", 1.05, kMebibyte},
                             {"log bytes", 1.0, 64 * 1024}};
// Outcomes and answers are kept for so long, and until then the decision log grows with each
// transaction.
constexpr absl::Duration kKept = absl::Minutes(65);
constexpr double kDecisionLogBytesEach = 512;
constexpr double kCoordinatorMemoryEach = 256;

absl::Duration SoakTime() {
  const char* seconds = std::getenv("LOCKSTEP_SOAK_SECONDS");
  return absl::Seconds(seconds != nullptr ? std::atoi(seconds) : 20);
}

// For how much of the time between the middles of the second quarter and of the last one.
absl::Duration TimeOfGrowth(absl::Duration time) {
  return std::max(absl::ZeroDuration(), std::min(0.875 * time, kKept) - 0.375 * time);
}

double Allowed(const Bound& bound, bool is_coordinator, int64_t before, double transactions) {
  double allowed = static_cast<double>(before) * bound.factor + bound.more;
  const std::string what = bound.what;
  if (is_coordinator && what == "other data bytes") allowed += kDecisionLogBytesEach * transactions;
  if (is_coordinator && what == "resident bytes") allowed += kCoordinatorMemoryEach * transactions;
  return allowed;
}

TEST(SoakTest, NothingGrowsUnderALongLoad) {
  ProcessCluster cluster;
  cluster.StartAll();
  ASSERT_EQ(cluster.WaitUntilSettled(absl::Seconds(30)).value_or(""), "");
  SoakLoad load(&cluster);
  load.CreateTables();
  ASSERT_FALSE(HasFatalFailure());
  const absl::Duration time = SoakTime();
  const absl::Duration measured = std::min(time / 4, absl::Seconds(20));
  load.Start(/*per_second=*/0);
  ASSERT_TRUE(load.Go(measured)) << load.failure();
  load.Stop();
  const double full = static_cast<double>(load.committed()) / absl::ToDoubleSeconds(measured);
  const int64_t before = load.committed();

  std::vector<std::vector<Usage>> samples(cluster.size() + 1);
  load.Start(full * kShareOfFullLoad);
  for (int sample = 0; sample < kSamples; ++sample) {
    ASSERT_TRUE(load.Go(time / kSamples)) << load.failure();
    for (size_t i = 0; i <= cluster.size(); ++i) {
      const std::string name = cluster.process_name(i);
      samples[i].push_back(UsageOf(cluster.process(i).pid(), cluster.directory() / name,
                                   cluster.directory() / absl::StrCat(name, ".log")));
    }
  }
  load.Stop();
  const auto transactions = static_cast<double>(load.committed() - before);
  const double growing = transactions * absl::FDivDuration(TimeOfGrowth(time), time);
  std::cout << "full load " << full << " transactions a second, then "
            << transactions / absl::ToDoubleSeconds(time) << " a second for " << time << "\n";
  for (size_t i = 0; i <= cluster.size(); ++i) {
    for (const Bound& bound : kBounds) {
      const int64_t early = MedianOf(samples[i], bound.what, 0.25, 0.5);
      const int64_t late = MedianOf(samples[i], bound.what, 0.75, 1);
      const std::string text = absl::StrCat(cluster.process_name(i), ", ", bound.what, ": ", early,
                                            " in the second quarter, ", late, " in the last");
      std::cout << text << std::endl;
      EXPECT_LE(static_cast<double>(late), Allowed(bound, i == cluster.size(), early, growing))
          << text;
    }
  }
}

}  // namespace
}  // namespace lockstep::testing_support
