// Many databases, one after the other, each with its own seed, page size and sector size.
#ifndef LOCKSTEP_TESTS_PARTICIPANT_STORAGE_POWER_LOSS_LIVES_H_
#define LOCKSTEP_TESTS_PARTICIPANT_STORAGE_POWER_LOSS_LIVES_H_

#include <cstdint>
#include <string>

#include "tests/participant/storage/power_loss/driver.h"

namespace lockstep::participant {

inline constexpr int64_t kImagesOfALife = 100;

struct LivesResult {
  Counts counts;
  std::string violation;  // empty for none
  uint64_t violating_seed = 0;
};

// Until `images` were recovered, or the first violation. The nth life has seed `seed` + n - 1.
LivesResult RunLives(uint64_t seed, int64_t images, const StoreFaults& store_faults,
                     const OracleFaults& oracle_faults);

}  // namespace lockstep::participant

#endif  // LOCKSTEP_TESTS_PARTICIPANT_STORAGE_POWER_LOSS_LIVES_H_
