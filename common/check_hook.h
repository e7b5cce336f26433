// How a test outlives a process that ends itself.
#ifndef LOCKSTEP_COMMON_CHECK_HOOK_H_
#define LOCKSTEP_COMMON_CHECK_HOOK_H_

#include <string>

namespace lockstep::internal {

// Called with the message of a check that failed, on its thread, before anything is logged. It may
// throw, to end a process that a test simulates; if it returns, the process ends as without it.
using CheckFailureHook = void (*)(const std::string& message);

// Null, as at the start, for none. Tests only; no other thread may be at a check meanwhile.
void SetCheckFailureHook(CheckFailureHook hook);

}  // namespace lockstep::internal

#endif  // LOCKSTEP_COMMON_CHECK_HOOK_H_
