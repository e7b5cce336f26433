// Short names for what the tests of the protocol say often.
#ifndef LOCKSTEP_TESTS_COORDINATOR_PROTOCOL_NAMES_H_
#define LOCKSTEP_TESTS_COORDINATOR_PROTOCOL_NAMES_H_

#include <cstdint>

#include "coordinator/protocol/outcome.h"
#include "coordinator/protocol/types.h"

namespace lockstep::coordinator {

inline constexpr Vote kYes{Vote::Kind::kYes, 7};
inline constexpr Vote kNo{Vote::Kind::kNo, 0};
inline constexpr Vote kDefer{Vote::Kind::kDefer, 0};

// Of the first term.
inline RoundId Round(uint64_t number) { return RoundId::Make(1, number); }

}  // namespace lockstep::coordinator

#endif  // LOCKSTEP_TESTS_COORDINATOR_PROTOCOL_NAMES_H_
