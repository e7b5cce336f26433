// Logs: one JSON object per line on standard error.
//
//   Log(LogLevel::kWarning, "participant does not answer", {{"node_id", node_id}, {"round", 5}});
//   {"time":"2026-01-01T00:00:00.000Z","level":"warning","message":"participant does not answer",
//    "node_id":"bank-1","round":5}
//
// The values of statements' parameters never go into a log, nor SQL text with literals in it.
#ifndef LOCKSTEP_COMMON_LOGGING_H_
#define LOCKSTEP_COMMON_LOGGING_H_

#include <concepts>
#include <cstdint>
#include <initializer_list>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include "absl/time/time.h"

namespace lockstep {

enum class LogLevel { kDebug, kInfo, kWarning, kError, kCritical };

// "debug", "info", "warning", "error" or "critical".
std::string_view LogLevelName(LogLevel level);
std::optional<LogLevel> ParseLogLevel(std::string_view name);

// The value of one field. Text is viewed, not copied: it must outlive the call of Log.
class LogValue {
 public:
  LogValue(const char* text) : value_(std::string_view(text)) {}         // NOLINT: a value, as text
  LogValue(std::string_view text) : value_(text) {}                      // NOLINT
  LogValue(const std::string& text) : value_(std::string_view(text)) {}  // NOLINT
  LogValue(bool value) : value_(value) {}                                // NOLINT
  LogValue(std::floating_point auto value) : value_(double{value}) {}    // NOLINT
  LogValue(std::signed_integral auto value) : value_(int64_t{value}) {}  // NOLINT
  LogValue(std::unsigned_integral auto value)                            // NOLINT
      : value_(uint64_t{value}) {}

  // Appends it as JSON. What JSON has no number for (NaN, infinities) becomes text.
  void AppendTo(std::string* out) const;

 private:
  std::variant<std::string_view, bool, int64_t, uint64_t, double> value_;
};

// Keys are lower_case_words, and none of time, level, message.
struct LogField {
  std::string_view key;
  LogValue value;
};

// Writes one line, or nothing when `level` is below the one set. Any thread; lines are never mixed.
// `message` and text values may hold any bytes.
void Log(LogLevel level, std::string_view message, std::initializer_list<LogField> fields = {});
void Log(LogLevel level, std::string_view message, const std::vector<LogField>& fields);

// Any thread. The level is kInfo until it is set.
void SetLogLevel(LogLevel level);
bool LogEnabled(LogLevel level);

// A transaction that took longer than the operator wants to see in silence.
struct SlowTransaction {
  std::string_view transaction_id;
  std::string_view request_id = {};  // empty: the client gave none
  int64_t round = 0;                 // 0: it never was in one
  absl::Duration total = {};
  // Where the time went, by the name of the stage: {"queue", …}, {"execution", …}, {"sync", …}.
  std::vector<std::pair<std::string_view, absl::Duration>> stages = {};
};

// Writes the line for it at kWarning, times in milliseconds. It takes ids and times only, so that
// neither SQL nor a parameter's value can get into it.
void LogSlowTransaction(const SlowTransaction& transaction);

}  // namespace lockstep

#endif  // LOCKSTEP_COMMON_LOGGING_H_
