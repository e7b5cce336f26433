// The models that are explored.
#ifndef LOCKSTEP_TESTS_MODEL_SETUPS_H_
#define LOCKSTEP_TESTS_MODEL_SETUPS_H_

#include <cstdint>
#include <vector>

#include "tests/model/setup.h"

namespace lockstep::model {

struct Exploration {
  Setup setup;
  uint64_t states = 0;     // the limit in a normal run
  bool exhausted = false;  // what a normal run gets to
};

const std::vector<Exploration>& Explorations();

}  // namespace lockstep::model

#endif  // LOCKSTEP_TESTS_MODEL_SETUPS_H_
