// Runs a schema as main would, with arguments, environment and file given as text.
#ifndef LOCKSTEP_TESTS_COMMON_CONFIG_PARSE_H_
#define LOCKSTEP_TESTS_COMMON_CONFIG_PARSE_H_

#include <unistd.h>

#include <cstdio>
#include <fstream>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "common/config/schema.h"

namespace lockstep::config {

// Parses with these arguments (without the program's name) and variables ("LOCKSTEP_X=y").
inline absl::StatusOr<Parsed> ParseWith(Schema& schema, const std::vector<std::string>& arguments,
                                        const std::vector<std::string>& variables = {}) {
  std::vector<const char*> argv = {"program"};
  for (const std::string& argument : arguments) argv.push_back(argument.c_str());
  std::vector<const char*> environment;
  for (const std::string& variable : variables) environment.push_back(variable.c_str());
  environment.push_back(nullptr);
  return schema.Parse(static_cast<int>(argv.size()), argv.data(), environment.data());
}

// A settings file that is gone with the object.
class SettingsFile {
 public:
  explicit SettingsFile(const std::string& text) {
    static int number = 0;
    path_ = "/tmp/lockstep-config-" + std::to_string(getpid()) + "-" + std::to_string(++number) +
            ".yaml";
    std::ofstream(path_) << text;
  }
  ~SettingsFile() { std::remove(path_.c_str()); }
  SettingsFile(const SettingsFile&) = delete;
  SettingsFile& operator=(const SettingsFile&) = delete;

  const std::string& path() const { return path_; }

 private:
  std::string path_;
};

}  // namespace lockstep::config

#endif  // LOCKSTEP_TESTS_COMMON_CONFIG_PARSE_H_
