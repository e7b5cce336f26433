// Names for threads, as ps, top and gdb show them.
#ifndef LOCKSTEP_COMMON_THREAD_NAME_H_
#define LOCKSTEP_COMMON_THREAD_NAME_H_

#include <string>

namespace lockstep {

// Names the calling thread. The system keeps the first 15 bytes.
void SetThreadName(const std::string& name);

}  // namespace lockstep

#endif  // LOCKSTEP_COMMON_THREAD_NAME_H_
