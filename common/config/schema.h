// The settings of a program: declared once, read from flags, environment and a YAML file.
//
//   Options options;  // its members hold the defaults
//   config::Schema schema("lockstep-coordinator", "decides what commits");
//   schema.String("data_dir", &options.data_dir, "where the decision log lies").Required();
//   schema.Duration("max_timeout", &options.max_timeout, absl::Seconds(1), absl::Hours(1),
//                   "the longest timeout that a client may ask for");
//   absl::StatusOr<config::Parsed> parsed = schema.Parse(argc, argv, environ);
//   if (std::optional<int> code = config::ExitCode(parsed)) return *code;
//
// The setting data_dir is the flag --data-dir, the variable LOCKSTEP_DATA_DIR, and the key data_dir
// of the file that --config or LOCKSTEP_CONFIG names. Flag beats environment beats file beats
// default; a value that is beaten must be right all the same.
#ifndef LOCKSTEP_COMMON_CONFIG_SCHEMA_H_
#define LOCKSTEP_COMMON_CONFIG_SCHEMA_H_

#include <cstdint>
#include <deque>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "common/config/setting.h"
#include "common/config/sources.h"

namespace lockstep::config {

// What Parse() found, when nothing was wrong.
struct Parsed {
  // Set by --help, --version and --print-config: what to print on standard output, and then end.
  std::optional<std::string> output;
  // By key, where the value in force came from.
  std::map<std::string, Origin> origins;
};

// Not thread-safe; used by main before there are threads. Targets must outlive it, and hold their
// default when they are declared. Keys are lower_case_words, each declared once.
class Schema {
 public:
  Schema(std::string program, std::string purpose);
  Schema(const Schema&) = delete;
  Schema& operator=(const Schema&) = delete;

  // Each reference is good for the life of the schema. Ranges include both ends.
  Setting& String(std::string key, std::string* target, std::string help);
  Setting& Address(std::string key, std::string* target, std::string help);
  Setting& Bool(std::string key, bool* target, std::string help);
  Setting& Int(std::string key, int* target, int least, int most, std::string help);
  Setting& Int(std::string key, int64_t* target, int64_t least, int64_t most, std::string help);
  Setting& Duration(std::string key, absl::Duration* target, absl::Duration least,
                    absl::Duration most, std::string help);
  Setting& ByteSize(std::string key, int64_t* target, int64_t least, int64_t most,
                    std::string help);
  Setting& Choice(std::string key, std::string* target, std::vector<std::string> choices,
                  std::string help);
  // A YAML sequence of maps; in flags and variables "key=value,key=value;key=value,…".
  Setting& List(std::string key, std::vector<ListEntry>* target, std::vector<ListField> fields,
                std::string help);

  // Fills the targets; to be called once. An unknown flag, variable or key, a bad value and a
  // missing required setting are an InvalidArgument that names the place; the targets are then in
  // no particular state.
  absl::StatusOr<Parsed> Parse(int argc, const char* const* argv, const char* const* environment);

  // What --help prints. To be asked before Parse(): the values in force are shown as the defaults.
  std::string Help() const;
  // What --print-config prints: a settings file with every value in force.
  std::string ToYaml() const;

 private:
  Setting& Declare(std::string key, std::string help, SettingType type);
  Setting* Find(const std::string& name, std::string (*name_of)(const Setting&));
  absl::Status StoreAll(const std::vector<NamedValue>& values,
                        std::string (*name_of)(const Setting&), const char* what);
  FlagKind KindOf(const std::string& flag);
  absl::Status StoreSources(std::vector<NamedValue> flags, const char* const* environment);
  absl::Status CheckRequired() const;

  std::string program_;
  std::string purpose_;
  std::deque<Setting> settings_;
};

// What main does with the answer: prints the output on standard output and gives 0, or logs the
// error and gives 2, or gives nothing when the program is to run.
std::optional<int> ExitCode(const absl::StatusOr<Parsed>& parsed);

}  // namespace lockstep::config

#endif  // LOCKSTEP_COMMON_CONFIG_SCHEMA_H_
