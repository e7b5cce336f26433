// The members of the cluster as the decision log records them.
#ifndef LOCKSTEP_COORDINATOR_MEMBER_TABLE_H_
#define LOCKSTEP_COORDINATOR_MEMBER_TABLE_H_

#include <set>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "common/sqlite/connection.h"
#include "coordinator/decision_log.h"

namespace lockstep::coordinator {

struct RecordedMember {
  Member member;
  RoundId durable;
};

// In the order of their places.
absl::StatusOr<std::vector<RecordedMember>> ReadMembers(sqlite::Connection* connection);

// FAILED_PRECONDITION with a sentence for the operator when the change from `recorded` to `wanted`
// touches the replicas of a database that has decided rounds: one of its nodes has a durable round,
// or is in `nodes_with_decisions`. A replica that comes later would lack those rounds.
absl::Status CheckMembershipChange(const std::vector<RecordedMember>& recorded,
                                   const std::vector<Member>& wanted,
                                   const std::set<std::string>& nodes_with_decisions);

// Within a transaction of the caller. Those that stay keep their durable rounds.
absl::Status ReplaceMembers(sqlite::Connection* connection,
                            const std::vector<RecordedMember>& recorded,
                            const std::vector<Member>& wanted);

}  // namespace lockstep::coordinator

#endif  // LOCKSTEP_COORDINATOR_MEMBER_TABLE_H_
