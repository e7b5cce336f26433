#include <cctype>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "common/config/sources.h"

namespace lockstep::config {
namespace {

constexpr std::string_view kPrefix = "LOCKSTEP_";

constexpr std::string_view kNotForServers[] = {
    "LOCKSTEP_ENDPOINT",                         // the command line tool
    "LOCKSTEP_BUILD_DIR", "LOCKSTEP_SANITIZER",  // the build and test scripts
    "LOCKSTEP_KILLS",     "LOCKSTEP_ASAN_KILLS",
};
constexpr std::string_view kPrefixesNotForServers[] = {"LOCKSTEP_TEST_", "LOCKSTEP_BENCH_"};

bool IsForServers(std::string_view variable) {
  for (std::string_view other : kNotForServers) {
    if (variable == other) return false;
  }
  for (std::string_view prefix : kPrefixesNotForServers) {
    if (variable.starts_with(prefix)) return false;
  }
  return true;
}

// LOCKSTEP_COORDINATOR_SERVICE_HOST, …_SERVICE_PORT, …_PORT=tcp://10.0.0.1:7400,
// …_PORT_7400_TCP_ADDR and their like.
bool IsServiceLink(std::string_view variable, std::string_view value) {
  if (variable.ends_with("_SERVICE_HOST")) return true;
  if (variable.find("_SERVICE_PORT") != variable.npos) return true;
  if (variable.ends_with("_PORT") && value.find("://") != value.npos) return true;
  const size_t port = variable.find("_PORT_");
  if (port == variable.npos || port + 6 >= variable.size()) return false;
  return std::isdigit(static_cast<unsigned char>(variable[port + 6])) != 0;
}

}  // namespace

std::vector<NamedValue> ReadEnvironment(const char* const* environment) {
  std::vector<NamedValue> values;
  for (; environment != nullptr && *environment != nullptr; ++environment) {
    const std::string_view line = *environment;
    const size_t equals = line.find('=');
    if (!line.starts_with(kPrefix) || equals == line.npos) continue;
    const std::string_view variable = line.substr(0, equals);
    const std::string_view text = line.substr(equals + 1);
    if (!IsForServers(variable) || IsServiceLink(variable, text)) continue;
    RawValue value;
    value.origin = Origin::Environment(std::string(variable));
    value.text = text;
    values.push_back({std::string(variable), std::move(value)});
  }
  return values;
}

}  // namespace lockstep::config
