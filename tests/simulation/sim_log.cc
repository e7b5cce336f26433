#include "tests/simulation/sim_log.h"

#include <utility>

#include "tests/simulation/model_log.h"
#include "tests/simulation/sqlite_log.h"

namespace lockstep::simulation {

std::unique_ptr<SimLog> MakeLog(const coordinator::Config& config, const Options* options,
                                Random* random, SimLog::Observer observer) {
  if (options->level == Level::kSqlite) {
    return std::make_unique<SqliteLog>(config, options, random, std::move(observer));
  }
  return std::make_unique<ModelLog>(config, options, random, std::move(observer));
}

}  // namespace lockstep::simulation
