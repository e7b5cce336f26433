// Where values come from: the command line, the environment and a YAML file. Each is read without
// knowing the settings' types, and keeps for every value the place where it stood.
#ifndef LOCKSTEP_COMMON_CONFIG_SOURCES_H_
#define LOCKSTEP_COMMON_CONFIG_SOURCES_H_

#include <functional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "common/config/setting.h"

namespace lockstep::config {

struct NamedValue {
  std::string name;  // the key, the flag or the variable
  RawValue value;
};

// How a flag may stand.
enum class FlagKind { kUnknown, kSwitch, kWithValue };

// From "--name=value", "--name value" and, for a switch, "--name", in the order given. `arguments`
// is without the program's name. Refuses what is not a known flag, and a flag given twice.
absl::StatusOr<std::vector<NamedValue>> ReadFlags(
    const std::vector<std::string>& arguments,
    const std::function<FlagKind(const std::string& flag)>& kind_of);

// The variables that start with LOCKSTEP_, but those that are not for servers: LOCKSTEP_ENDPOINT of
// the command line tool (its health check runs beside a server), those of the repository's build,
// test and bench scripts (which start servers), and those that Docker links and Kubernetes make for
// a service whose name starts with "lockstep". A setting of another server is not left out: it is
// in the wrong place. `environment` is as environ: ends with a null pointer.
std::vector<NamedValue> ReadEnvironment(const char* const* environment);

// The keys of a YAML file: a map of scalars and of sequences of maps of scalars. An error names the
// file, the line and, where there is one, the key. `asked_by` is what named the file.
absl::StatusOr<std::vector<NamedValue>> ReadYamlFile(const std::string& path,
                                                     const Origin& asked_by);

}  // namespace lockstep::config

#endif  // LOCKSTEP_COMMON_CONFIG_SOURCES_H_
