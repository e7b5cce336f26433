// A directory of a test's own.
#ifndef LOCKSTEP_TESTS_COORDINATOR_TEMP_DIRECTORY_H_
#define LOCKSTEP_TESTS_COORDINATOR_TEMP_DIRECTORY_H_

#include <stdlib.h>

#include <filesystem>
#include <string>

#include "common/check.h"

namespace lockstep {

// Made by the constructor, removed with all that is in it by the destructor.
class TempDirectory {
 public:
  TempDirectory() {
    std::string name = (std::filesystem::temp_directory_path() / "lockstep-test-XXXXXX").string();
    LOCKSTEP_CHECK(mkdtemp(name.data()) != nullptr, "no temporary directory");
    path_ = name;
  }
  ~TempDirectory() {
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
  }
  TempDirectory(const TempDirectory&) = delete;
  TempDirectory& operator=(const TempDirectory&) = delete;

  const std::string& path() const { return path_; }

 private:
  std::string path_;
};

}  // namespace lockstep

#endif  // LOCKSTEP_TESTS_COORDINATOR_TEMP_DIRECTORY_H_
