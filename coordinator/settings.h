// The settings of lockstep-coordinator.
#ifndef LOCKSTEP_COORDINATOR_SETTINGS_H_
#define LOCKSTEP_COORDINATOR_SETTINGS_H_

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "common/config/schema.h"
#include "common/config/server_settings.h"
#include "common/rpc/validate.h"
#include "coordinator/cluster.h"
#include "coordinator/coordinator.h"
#include "coordinator/sqlite_decision_log.h"

namespace lockstep::coordinator {

// The values are the defaults until a schema that declares them has been parsed.
struct Settings {
  Settings();

  config::ServerSettings server;
  std::vector<config::ListEntry> cluster;
  rpc::RequestLimits request;
  int64_t request_bytes;
  int64_t sql_bytes;
  int64_t value_bytes;
  int64_t result_bytes;
  int queue_transactions;
  int64_t queue_bytes;
  int64_t kept_answer_bytes;
  int remembered_attempts;
  int round_transactions;
  int64_t round_bytes;
  absl::Duration round_execution_time;
  absl::Duration slow_transaction_threshold = absl::Seconds(1);
  int64_t least_free_bytes;
  int64_t reserve_bytes;
};

// Declares them all. *settings must outlive the schema.
void Declare(Settings* settings, config::Schema* schema);

// What was parsed, in the form in which it is used.
rpc::RequestLimits RequestLimitsOf(const Settings& settings);
CoordinatorOptions CoordinatorOptionsOf(const Settings& settings);
SqliteDecisionLogOptions LogOptionsOf(const Settings& settings);
// INVALID_ARGUMENT that names where the list came from, when it cannot be a cluster.
absl::StatusOr<Cluster> ClusterOf(const Settings& settings, const config::Parsed& parsed);

}  // namespace lockstep::coordinator

#endif  // LOCKSTEP_COORDINATOR_SETTINGS_H_
