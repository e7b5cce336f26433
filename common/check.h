// Assertions that stay on in production: a broken one is a bug, and going on would risk data.
#ifndef LOCKSTEP_COMMON_CHECK_H_
#define LOCKSTEP_COMMON_CHECK_H_

#include <cstdio>
#include <cstdlib>
#include <string>

namespace lockstep::internal {

// Writes one JSON line to standard error, as all logs are, and ends the process with abort().
[[noreturn]] void CheckFailed(const char* file, int line, const char* condition,
                              const std::string& message);

}  // namespace lockstep::internal

// Ends the process unless `condition` holds. `message` is made only then.
#define LOCKSTEP_CHECK(condition, message)                                          \
  do {                                                                              \
    if (!(condition)) [[unlikely]]                                                  \
      ::lockstep::internal::CheckFailed(__FILE__, __LINE__, #condition, (message)); \
  } while (false)

#endif  // LOCKSTEP_COMMON_CHECK_H_
