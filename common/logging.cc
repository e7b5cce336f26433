#include "common/logging.h"

#include <spdlog/formatter.h>
#include <spdlog/logger.h>
#include <spdlog/sinks/stdout_sinks.h>

#include <charconv>
#include <cmath>
#include <cstdio>
#include <memory>

#include "absl/strings/str_cat.h"
#include "absl/time/time.h"
#include "common/json_text.h"

namespace lockstep {
namespace {

constexpr std::string_view kLevelNames[] = {"debug", "info", "warning", "error", "critical"};

spdlog::level::level_enum ToSpdlog(LogLevel level) {
  switch (level) {
    case LogLevel::kDebug:
      return spdlog::level::debug;
    case LogLevel::kInfo:
      return spdlog::level::info;
    case LogLevel::kWarning:
      return spdlog::level::warn;
    case LogLevel::kError:
      return spdlog::level::err;
    case LogLevel::kCritical:
      return spdlog::level::critical;
  }
  return spdlog::level::critical;
}

std::string_view NameOf(spdlog::level::level_enum level) {
  const int index = level - spdlog::level::debug;
  return kLevelNames[index < 0 ? 0 : index];
}

// spdlog's own formatter escapes nothing. The payload that this one expects is the inside of a JSON
// object already.
class JsonLineFormatter final : public spdlog::formatter {
 public:
  void format(const spdlog::details::log_msg& message, spdlog::memory_buf_t& line) override {
    const std::string time = absl::FormatTime("%Y-%m-%dT%H:%M:%E3SZ",
                                              absl::FromChrono(message.time), absl::UTCTimeZone());
    Append("{\"time\":\"", line);
    Append(time, line);
    Append("\",\"level\":\"", line);
    Append(NameOf(message.level), line);
    Append("\",", line);
    Append(std::string_view(message.payload.data(), message.payload.size()), line);
    Append("}\n", line);
  }

  std::unique_ptr<spdlog::formatter> clone() const override {
    return std::make_unique<JsonLineFormatter>();
  }

 private:
  static void Append(std::string_view text, spdlog::memory_buf_t& line) {
    line.append(text.data(), text.data() + text.size());
  }
};

void ReportLoggingError(const std::string& what) {
  std::string text;
  AppendJsonText(what, &text);
  std::fprintf(stderr, "{\"level\":\"error\",\"message\":\"a log line was lost\",\"error\":%s}\n",
               text.c_str());
}

// Not spdlog's default logger: its payloads are plain text.
spdlog::logger& Logger() {
  static const std::unique_ptr<spdlog::logger> logger = [] {
    auto made = std::make_unique<spdlog::logger>("lockstep",
                                                 std::make_shared<spdlog::sinks::stderr_sink_mt>());
    made->set_formatter(std::make_unique<JsonLineFormatter>());
    made->set_level(spdlog::level::info);
    made->set_error_handler(ReportLoggingError);
    return made;
  }();
  return *logger;
}

template <typename Fields>
void LogFields(LogLevel level, std::string_view message, const Fields& fields) {
  spdlog::logger& logger = Logger();
  if (!logger.should_log(ToSpdlog(level))) return;
  std::string payload = "\"message\":";
  AppendJsonText(message, &payload);
  for (const LogField& field : fields) {
    payload.push_back(',');
    AppendJsonText(field.key, &payload);
    payload.push_back(':');
    field.value.AppendTo(&payload);
  }
  logger.log(ToSpdlog(level), spdlog::string_view_t(payload.data(), payload.size()));
}

void AppendNumber(double value, std::string* out) {
  if (std::isfinite(value)) {
    char digits[32];
    out->append(digits, std::to_chars(digits, digits + sizeof(digits), value).ptr);
  } else if (std::isnan(value)) {
    out->append("\"NaN\"");
  } else {
    out->append(value > 0 ? "\"Infinity\"" : "\"-Infinity\"");
  }
}

}  // namespace

std::string_view LogLevelName(LogLevel level) { return NameOf(ToSpdlog(level)); }

std::optional<LogLevel> ParseLogLevel(std::string_view name) {
  for (const LogLevel level : {LogLevel::kDebug, LogLevel::kInfo, LogLevel::kWarning,
                               LogLevel::kError, LogLevel::kCritical}) {
    if (LogLevelName(level) == name) return level;
  }
  return std::nullopt;
}

void LogValue::AppendTo(std::string* out) const {
  if (const auto* text = std::get_if<std::string_view>(&value_)) {
    AppendJsonText(*text, out);
  } else if (const auto* boolean = std::get_if<bool>(&value_)) {
    out->append(*boolean ? "true" : "false");
  } else if (const auto* number = std::get_if<int64_t>(&value_)) {
    absl::StrAppend(out, *number);
  } else if (const auto* natural = std::get_if<uint64_t>(&value_)) {
    absl::StrAppend(out, *natural);
  } else {
    AppendNumber(std::get<double>(value_), out);
  }
}

void Log(LogLevel level, std::string_view message, std::initializer_list<LogField> fields) {
  LogFields(level, message, fields);
}

void Log(LogLevel level, std::string_view message, const std::vector<LogField>& fields) {
  LogFields(level, message, fields);
}

void SetLogLevel(LogLevel level) { Logger().set_level(ToSpdlog(level)); }

bool LogEnabled(LogLevel level) { return Logger().should_log(ToSpdlog(level)); }

void LogSlowTransaction(const SlowTransaction& transaction) {
  if (!LogEnabled(LogLevel::kWarning)) return;
  std::vector<std::string> keys;
  keys.reserve(transaction.stages.size());  // fields view the keys: they must not move
  std::vector<LogField> fields = {{"transaction_id", transaction.transaction_id}};
  if (!transaction.request_id.empty()) fields.push_back({"request_id", transaction.request_id});
  if (transaction.round != 0) fields.push_back({"round", transaction.round});
  fields.push_back({"total_ms", absl::ToDoubleMilliseconds(transaction.total)});
  for (const auto& [stage, time] : transaction.stages) {
    keys.push_back(std::string(stage) + "_ms");
    fields.push_back({keys.back(), absl::ToDoubleMilliseconds(time)});
  }
  Log(LogLevel::kWarning, "slow transaction", fields);
}

}  // namespace lockstep
