#include "common/thread_name.h"

#include <pthread.h>

#include <cstddef>

#include "common/check.h"

namespace lockstep {

void SetThreadName(const std::string& name) {
  constexpr size_t kMaxLength = 15;
  LOCKSTEP_CHECK(pthread_setname_np(pthread_self(), name.substr(0, kMaxLength).c_str()) == 0,
                 "pthread_setname_np refused " + name);
}

}  // namespace lockstep
