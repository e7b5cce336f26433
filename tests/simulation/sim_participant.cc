#include "tests/simulation/sim_participant.h"

#include <utility>

#include "tests/simulation/model_participant.h"
#include "tests/simulation/sqlite_participant.h"

namespace lockstep::simulation {

std::unique_ptr<SimParticipant> MakeParticipant(ParticipantIndex index, DatabaseIndex database,
                                                const Options* options, Random* random,
                                                SimParticipant::Observer observer) {
  if (options->level == Level::kSqlite) {
    return std::make_unique<SqliteParticipant>(index, database, options, random,
                                               std::move(observer));
  }
  return std::make_unique<ModelParticipant>(index, database, options, random, std::move(observer));
}

}  // namespace lockstep::simulation
