// What a simulated world does, for a reader.
#ifndef LOCKSTEP_TESTS_SIMULATION_TRACE_H_
#define LOCKSTEP_TESTS_SIMULATION_TRACE_H_

#include <cstdio>
#include <string>

#include "absl/strings/str_cat.h"
#include "tests/simulation/message.h"
#include "tests/simulation/world.h"

namespace lockstep::simulation {

const char* NameOf(Request::Kind kind);
std::string Describe(const Request& request);
std::string Describe(const Answer& answer);
std::string Describe(RoundId round);
std::string Describe(const coordinator::Effect& effect);

template <typename... Parts>
void World::Trace(const Parts&... parts) {
  if (on_trace_) return on_trace_(absl::StrCat(parts...));
  if (!options_.trace) return;
  const std::string line = absl::StrCat(absl::ToInt64Milliseconds(now_), "ms  ", parts..., "\n");
  std::fputs(line.c_str(), stderr);
}

}  // namespace lockstep::simulation

#endif  // LOCKSTEP_TESTS_SIMULATION_TRACE_H_
