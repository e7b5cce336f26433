#include "tests/participant/storage/power_loss/lives.h"

#include <algorithm>

namespace lockstep::participant {

LivesResult RunLives(uint64_t seed, int64_t images, const StoreFaults& store_faults,
                     const OracleFaults& oracle_faults) {
  constexpr int kPageSizes[] = {512, 1024, 4096};
  constexpr int kSectorSizes[] = {512, 4096};
  LivesResult result;
  while (result.violation.empty() && result.counts.images < images) {
    DriverOptions options;
    options.seed = seed;
    options.page_size = kPageSizes[seed % 3];
    options.sector_size = kSectorSizes[seed % 2];
    options.store_faults = store_faults;
    options.oracle_faults = oracle_faults;
    Driver driver(options);
    driver.Run(std::min(kImagesOfALife, images - result.counts.images));
    result.counts.Add(driver.counts());
    result.violation = driver.violation();
    result.violating_seed = seed;
    ++seed;
  }
  return result;
}

}  // namespace lockstep::participant
