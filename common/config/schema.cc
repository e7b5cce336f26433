#include "common/config/schema.h"

#include <cstdio>
#include <utility>

#include "absl/strings/str_cat.h"
#include "common/check.h"
#include "common/config/types.h"
#include "common/logging.h"

namespace lockstep::config {
namespace {

constexpr char kConfigFlag[] = "--config";
constexpr char kConfigVariable[] = "LOCKSTEP_CONFIG";
constexpr char kHelpFlag[] = "--help";
constexpr char kVersionFlag[] = "--version";
constexpr char kPrintFlag[] = "--print-config";

bool IsOwnSwitch(const std::string& flag) {
  return flag == kHelpFlag || flag == kVersionFlag || flag == kPrintFlag;
}

// Removes the values called `name` and gives the last one.
std::optional<RawValue> Take(const std::string& name, std::vector<NamedValue>* values) {
  std::optional<RawValue> taken;
  std::erase_if(*values, [&](const NamedValue& value) {
    if (value.name != name) return false;
    taken = value.value;
    return true;
  });
  return taken;
}

std::string FlagOf(const Setting& setting) { return setting.flag(); }
std::string VariableOf(const Setting& setting) { return setting.variable(); }
std::string KeyOf(const Setting& setting) { return setting.key(); }

}  // namespace

Schema::Schema(std::string program, std::string purpose)
    : program_(std::move(program)), purpose_(std::move(purpose)) {}

Setting& Schema::String(std::string key, std::string* target, std::string help) {
  return Declare(std::move(key), std::move(help), StringType(target));
}

Setting& Schema::Address(std::string key, std::string* target, std::string help) {
  return Declare(std::move(key), std::move(help), AddressType(target));
}

Setting& Schema::Bool(std::string key, bool* target, std::string help) {
  return Declare(std::move(key), std::move(help), BoolType(target));
}

Setting& Schema::Int(std::string key, int* target, int least, int most, std::string help) {
  const auto get = [target] { return int64_t{*target}; };
  const auto set = [target](int64_t value) { *target = static_cast<int>(value); };
  return Declare(std::move(key), std::move(help), IntType(get, set, least, most));
}

Setting& Schema::Int(std::string key, int64_t* target, int64_t least, int64_t most,
                     std::string help) {
  const auto get = [target] { return *target; };
  const auto set = [target](int64_t value) { *target = value; };
  return Declare(std::move(key), std::move(help), IntType(get, set, least, most));
}

Setting& Schema::Duration(std::string key, absl::Duration* target, absl::Duration least,
                          absl::Duration most, std::string help) {
  return Declare(std::move(key), std::move(help), DurationType(target, least, most));
}

Setting& Schema::ByteSize(std::string key, int64_t* target, int64_t least, int64_t most,
                          std::string help) {
  return Declare(std::move(key), std::move(help), ByteSizeType(target, least, most));
}

Setting& Schema::Choice(std::string key, std::string* target, std::vector<std::string> choices,
                        std::string help) {
  return Declare(std::move(key), std::move(help), ChoiceType(target, std::move(choices)));
}

Setting& Schema::List(std::string key, std::vector<ListEntry>* target,
                      std::vector<ListField> fields, std::string help) {
  return Declare(std::move(key), std::move(help), ListType(target, std::move(fields)));
}

Setting& Schema::Declare(std::string key, std::string help, SettingType type) {
  LOCKSTEP_CHECK(Find(key, KeyOf) == nullptr, "the setting " + key + " is declared twice");
  Setting& setting = settings_.emplace_back(std::move(key), std::move(help), std::move(type));
  LOCKSTEP_CHECK(!IsOwnSwitch(setting.flag()) && setting.flag() != kConfigFlag,
                 "the name " + setting.key() + " is taken");
  return setting;
}

Setting* Schema::Find(const std::string& name, std::string (*name_of)(const Setting&)) {
  for (Setting& setting : settings_) {
    if (name_of(setting) == name) return &setting;
  }
  return nullptr;
}

absl::Status Schema::StoreAll(const std::vector<NamedValue>& values,
                              std::string (*name_of)(const Setting&), const char* what) {
  for (const NamedValue& value : values) {
    Setting* setting = Find(value.name, name_of);
    if (setting == nullptr) {
      return ErrorAt(value.value.origin, absl::StrCat("unknown ", what, "; --help shows all"));
    }
    if (absl::Status stored = setting->Store(value.value); !stored.ok()) return stored;
  }
  return absl::OkStatus();
}

absl::Status Schema::CheckRequired() const {
  for (const Setting& setting : settings_) {
    if (!setting.required() || setting.origin().kind != Origin::Kind::kDefault) continue;
    return absl::InvalidArgumentError(
        absl::StrCat(setting.key(), " is missing: give ", setting.flag(), ", ", setting.variable(),
                     ", or ", setting.key(), " in the file that ", kConfigFlag, " names"));
  }
  return absl::OkStatus();
}

FlagKind Schema::KindOf(const std::string& flag) {
  if (IsOwnSwitch(flag)) return FlagKind::kSwitch;
  if (flag == kConfigFlag) return FlagKind::kWithValue;
  const Setting* setting = Find(flag, FlagOf);
  if (setting == nullptr) return FlagKind::kUnknown;
  return setting->is_switch() ? FlagKind::kSwitch : FlagKind::kWithValue;
}

// The later sources overwrite the earlier ones.
absl::Status Schema::StoreSources(std::vector<NamedValue> flags, const char* const* environment) {
  std::vector<NamedValue> variables = ReadEnvironment(environment);
  std::optional<RawValue> path = Take(kConfigVariable, &variables);
  if (std::optional<RawValue> flag = Take(kConfigFlag, &flags)) path = std::move(flag);
  if (path.has_value()) {
    absl::StatusOr<std::vector<NamedValue>> keys = ReadYamlFile(path->text, path->origin);
    if (!keys.ok()) return keys.status();
    if (absl::Status stored = StoreAll(*keys, KeyOf, "key"); !stored.ok()) return stored;
  }
  if (absl::Status stored = StoreAll(variables, VariableOf, "variable"); !stored.ok())
    return stored;
  return StoreAll(flags, FlagOf, "flag");
}

absl::StatusOr<Parsed> Schema::Parse(int argc, const char* const* argv,
                                     const char* const* environment) {
  const std::vector<std::string> arguments(argv + (argc > 0 ? 1 : 0), argv + argc);
  absl::StatusOr<std::vector<NamedValue>> flags =
      ReadFlags(arguments, [this](const std::string& flag) { return KindOf(flag); });
  if (!flags.ok()) return flags.status();
  Parsed parsed;
  if (Take(kHelpFlag, &*flags).has_value()) {
    parsed.output = Help();
    return parsed;
  }
  if (Take(kVersionFlag, &*flags).has_value()) {
    parsed.output = absl::StrCat(program_, " ", LOCKSTEP_VERSION, "\n");
    return parsed;
  }
  const bool print = Take(kPrintFlag, &*flags).has_value();
  absl::Status stored = StoreSources(*std::move(flags), environment);
  if (!stored.ok()) return stored;
  if (absl::Status checked = CheckRequired(); !checked.ok()) return checked;
  if (print) parsed.output = ToYaml();
  for (const Setting& setting : settings_) parsed.origins[setting.key()] = setting.origin();
  return parsed;
}

std::string Schema::Help() const {
  std::string help = absl::StrCat(program_, " ", LOCKSTEP_VERSION, ": ", purpose_, "\n\n");
  absl::StrAppend(
      &help,
      "Every setting is a flag, an environment variable (--data-dir is LOCKSTEP_DATA_DIR) and a\n"
      "key of a YAML file (data_dir). Flag beats environment beats file beats default.\n\n");
  absl::StrAppend(&help, "  ", kConfigFlag, " (file, or ", kConfigVariable,
                  ")\n      the YAML file with settings\n");
  for (const Setting& setting : settings_) {
    absl::StrAppend(&help, "  ", setting.flag(), " (", setting.type());
    if (setting.required()) {
      absl::StrAppend(&help, "; required");
    } else {
      absl::StrAppend(&help, "; default ", setting.DefaultText());
    }
    absl::StrAppend(&help, ")\n      ", setting.help(), "\n");
  }
  absl::StrAppend(&help, "  ", kPrintFlag,
                  "\n      prints every setting in force, and where it is from\n  ", kVersionFlag,
                  "\n  ", kHelpFlag, "\n");
  return help;
}

std::string Schema::ToYaml() const {
  std::string yaml;
  for (const Setting& setting : settings_) absl::StrAppend(&yaml, setting.ToYaml());
  return yaml;
}

std::optional<int> ExitCode(const absl::StatusOr<Parsed>& parsed) {
  constexpr int kWrongUsage = 2;
  if (!parsed.ok()) {
    Log(LogLevel::kCritical, "wrong settings: " + std::string(parsed.status().message()));
    return kWrongUsage;
  }
  if (!parsed->output.has_value()) return std::nullopt;
  const bool written = std::fputs(parsed->output->c_str(), stdout) >= 0 && std::fflush(stdout) == 0;
  return written ? 0 : 1;
}

}  // namespace lockstep::config
