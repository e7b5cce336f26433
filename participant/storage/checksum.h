// The checksum of everything that Lockstep itself writes: XXH3, 64 bits.
#ifndef LOCKSTEP_PARTICIPANT_STORAGE_CHECKSUM_H_
#define LOCKSTEP_PARTICIPANT_STORAGE_CHECKSUM_H_

#include <cstdint>
#include <string_view>

namespace lockstep::participant {

uint64_t Checksum(std::string_view bytes);

}  // namespace lockstep::participant

#endif  // LOCKSTEP_PARTICIPANT_STORAGE_CHECKSUM_H_
