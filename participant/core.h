// What a Participant and the handles to it share.
#ifndef LOCKSTEP_PARTICIPANT_CORE_H_
#define LOCKSTEP_PARTICIPANT_CORE_H_

#include <atomic>
#include <cstdint>
#include <latch>
#include <memory>

#include "common/actor.h"
#include "common/clock.h"
#include "participant/engine.h"
#include "participant/messages.h"
#include "participant/node_report.h"
#include "participant/participant_options.h"
#include "participant/places.h"
#include "participant/reader_pool.h"

namespace lockstep::participant::internal {

// Members stand so that each outlives those that use it; the actor's thread uses all.
struct Core {
  Core(ParticipantOptions its_options, const Clock* its_clock);

  const ParticipantOptions options;
  const Clock& clock;
  Places client_places;
  Places coordinator_reads;
  ReportBoard board;
  ReaderPool readers;
  Engine engine;
  OpenTimes open_times;  // since Start
  // Since when the actor works on what it took, in nanoseconds of the monotonic clock; 0: it does
  // not.
  std::atomic<int64_t> busy_since{0};
  // The actor's thread may run before `actor` is stored.
  std::latch actor_is_set{1};
  std::unique_ptr<Actor<Message>> actor;
};

}  // namespace lockstep::participant::internal

#endif  // LOCKSTEP_PARTICIPANT_CORE_H_
