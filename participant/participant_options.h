// What a participant is told.
#ifndef LOCKSTEP_PARTICIPANT_PARTICIPANT_OPTIONS_H_
#define LOCKSTEP_PARTICIPANT_PARTICIPANT_OPTIONS_H_

#include <cstddef>

#include "absl/time/time.h"
#include "participant/engine_options.h"

namespace lockstep::participant {

struct ParticipantOptions {
  EngineOptions engine;
  // Places of the mailbox: those of clients, and those that only the coordinator's calls may take.
  size_t mailbox = 2000;
  size_t reserved = 64;
  // Queries that wait for their version or a free connection.
  size_t waiting_queries = 1000;
  absl::Duration query_budget = absl::Seconds(5);
};

}  // namespace lockstep::participant

#endif  // LOCKSTEP_PARTICIPANT_PARTICIPANT_OPTIONS_H_
