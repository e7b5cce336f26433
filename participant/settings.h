// The settings of lockstep-participant.
#ifndef LOCKSTEP_PARTICIPANT_SETTINGS_H_
#define LOCKSTEP_PARTICIPANT_SETTINGS_H_

#include <string>

#include "common/config/schema.h"
#include "common/config/server_settings.h"
#include "common/rpc/validate.h"
#include "participant/participant_options.h"

namespace lockstep::participant {

// The values are the defaults until a schema that declares them has been parsed.
struct Settings {
  Settings();

  config::ServerSettings server;
  std::string node_id;
  std::string database;
  std::string role = "MASTER";
  bool standalone = false;
  rpc::RequestLimits request;
  ParticipantOptions options;
  // As the settings are declared; Complete puts them into the two above.
  int64_t request_bytes;
  int64_t sql_bytes;
  int64_t value_bytes;
  int64_t round_bytes;
  int64_t answer_bytes;
  int queue_places;
};

// Declares them all. *settings must outlive the schema.
void Declare(Settings* settings, config::Schema* schema);

// Puts what was parsed where it is used: fills `request` and `options`.
void Complete(Settings* settings);

}  // namespace lockstep::participant

#endif  // LOCKSTEP_PARTICIPANT_SETTINGS_H_
