// The errors that a participant answers with.
#ifndef LOCKSTEP_PARTICIPANT_ERRORS_H_
#define LOCKSTEP_PARTICIPANT_ERRORS_H_

#include <cstddef>
#include <cstdint>
#include <string>

#include "absl/status/status.h"
#include "common/error.h"
#include "participant/calls.h"
#include "participant/node_report.h"
#include "participant/protocol/decision.h"
#include "participant/protocol/state.h"

namespace lockstep::participant {

// What the protocol refused, in words. `round` is the one asked for, `term` the sender's; none and
// 0 where there is none. The outcome is NOT_STARTED.
Error RefusedBy(Refusal refusal, const State& state, Term term, RoundId round,
                const NodeIdentity& name);

// The same of a Fence, which also names the run of the coordinator that it comes from.
Error FenceRefusedBy(Refusal refusal, const State& state, const FenceCall& call,
                     const NodeIdentity& name);

// The caller means another node or other data than this; `field` is the path of what differs.
Error NotMeantForThisNode(const std::string& field, const std::string& theirs,
                          const std::string& ours, const NodeIdentity& name);

// A Fence that makes the node one of `replicas`, but it holds what the others do not.
Error HasDataOfItsOwn(uint32_t replicas, const NodeIdentity& name);

// A Prepare without branches.
Error NothingToPrepare(const NodeIdentity& name);
// A branch of a Prepare whose clock is no time.
Error ClockInvalid(int branch, const NodeIdentity& name);

// The storage could not do `what`, and nothing has changed. The outcome is left open. Ends the
// process if the database is damaged.
Error FromStorage(const absl::Status& status, const std::string& what, const NodeIdentity& name);

// The local transaction or read waited until its time was over.
Error WaitedTooLong(const std::string& for_what, const NodeIdentity& name);

Error QueueFull(const std::string& which, size_t limit, const NodeIdentity& name);
Error ShuttingDown(const NodeIdentity& name);

}  // namespace lockstep::participant

#endif  // LOCKSTEP_PARTICIPANT_ERRORS_H_
