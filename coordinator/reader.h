// Reads through the coordinator: finds the replica, and another one when that fails.
#ifndef LOCKSTEP_COORDINATOR_READER_H_
#define LOCKSTEP_COORDINATOR_READER_H_

#include <memory>

#include "absl/functional/any_invocable.h"
#include "absl/time/time.h"
#include "common/error.h"
#include "coordinator/coordinator.h"
#include "lockstep/v1/coordinator.pb.h"
#include "lockstep/v1/two_phase_commit.pb.h"

namespace lockstep::coordinator {

// A replica's answer.
struct ReadAnswer {
  ParticipantIndex participant = 0;
  v1::ReadResponse response;
};

// Called once; on a queue's thread or the coordinator's. Must not block.
using OnRead = absl::AnyInvocable<void(Result<ReadAnswer>)>;

// Sends `request`, of which target, timeout and at least the coordinator's least round are filled
// in, to the master if it is READY, else to any READY replica; one that cannot be reached or is not
// ready is passed over for another one, each at most once (R21). Any thread.
void ReadFromOne(Coordinator* coordinator, DatabaseIndex database, v1::ReadRequest request,
                 absl::Duration timeout, OnRead done);

// Reads the table's version on every replica, and again, a bounded number of times, as long as
// they answered at different rounds. Any thread.
void ReadTableVersions(Coordinator* coordinator, DatabaseIndex database, const std::string& table,
                       absl::Duration timeout,
                       absl::AnyInvocable<void(Result<v1::GetTableVersionResponse>)> done);

}  // namespace lockstep::coordinator

#endif  // LOCKSTEP_COORDINATOR_READER_H_
