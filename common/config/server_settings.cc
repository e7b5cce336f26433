#include "common/config/server_settings.h"

#include <optional>
#include <vector>

#include "absl/strings/str_cat.h"
#include "common/check.h"
#include "common/config/address.h"

namespace lockstep::config {
namespace {

bool ListensOnLoopback(const ServerSettings& settings) {
  const absl::StatusOr<Address> address = ParseAddress(settings.listen);
  return address.ok() && IsLoopback(address->host);
}

std::string OriginOf(const Parsed& parsed, const std::string& key) {
  const auto found = parsed.origins.find(key);
  return found == parsed.origins.end() ? "default" : found->second.Describe();
}

}  // namespace

void DeclareServerSettings(ServerSettings* settings, Schema* schema) {
  schema->Address("listen", &settings->listen, "where to accept calls, as host:port");
  schema->Bool("insecure", &settings->insecure,
               "accept calls without TLS from other machines: whoever reaches the port can read "
               "and write everything");
  schema
      ->String("cluster_id", &settings->cluster_id,
               "the name of the cluster, the same on its coordinator and all its participants")
      .Required();
  schema
      ->String("data_dir", &settings->data_dir,
               "the directory with this server's files; no other process may touch them")
      .Required();
  schema->Choice("log_level", &settings->log_level,
                 {"debug", "info", "warning", "error", "critical"},
                 "the least important lines that are still logged");
  schema->Duration("shutdown_timeout", &settings->shutdown_timeout, absl::ZeroDuration(),
                   absl::Minutes(10), "how long calls may still run after SIGTERM");
}

absl::Status CheckServerSettings(const ServerSettings& settings, const Parsed& parsed) {
  if (settings.insecure || ListensOnLoopback(settings)) return absl::OkStatus();
  return absl::InvalidArgumentError(absl::StrCat(
      "listen: ", settings.listen, " (", OriginOf(parsed, "listen"),
      ") is reachable from other machines, and there is no TLS: listen on a loopback address such "
      "as 127.0.0.1, or give --insecure if the network is private"));
}

void ApplyServerSettings(const ServerSettings& settings) {
  const std::optional<LogLevel> level = ParseLogLevel(settings.log_level);
  LOCKSTEP_CHECK(level.has_value(), "no such log level: " + settings.log_level);
  SetLogLevel(*level);
  if (settings.insecure && !ListensOnLoopback(settings)) {
    Log(LogLevel::kWarning,
        "listening without TLS: whoever reaches this port can read and write everything",
        {{"listen", settings.listen}});
  }
}

}  // namespace lockstep::config
