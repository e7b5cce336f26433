#include "common/config/value_text.h"

#include <charconv>
#include <limits>
#include <span>
#include <system_error>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "common/json_text.h"

namespace lockstep::config {
namespace {

struct Unit {
  std::string_view name;
  int64_t bytes;
};

constexpr int64_t kKibi = 1024;
constexpr Unit kUnits[] = {
    {"TiB", kKibi* kKibi* kKibi* kKibi},
    {"GiB", kKibi* kKibi* kKibi},
    {"MiB", kKibi* kKibi},
    {"KiB", kKibi},
    {"TB", 1'000'000'000'000},
    {"GB", 1'000'000'000},
    {"MB", 1'000'000},
    {"kB", 1'000},
    {"B", 1},
    {"", 1},
};
constexpr int kBinaryUnits = 4;

// What YAML readers, ours or others, take for something else than text.
constexpr const char* kYamlWords[] = {"null", "true", "false", "yes", "no", "on", "off", "y", "n"};

bool IsHarmless(std::string_view text) {
  for (const char* word : kYamlWords) {
    if (absl::EqualsIgnoreCase(std::string(text), word)) return false;
  }
  constexpr std::string_view kLetters = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ";
  constexpr std::string_view kDigits = "0123456789";
  const auto is = [](std::string_view set, char c) { return set.find(c) != set.npos; };
  if (text.empty() || !(is(kLetters, text[0]) || is("/", text[0]))) return false;
  for (const char c : text) {
    if (!is(kLetters, c) && !is(kDigits, c) && !is("_-./", c)) return false;
  }
  return true;
}

}  // namespace

std::optional<bool> ParseBool(std::string_view text) {
  for (std::string_view yes : {"true", "yes", "on", "1"}) {
    if (text == yes) return true;
  }
  for (std::string_view no : {"false", "no", "off", "0"}) {
    if (text == no) return false;
  }
  return std::nullopt;
}

std::string FormatBool(bool value) { return value ? "true" : "false"; }

std::optional<int64_t> ParseInt(std::string_view text) {
  if (text.starts_with('+')) {
    text.remove_prefix(1);
    if (text.starts_with('-')) return std::nullopt;
  }
  int64_t value = 0;
  const char* const end = text.data() + text.size();
  const auto [parsed, error] = std::from_chars(text.data(), end, value);
  if (error != std::errc() || parsed != end) return std::nullopt;
  return value;
}

std::string FormatInt(int64_t value) { return absl::StrCat(value); }

std::optional<absl::Duration> ParseDuration(std::string_view text) {
  absl::Duration value;
  if (!absl::ParseDuration(std::string(text), &value)) return std::nullopt;
  return value;
}

std::optional<int64_t> ParseByteSize(std::string_view text) {
  const size_t digits = text.find_first_not_of("0123456789");
  const std::optional<int64_t> count = ParseInt(text.substr(0, digits));
  if (!count.has_value()) return std::nullopt;
  const std::string_view unit_name = digits == text.npos ? "" : text.substr(digits);
  for (const Unit& unit : kUnits) {
    if (unit.name != unit_name) continue;
    if (*count > std::numeric_limits<int64_t>::max() / unit.bytes) return std::nullopt;
    return *count * unit.bytes;
  }
  return std::nullopt;
}

std::string FormatByteSize(int64_t bytes) {
  if (bytes == 0) return "0";
  for (const Unit& unit : std::span(kUnits).first<kBinaryUnits>()) {
    if (bytes % unit.bytes == 0) return absl::StrCat(bytes / unit.bytes, std::string(unit.name));
  }
  return absl::StrCat(bytes);
}

std::string FormatYamlText(std::string_view text) {
  if (IsHarmless(text)) return std::string(text);
  std::string quoted;
  AppendJsonText(text, &quoted);
  return quoted;
}

}  // namespace lockstep::config
