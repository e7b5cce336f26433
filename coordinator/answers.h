// What participants answer, as events of the protocol.
#ifndef LOCKSTEP_COORDINATOR_ANSWERS_H_
#define LOCKSTEP_COORDINATOR_ANSWERS_H_

#include <utility>

#include "coordinator/participant_client.h"
#include "coordinator/protocol/event.h"
#include "lockstep/v1/two_phase_commit.pb.h"

namespace lockstep::coordinator {

Report ReportOf(const v1::NodeReport& report);

// Requires answer.failed.
template <typename Response>
Heard HeardFrom(ParticipantIndex participant, const Answered<Response>& answer) {
  return {participant, answer.failed->boot_id, answer.failed->durable};
}

Event EventOf(ParticipantIndex participant, RoundId round,
              const Answered<v1::CommitResponse>& answer);
Event EventOf(ParticipantIndex participant, RoundId round,
              const Answered<v1::RollbackResponse>& answer);
Event EventOf(ParticipantIndex participant, const Answered<v1::FenceResponse>& answer);
Event EventOf(ParticipantIndex participant, const Answered<v1::StatusResponse>& answer);

}  // namespace lockstep::coordinator

#endif  // LOCKSTEP_COORDINATOR_ANSWERS_H_
