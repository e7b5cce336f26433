#include "tests/simulation/outages.h"

#include <numeric>
#include <utility>

namespace lockstep::simulation {
namespace {

std::vector<ParticipantIndex> Shuffled(size_t participants, Random* random) {
  std::vector<ParticipantIndex> order(participants);
  std::iota(order.begin(), order.end(), 0);
  for (size_t i = order.size(); i > 1; --i) std::swap(order[i - 1], order[random->Below(i)]);
  return order;
}

absl::Duration DrawPause(absl::Duration longest, Random* random) {
  return absl::Milliseconds(1) + DrawBelow(longest, random);
}

}  // namespace

void Outages::Add(const Cut& cut, absl::Duration now) {
  std::erase_if(cuts_, [now](const Cut& old) { return old.until <= now; });
  cuts_.push_back(cut);
}

void Outages::Partition(size_t participants, bool one_way, absl::Duration now,
                        const Options& options, Random* random) {
  const std::vector<ParticipantIndex> order = Shuffled(participants, random);
  const size_t many = 1 + random->Below(participants);
  const absl::Duration until = now + DrawPause(options.longest_cut, random);
  const bool requests = !one_way || random->Chance(0.5);
  for (size_t i = 0; i < many; ++i) {
    Add({order[i], requests, !one_way || !requests, now, until}, now);
  }
}

void Outages::Swizzle(size_t participants, absl::Duration now, const Options& options,
                      Random* random) {
  std::vector<Cut> cuts(participants);
  absl::Duration at = now;
  for (const ParticipantIndex p : Shuffled(participants, random)) {
    cuts[p].participant = p;
    cuts[p].from = at += DrawPause(options.longest_swizzle_pause, random);
  }
  for (const ParticipantIndex p : Shuffled(participants, random)) {
    cuts[p].until = at += DrawPause(options.longest_swizzle_pause, random);
    Add(cuts[p], now);
  }
}

}  // namespace lockstep::simulation
