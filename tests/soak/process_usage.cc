#include "tests/soak/process_usage.h"

#include <unistd.h>

#include <algorithm>
#include <fstream>
#include <system_error>

#include "absl/strings/str_cat.h"
#include "common/check.h"

namespace lockstep::testing_support {
namespace {

namespace fs = std::filesystem;

int64_t ResidentBytes(pid_t process) {
  std::ifstream file(absl::StrCat("/proc/", process, "/statm"));
  int64_t size = 0;
  int64_t resident = 0;
  LOCKSTEP_CHECK(static_cast<bool>(file >> size >> resident), "the process is gone");
  return resident * sysconf(_SC_PAGESIZE);
}

int64_t OpenFiles(pid_t process) {
  const fs::directory_iterator files(absl::StrCat("/proc/", process, "/fd"));
  return std::distance(begin(files), end(files));
}

// A file may go while it is looked at.
int64_t SizeOf(const fs::path& file) {
  std::error_code gone;
  const auto size = fs::file_size(file, gone);
  return gone ? 0 : static_cast<int64_t>(size);
}

}  // namespace

Usage UsageOf(pid_t process, const fs::path& data, const fs::path& log) {
  Usage usage = {{"resident bytes", ResidentBytes(process)},
                 {"open files", OpenFiles(process)},
                 {"WAL bytes", 0},
                 {"other data bytes", 0},
                 {"log bytes", SizeOf(log)}};
  for (const auto& entry : fs::directory_iterator(data)) {
    const bool is_wal = entry.path().string().ends_with("wal");
    usage[is_wal ? "WAL bytes" : "other data bytes"] += SizeOf(entry.path());
  }
  return usage;
}

int64_t MedianOf(const std::vector<Usage>& samples, const std::string& what, double from,
                 double to) {
  const auto count = static_cast<double>(samples.size());
  std::vector<int64_t> values;
  for (auto i = static_cast<size_t>(count * from); i < static_cast<size_t>(count * to); ++i) {
    values.push_back(samples[i].at(what));
  }
  LOCKSTEP_CHECK(!values.empty(), "too few samples");
  std::sort(values.begin(), values.end());
  return values[values.size() / 2];
}

}  // namespace lockstep::testing_support
