// How large a model is, and what may go wrong in it.
#ifndef LOCKSTEP_TESTS_MODEL_SETUP_H_
#define LOCKSTEP_TESTS_MODEL_SETUP_H_

#include <cstdint>
#include <string>
#include <vector>

#include "coordinator/protocol/config.h"
#include "participant/protocol/protocol.h"
#include "tests/simulation/model.h"

namespace lockstep::model {

struct ModelTransaction {
  simulation::Needs needs = simulation::Needs::kNothing;
  simulation::DatabaseIndex judge = 0;  // the database whose vote depends on what was written
  std::vector<simulation::ParticipantIndex> participants;
};

// How often each may still happen on one path.
struct Faults {
  uint8_t crashes = 0;              // of participants, between messages and inside them
  uint8_t coordinator_crashes = 0;  // a failed decision write is one too
  uint8_t second_starts = 0;        // of a coordinator while another one lives
  uint8_t losses = 0;               // a call fails; its request may arrive for all that
  uint8_t repeats = 0;              // a request arrives twice
  uint8_t ticks = 0;                // enough time passes that whatever waits is due
  uint8_t defers = 0;
  uint8_t reads = 0;
};

struct Setup {
  std::string name;
  std::vector<uint32_t> replicas = {1, 1};  // per database
  std::vector<ModelTransaction> transactions;
  Faults faults;
  // Off: an answer reaches its coordinator together with what it tells, or is lost.
  bool answers_travel = true;

  coordinator::BrokenRules broken;
  participant::BrokenRules broken_participant;
  bool term_is_not_durable = false;       // R1, at the participants
  bool log_forgets_term = false;          // R1, at the coordinators
  bool tombstone_is_not_durable = false;  // R3
  bool is_broken = false;  // only what the world sees counts then, not what the protocol checks
};

}  // namespace lockstep::model

#endif  // LOCKSTEP_TESTS_MODEL_SETUP_H_
