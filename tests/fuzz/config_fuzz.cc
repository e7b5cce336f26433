// The settings of both servers: a file, and behind each NUL a flag or a variable.
#include <sys/mman.h>
#include <unistd.h>

#include <cstdint>
#include <string>
#include <vector>

#include "absl/strings/str_split.h"
#include "common/check.h"
#include "coordinator/settings.h"
#include "participant/settings.h"

namespace lockstep {
namespace {

// In memory: one and the same file for every run.
class FuzzedFile {
 public:
  FuzzedFile() : file_(memfd_create("settings", 0)) {
    LOCKSTEP_CHECK(file_ >= 0, "no file in memory");
  }
  std::string path() const { return "/proc/self/fd/" + std::to_string(file_); }
  void Set(const std::string& text) const {
    LOCKSTEP_CHECK(ftruncate(file_, 0) == 0 && pwrite(file_, text.data(), text.size(), 0) ==
                                                   static_cast<ssize_t>(text.size()),
                   "the file cannot be written");
  }

 private:
  const int file_;
};

std::vector<const char*> Pointers(const std::vector<std::string>& texts) {
  std::vector<const char*> pointers;
  for (const std::string& text : texts) pointers.push_back(text.c_str());
  return pointers;
}

void UseSettings(const coordinator::Settings& settings, const config::Parsed& parsed) {
  coordinator::CoordinatorOptionsOf(settings);
  coordinator::ClusterOf(settings, parsed).status().IgnoreError();
}
void UseSettings(participant::Settings settings, const config::Parsed&) {
  participant::Complete(&settings);
}

template <typename Settings>
absl::StatusOr<config::Parsed> ParseSettings(std::vector<std::string> arguments,
                                             const std::vector<std::string>& environment) {
  Settings settings;
  config::Schema schema("program", "fuzzed");
  Declare(&settings, &schema);
  arguments.insert(arguments.begin(), "program");
  const std::vector<const char*> argv = Pointers(arguments);
  std::vector<const char*> variables = Pointers(environment);
  variables.push_back(nullptr);
  auto parsed = schema.Parse(static_cast<int>(argv.size()), argv.data(), variables.data());
  if (parsed.ok()) UseSettings(settings, *parsed);
  return parsed;
}

// Without the comments, which say where each value is from.
std::vector<std::string> ValuesOf(const std::string& yaml) {
  std::vector<std::string> lines = absl::StrSplit(yaml, '\n');
  for (std::string& line : lines) line = line.substr(0, line.rfind("  # "));
  return lines;
}

// What --print-config prints is a file that sets the same.
template <typename Settings>
void CheckSettings(const FuzzedFile& file, std::vector<std::string> arguments,
                   const std::vector<std::string>& environment) {
  arguments.insert(arguments.end(), {"--config", file.path(), "--print-config"});
  const auto parsed = ParseSettings<Settings>(arguments, environment);
  LOCKSTEP_CHECK(parsed.ok() || !parsed.status().message().empty(), "a refusal without words");
  if (!parsed.ok() || parsed->origins.empty()) return;
  file.Set(*parsed->output);
  const auto again = ParseSettings<Settings>({"--config", file.path(), "--print-config"}, {});
  LOCKSTEP_CHECK(again.ok(), again.status().ToString() + "\n" + *parsed->output);
  LOCKSTEP_CHECK(ValuesOf(*again->output) == ValuesOf(*parsed->output), *parsed->output);
}

}  // namespace
}  // namespace lockstep

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size == 0) return 0;
  static const lockstep::FuzzedFile file;
  const std::string text(reinterpret_cast<const char*>(data) + 1, size - 1);
  const std::vector<std::string> parts = absl::StrSplit(text, '\0');
  std::vector<std::string> arguments;
  std::vector<std::string> environment;
  for (size_t i = 1; i < parts.size(); ++i) {
    // No other file than this one is read.
    if (parts[i].find("config") != std::string::npos ||
        parts[i].find("CONFIG") != std::string::npos)
      continue;
    (parts[i].starts_with("LOCKSTEP_") ? environment : arguments).push_back(parts[i]);
  }
  file.Set(parts[0]);
  if (data[0] % 2 == 0) {
    lockstep::CheckSettings<lockstep::coordinator::Settings>(file, arguments, environment);
  } else {
    lockstep::CheckSettings<lockstep::participant::Settings>(file, arguments, environment);
  }
  return 0;
}
