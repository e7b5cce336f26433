// The settings that both servers have, and the rule about listening without TLS.
#ifndef LOCKSTEP_COMMON_CONFIG_SERVER_SETTINGS_H_
#define LOCKSTEP_COMMON_CONFIG_SERVER_SETTINGS_H_

#include <string>

#include "absl/status/status.h"
#include "absl/time/time.h"
#include "common/config/schema.h"
#include "common/logging.h"

namespace lockstep::config {

// The values are the defaults until Schema::Parse has filled them.
struct ServerSettings {
  std::string listen;  // host:port; each server has its own default
  bool insecure = false;
  std::string cluster_id;
  std::string data_dir;
  std::string log_level = "info";
  absl::Duration shutdown_timeout = absl::Seconds(10);
};

// Declares them: listen, insecure, cluster_id and data_dir (both required), log_level,
// shutdown_timeout. *settings, its default of `listen` set, must outlive the schema.
void DeclareServerSettings(ServerSettings* settings, Schema* schema);

// What no single value shows, to be asked after Schema::Parse: without TLS, and without
// --insecure, a server listens only on a loopback address. Names both in the message.
absl::Status CheckServerSettings(const ServerSettings& settings, const Parsed& parsed);

// Sets the log level, and says once when everyone on the network can read and write everything.
void ApplyServerSettings(const ServerSettings& settings);

}  // namespace lockstep::config

#endif  // LOCKSTEP_COMMON_CONFIG_SERVER_SETTINGS_H_
