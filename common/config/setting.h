// One declared setting of a program.
#ifndef LOCKSTEP_COMMON_CONFIG_SETTING_H_
#define LOCKSTEP_COMMON_CONFIG_SETTING_H_

#include <functional>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "common/config/origin.h"

namespace lockstep::config {

// One map of a list setting: its keys with their text.
using ListEntry = std::map<std::string, std::string>;

// A key that the maps of a list setting may have.
struct ListField {
  enum class Kind { kText, kAddress };

  std::string name;
  std::string help;
  bool required = true;
  Kind kind = Kind::kText;
  std::vector<std::string> choices = {};  // empty: any text
};

// A value as a source gives it, before anything is known of its type.
struct RawValue {
  struct Entry {
    std::vector<std::pair<std::string, std::string>> fields;
    Origin origin;
  };

  Origin origin;
  bool is_list = false;
  std::string text;            // unless is_list
  std::vector<Entry> entries;  // if is_list: the maps of a YAML sequence
};

// What a type of setting must know: how to store a value, and how to show the one in force.
struct SettingType {
  // Its name for --help, with its range: "duration, 1ms to 1m".
  std::string name;
  // A flag of it may stand without a value, which then is "true".
  bool is_switch = false;
  // Stores the value in the program's own variable, or says what is wrong with it, with its origin.
  std::function<absl::Status(const RawValue&)> store;
  // The value in force as YAML: the rest of the line after "key:", then further lines.
  std::function<std::pair<std::string, std::string>()> format;
  // Whether the value in force is nothing; unset where only an empty text would be.
  std::function<bool()> is_empty = {};
};

class Setting {
 public:
  Setting(std::string key, std::string help, SettingType type);

  // Without a value from any source the program does not start; nor with an empty one.
  Setting& Required();

  const std::string& key() const { return key_; }
  std::string flag() const;      // --data-dir
  std::string variable() const;  // LOCKSTEP_DATA_DIR
  const std::string& help() const { return help_; }
  const std::string& type() const { return type_.name; }
  bool is_switch() const { return type_.is_switch; }
  bool required() const { return required_; }
  const Origin& origin() const { return origin_; }

  // Takes the value of one source over what was there, and remembers whence.
  absl::Status Store(const RawValue& value);

  // The value in force as lines of a settings file, with a comment that says where it is from.
  std::string ToYaml() const;
  // The value in force on one line, for --help, which shows the default.
  std::string DefaultText() const { return type_.format().first; }

 private:
  std::string key_;
  std::string help_;
  SettingType type_;
  bool required_ = false;
  Origin origin_;
};

}  // namespace lockstep::config

#endif  // LOCKSTEP_COMMON_CONFIG_SETTING_H_
