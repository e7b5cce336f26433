// The checksum of everything that Lockstep itself writes: XXH3, 64 bits.
#ifndef LOCKSTEP_COMMON_CHECKSUM_H_
#define LOCKSTEP_COMMON_CHECKSUM_H_

#include <cstdint>
#include <string_view>

namespace lockstep {

// `seed` is what the bytes belong to, so that those of another one have another checksum.
uint64_t Checksum(std::string_view bytes, uint64_t seed = 0);

}  // namespace lockstep

#endif  // LOCKSTEP_COMMON_CHECKSUM_H_
