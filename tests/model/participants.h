// The participants of the model: each state and what it can do about a message, once.
#ifndef LOCKSTEP_TESTS_MODEL_PARTICIPANTS_H_
#define LOCKSTEP_TESTS_MODEL_PARTICIPANTS_H_

#include <vector>

#include "absl/container/flat_hash_map.h"
#include "tests/model/choices.h"
#include "tests/model/message.h"
#include "tests/model/setup.h"
#include "tests/model/truths.h"
#include "tests/simulation/model_participant.h"

namespace lockstep::model {

class Participants {
 public:
  // What may happen inside a handler.
  struct Freedom {
    bool crash = false;
    bool defer = false;
  };
  struct Outcome {
    Id participant = 0;
    Id answer = 0;  // a message; 0: a read waits
    Id deeds = 0;
    bool crashed = false;
    bool deferred = false;
    friend bool operator==(const Outcome&, const Outcome&) = default;
  };

  Participants(const Setup& setup, Messages* messages, Truths* truths);
  Participants(const Participants&) = delete;
  Participants& operator=(const Participants&) = delete;

  // Running, over an empty disk.
  Id First(simulation::ParticipantIndex index);
  const simulation::ModelParticipant& at(Id id) const { return participants_.at(id); }
  size_t size() const { return participants_.size(); }

  // Requires that it is alive; also below. All that can come of the request.
  const std::vector<Outcome>& Handle(Id participant, Id request, Freedom freedom);
  // By kill or loss of power: all that can be left.
  const std::vector<Id>& Crash(Id participant);
  Outcome Idle(Id participant);
  // Requires that it is not alive.
  Id Start(Id participant);

 private:
  Id Intern(const simulation::ModelParticipant& participant);
  Outcome HandleOnce(Id participant, const Message& request);

  std::vector<simulation::DatabaseIndex> databases_;
  Messages* const messages_;
  Truths* const truths_;
  simulation::Options options_;
  Choices choices_;
  Deeds deeds_;  // of the handler that runs
  Interner<simulation::ModelParticipant> participants_;
  absl::flat_hash_map<uint64_t, std::vector<Outcome>> handled_[4];  // by Freedom
  absl::flat_hash_map<Id, std::vector<Id>> crashed_;
  absl::flat_hash_map<Id, Id> started_;
  absl::flat_hash_map<Id, Outcome> idle_;
};

// The database of each participant.
std::vector<simulation::DatabaseIndex> DatabasesOf(const Setup& setup);

}  // namespace lockstep::model

#endif  // LOCKSTEP_TESTS_MODEL_PARTICIPANTS_H_
