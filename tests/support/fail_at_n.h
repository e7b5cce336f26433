// Every fault of a disk, at every operation.
#ifndef LOCKSTEP_TESTS_SUPPORT_FAIL_AT_N_H_
#define LOCKSTEP_TESTS_SUPPORT_FAIL_AT_N_H_

#include <gtest/gtest.h>

#include <cstdint>
#include <string>

#include "tests/support/sim_disk.h"

namespace lockstep {

inline std::string Describe(const DiskFault& fault) {
  constexpr const char* kOperations[] = {"open", "read", "write", "truncation", "sync"};
  constexpr const char* kKinds[] = {"an I/O error", "no space", "a short write"};
  return std::string(fault.for_good ? "from " : "") +
         kOperations[static_cast<int>(fault.operation)] + " " + std::to_string(fault.nth) +
         (fault.for_good ? " on: " : ": ") + kKinds[static_cast<int>(fault.kind)];
}

// Calls run(fault) for each kind of fault, once and for good, at the 1st operation, the 2nd and so
// on, until it returns false: the fault did not happen any more. Stops at the first failure, which
// comes again with the same test. Returns how many faults happened.
template <typename Run>
int64_t FailAtEach(Run&& run) {
  using Operation = DiskFault::Operation;
  using Kind = DiskFault::Kind;
  constexpr DiskFault kFaults[] = {{Operation::kOpen},
                                   {Operation::kRead},
                                   {Operation::kWrite},
                                   {Operation::kWrite, Kind::kNoSpace},
                                   {Operation::kWrite, Kind::kShortWrite},
                                   {Operation::kTruncate},
                                   {Operation::kSync}};
  int64_t happened = 0;
  for (DiskFault fault : kFaults) {
    for (const bool for_good : {false, true}) {
      fault.for_good = for_good;
      for (fault.nth = 1;; ++fault.nth) {
        SCOPED_TRACE(Describe(fault));
        if (!run(fault)) break;
        ++happened;
        if (testing::Test::HasFailure()) return happened;
      }
    }
  }
  return happened;
}

}  // namespace lockstep

#endif  // LOCKSTEP_TESTS_SUPPORT_FAIL_AT_N_H_
