// Short names for the terms and rounds that the tests of the protocol speak of.
#ifndef LOCKSTEP_TESTS_PARTICIPANT_PROTOCOL_ROUNDS_H_
#define LOCKSTEP_TESTS_PARTICIPANT_PROTOCOL_ROUNDS_H_

#include <cstdint>

#include "participant/protocol/protocol.h"

namespace lockstep::participant {

inline constexpr Term kTerm = 3;

inline RoundId R(uint64_t number, Term term = kTerm) { return RoundId::Make(term, number); }

}  // namespace lockstep::participant

#endif  // LOCKSTEP_TESTS_PARTICIPANT_PROTOCOL_ROUNDS_H_
