// What a participant is told.
#ifndef LOCKSTEP_PARTICIPANT_PARTICIPANT_OPTIONS_H_
#define LOCKSTEP_PARTICIPANT_PARTICIPANT_OPTIONS_H_

#include <cstddef>

#include "absl/time/time.h"
#include "participant/engine_options.h"

namespace lockstep::participant {

struct ParticipantOptions {
  EngineOptions engine;
  // Calls of clients that may wait: for the actor, a prepared round, a version or a connection.
  size_t client_places = 2000;
  // What the coordinator has for itself: places of the mailbox, and of reads that wait. It has no
  // more than so many of them under way.
  size_t coordinator_places = 64;
  size_t coordinator_reads = 8000;
  absl::Duration query_budget = absl::Seconds(5);
};

}  // namespace lockstep::participant

#endif  // LOCKSTEP_PARTICIPANT_PARTICIPANT_OPTIONS_H_
