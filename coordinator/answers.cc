#include "coordinator/answers.h"

#include "common/rpc/convert.h"

namespace lockstep::coordinator {
namespace {

// Only this says that it is not the node that we mean. A participant that cannot answer now will do
// so later, and what the network or somebody else's server answers says nothing of it.
bool IsStranger(const FailedCall& failed) {
  return failed.failure == CallFailure::kRefused && failed.error.reason == Reason::kRequestInvalid;
}

}  // namespace

Report ReportOf(const v1::NodeReport& report) {
  Report result;
  result.boot_id = report.boot_id();
  result.applied = RoundId::FromValue(report.applied_round());
  result.durable = RoundId::FromValue(report.durable_round());
  result.term = report.term();
  if (report.has_prepared()) {
    result.prepared = RoundId::FromValue(report.prepared().round());
    result.in_doubt = report.prepared().in_doubt();
    result.prepared_since = rpc::FromProto(report.prepared().since());
  }
  return result;
}

Event EventOf(ParticipantIndex participant, RoundId round,
              const Answered<v1::CommitResponse>& answer) {
  if (answer.failed) return CommitFailed{participant, round, answer.failed->failure};
  return CommitAnswered{participant, round, ReportOf(answer.response.report())};
}

Event EventOf(ParticipantIndex participant, RoundId round,
              const Answered<v1::RollbackResponse>& answer) {
  if (answer.failed) return RollbackFailed{participant, round, answer.failed->failure};
  return RollbackAnswered{participant, round, ReportOf(answer.response.report())};
}

Event EventOf(ParticipantIndex participant, const Answered<v1::FenceResponse>& answer) {
  if (!answer.failed) return FenceAnswered{participant, ReportOf(answer.response.report())};
  const FailedCall& failed = *answer.failed;
  if (IsStranger(failed)) return FenceRefused{participant, failed.error.message};
  return FenceFailed{participant, failed.failure, failed.error.message};
}

Event EventOf(ParticipantIndex participant, const Answered<v1::StatusResponse>& answer) {
  if (answer.failed) return StatusFailed{participant, answer.failed->failure};
  return StatusAnswered{participant, ReportOf(answer.response.report())};
}

}  // namespace lockstep::coordinator
