// What must hold of a participant's state, always and from step to step.
#ifndef LOCKSTEP_PARTICIPANT_PROTOCOL_INVARIANTS_H_
#define LOCKSTEP_PARTICIPANT_PROTOCOL_INVARIANTS_H_

#include <optional>
#include <string>

#include "participant/protocol/state.h"

namespace lockstep::participant {

// The broken invariant in words, or nothing. Within one process: `before` and `after` are the
// states around one step.
std::optional<std::string> BrokenInvariant(const State& before, const State& after);

}  // namespace lockstep::participant

#endif  // LOCKSTEP_PARTICIPANT_PROTOCOL_INVARIANTS_H_
