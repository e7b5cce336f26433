// What statements of clients may not do.
#ifndef LOCKSTEP_PARTICIPANT_EXECUTION_SANDBOX_H_
#define LOCKSTEP_PARTICIPANT_EXECUTION_SANDBOX_H_

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "common/sqlite/connection.h"
#include "common/sqlite/hooks.h"
#include "participant/execution/failure.h"
#include "participant/execution/limits.h"

namespace lockstep::participant {

// What is known of a statement.
enum StatementTag : uint32_t {
  kChangesSchema = 1,  // begins with CREATE, DROP or ALTER
  kUsesChanges = 2,    // was seen to call changes(), perhaps in a trigger
  kIsAlter = 4,        // begins with ALTER
};

// Judges statements while it is armed: the owner of the connection arms it around preparing and
// stepping a client's statement (SQLite prepares again inside a step), and so keeps its own rights.
//
// Thread: the connection's.
class Sandbox final : public sqlite::Authorizer {
 public:
  // Sets the switches and limits of a connection that clients' statements run on. The length of SQL
  // is not limited: SQLite's own texts are longer than clients', and so is a schema that grew.
  static absl::Status Restrict(sqlite::Connection* connection, const ExecutionLimits& limits);
  // Sets the limit of values and rows, or takes it off.
  static void SetValueLimit(sqlite::Connection* connection, const ExecutionLimits& limits,
                            bool limited);

  // Finds the virtual tables that no client could have made, but a file that was changed by other
  // programs may have: they are out of reach. Requires a connection that is not armed.
  absl::Status FindForeignTables(sqlite::Connection* connection);

  // Forgets what it saw of the statement before. `known_tags` is what is known of this one.
  void Arm(uint32_t known_tags) {
    armed_ = true;
    tags_ = known_tags;
    refusal_.clear();
  }
  void Disarm() { armed_ = false; }
  // What is known since Arm.
  uint32_t tags() const { return tags_; }
  // What was refused first since Arm; null when nothing was.
  FailurePtr Refusal() const;
  bool refused() const { return !refusal_.empty(); }

  bool Authorize(const sqlite::AccessRequest& request) override;

 private:
  bool is_alter() const { return (tags_ & kIsAlter) != 0; }
  bool Deny(std::string_view what);
  bool JudgeDatabase(const sqlite::AccessRequest& request);
  bool JudgeTable(std::string_view table);
  bool JudgeRead(const sqlite::AccessRequest& request);
  bool JudgeSchemaChange(const sqlite::AccessRequest& request);
  bool JudgeFunction(std::string_view function);
  bool JudgePragma(const sqlite::AccessRequest& request);

  std::vector<std::string> foreign_tables_;
  bool armed_ = false;
  uint32_t tags_ = 0;
  std::string refusal_;
};

}  // namespace lockstep::participant

#endif  // LOCKSTEP_PARTICIPANT_EXECUTION_SANDBOX_H_
