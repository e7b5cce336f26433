// Who cannot reach whom in a simulation.
#ifndef LOCKSTEP_TESTS_SIMULATION_OUTAGES_H_
#define LOCKSTEP_TESTS_SIMULATION_OUTAGES_H_

#include <algorithm>
#include <cstddef>
#include <vector>

#include "absl/time/time.h"
#include "tests/simulation/model.h"
#include "tests/simulation/options.h"
#include "tests/simulation/random.h"

namespace lockstep::simulation {

// Cuts between participants and coordinators, each for a while.
class Outages {
 public:
  enum class Direction { kRequests, kAnswers };

  // Some participants at once, from all coordinators; one way draws which.
  void Partition(size_t participants, bool one_way, absl::Duration now, const Options& options,
                 Random* random);
  // All participants one by one, then healed one by one in another order.
  void Swizzle(size_t participants, absl::Duration now, const Options& options, Random* random);
  void HealAll() { cuts_.clear(); }

  bool Blocks(ParticipantIndex participant, Direction direction, absl::Duration now) const {
    return std::any_of(cuts_.begin(), cuts_.end(), [&](const Cut& cut) {
      return cut.participant == participant && cut.from <= now && now < cut.until &&
             (direction == Direction::kRequests ? cut.requests : cut.answers);
    });
  }

 private:
  struct Cut {
    ParticipantIndex participant = 0;
    bool requests = true;
    bool answers = true;
    absl::Duration from;
    absl::Duration until;
  };
  void Add(const Cut& cut, absl::Duration now);

  std::vector<Cut> cuts_;
};

}  // namespace lockstep::simulation

#endif  // LOCKSTEP_TESTS_SIMULATION_OUTAGES_H_
