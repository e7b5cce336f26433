// What a server process takes of its machine.
#ifndef LOCKSTEP_TESTS_SOAK_PROCESS_USAGE_H_
#define LOCKSTEP_TESTS_SOAK_PROCESS_USAGE_H_

#include <sys/types.h>

#include <cstdint>
#include <filesystem>
#include <map>
#include <string>
#include <vector>

namespace lockstep::testing_support {

// By what it is: "resident bytes", "open files", "WAL bytes", "other data bytes", "log bytes".
using Usage = std::map<std::string, int64_t>;

// Requires that the process runs.
Usage UsageOf(pid_t process, const std::filesystem::path& data, const std::filesystem::path& log);

// Of the samples from `from` on, up to `to`, in fractions of all. Requires a sample there.
int64_t MedianOf(const std::vector<Usage>& samples, const std::string& what, double from,
                 double to);

}  // namespace lockstep::testing_support

#endif  // LOCKSTEP_TESTS_SOAK_PROCESS_USAGE_H_
