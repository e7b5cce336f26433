// A participant in a simulation.
#ifndef LOCKSTEP_TESTS_SIMULATION_SIM_PARTICIPANT_H_
#define LOCKSTEP_TESTS_SIMULATION_SIM_PARTICIPANT_H_

#include <cstdint>
#include <functional>
#include <memory>
#include <string>

#include "coordinator/protocol/types.h"
#include "tests/simulation/message.h"
#include "tests/simulation/model.h"
#include "tests/simulation/options.h"

namespace lockstep::simulation {

// Handles one message at a time, as the actor does, and may crash at every place where a real one
// could. What a test has to know of it goes through Observer. A copy goes on alone, but with the
// same options, chance and observer.
class SimParticipant {
 public:
  struct Observer {
    // The branches of a Prepare run: everything decided for it has to be visible (R14). The second
    // round is the last that is.
    std::function<void(ParticipantIndex, RoundId, RoundId)> on_execute;
    // Before a Rollback is answered.
    std::function<void(ParticipantIndex, RoundId)> on_rolled_back;
    // A NO that the disk's want of space is the reason of.
    std::function<void(ParticipantIndex, RoundId)> on_no_space;
    std::function<void(const std::string&)> on_violation;
    std::function<coordinator::Now()> now;
  };

  virtual ~SimParticipant() = default;

  virtual bool alive() const = 0;
  // Recovers what is on its disk. A fault may leave it dead.
  virtual void Start() = 0;
  // Requires alive(); `power`: the page cache is lost too.
  virtual void Crash(bool power) = 0;
  // A sync that nobody asked for; finishes a re-execution too. Requires alive().
  virtual void Idle() = 0;

  enum class Handled { kAnswered, kDied, kWait };
  // Requires alive(). kWait: a read whose round is not visible yet.
  virtual Handled Handle(const Request& request, Answer* answer) = 0;

  // Whether it can be told what it shows and holds: always while it is alive.
  virtual bool is_known() const = 0;
  // What follows requires is_known(). Readers are shown `rows()`, which are those of this round.
  virtual RoundId applied() const = 0;
  virtual const Rows& rows() const = 0;
  // The round that it holds: prepared, in doubt, or to be re-executed.
  virtual RoundId held() const = 0;
  // Whether a round that was prepared can still be found again.
  virtual bool CanFind(RoundId round) const = 0;
  // The boot id of the coordinator's run that it follows; 0 for none.
  virtual uint64_t coordinator() const = 0;
};

// By options.level; `options` and `random` outlive it.
std::unique_ptr<SimParticipant> MakeParticipant(ParticipantIndex index, DatabaseIndex database,
                                                const Options* options, Random* random,
                                                SimParticipant::Observer observer);

}  // namespace lockstep::simulation

#endif  // LOCKSTEP_TESTS_SIMULATION_SIM_PARTICIPANT_H_
