// Where the value of a setting came from.
#ifndef LOCKSTEP_COMMON_CONFIG_ORIGIN_H_
#define LOCKSTEP_COMMON_CONFIG_ORIGIN_H_

#include <string>

#include "absl/status/status.h"

namespace lockstep::config {

struct Origin {
  enum class Kind { kDefault, kFile, kEnvironment, kFlag };

  Kind kind = Kind::kDefault;
  std::string name;  // the file's path, the variable or the flag, as the user wrote it
  int line = 0;      // in the file, from 1
  std::string key;   // in the file, empty for the file as a whole

  static Origin File(std::string path, int line, std::string key);
  static Origin Environment(std::string variable);
  static Origin Flag(std::string flag);

  // For people: "default", "file /etc/lockstep.yaml, line 3", "environment LOCKSTEP_LISTEN",
  // "flag --listen". On one line.
  std::string Describe() const;
};

// An InvalidArgument that starts with the place: "/etc/lockstep.yaml:3: listen: …",
// "LOCKSTEP_LISTEN: …", "--listen: …".
absl::Status ErrorAt(const Origin& origin, const std::string& what);

}  // namespace lockstep::config

#endif  // LOCKSTEP_COMMON_CONFIG_ORIGIN_H_
