#include "common/check.h"

#include "absl/time/clock.h"
#include "absl/time/time.h"
#include "common/check_hook.h"
#include "common/json_text.h"

namespace lockstep::internal {
namespace {

CheckFailureHook check_failure_hook = nullptr;

}  // namespace

void SetCheckFailureHook(CheckFailureHook hook) { check_failure_hook = hook; }

void CheckFailed(const char* file, int line, const char* condition, const std::string& message) {
  if (check_failure_hook != nullptr) check_failure_hook(message);
  // Not through the logger: it may be what is broken, and its sink may hold a lock.
  std::string json = "{\"time\":\"";
  json += absl::FormatTime("%Y-%m-%dT%H:%M:%E3SZ", absl::Now(), absl::UTCTimeZone());
  json += "\",\"level\":\"critical\",\"message\":";
  AppendJsonText("invariant broken, stopping: " + message, &json);
  json += ",\"condition\":";
  AppendJsonText(condition, &json);
  json += ",\"file\":";
  AppendJsonText(file, &json);
  json += ",\"line\":" + std::to_string(line) + "}\n";
  std::fputs(json.c_str(), stderr);
  std::fflush(stderr);
  std::abort();
}

}  // namespace lockstep::internal
