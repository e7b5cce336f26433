// Disk space for the decisions of transactions that have begun.
#ifndef LOCKSTEP_COORDINATOR_SPACE_RESERVE_H_
#define LOCKSTEP_COORDINATOR_SPACE_RESERVE_H_

#include <cstdint>
#include <string>

#include "absl/status/statusor.h"

namespace lockstep::coordinator {

// Out of space at a decision would end the process, so new transactions are refused while there is
// still some: below `least_free_bytes`. Should others fill the disk even then, a preallocated file
// of `reserve_bytes` is given up, for what is in flight. Used by one thread at a time.
class SpaceReserve {
 public:
  // Takes the reserve if there is room for it; a reserve that an earlier run left is taken over, or
  // given up at once when there is little room beside it.
  SpaceReserve(std::string directory, uint64_t least_free_bytes, uint64_t reserve_bytes);

  // Asks the file system: whether new transactions must be refused. Also gives up the reserve, or
  // takes it again. An error of the question itself counts as short.
  bool IsShort();
  // For good, unless IsShort finds much more room.
  void GiveUp();

 private:
  uint64_t FreeBytes() const;
  bool IsNeeded(uint64_t free_bytes) const;
  bool Take();

  const std::string directory_;
  const std::string path_;
  const uint64_t least_free_bytes_;
  const uint64_t reserve_bytes_;
  bool taken_ = false;
};

}  // namespace lockstep::coordinator

#endif  // LOCKSTEP_COORDINATOR_SPACE_RESERVE_H_
