#include "coordinator/cluster_status.h"

#include "common/check.h"
#include "common/rpc/convert.h"
#include "common/utf8.h"

namespace lockstep::coordinator {
namespace {

v1::State StateOf(ParticipantState state) {
  switch (state) {
    case ParticipantState::kReady:
      return v1::STATE_READY;
    case ParticipantState::kRecovering:
      return v1::STATE_RECOVERING;
    case ParticipantState::kUnreachable:
      return v1::STATE_UNREACHABLE;
    case ParticipantState::kRefused:
      return v1::STATE_REFUSED;
  }
  LOCKSTEP_CHECK(false, "a state that the API does not have");
}

void Fill(const ClusterNode& node, const ParticipantView& view, v1::ParticipantStatus* status) {
  status->set_node_id(node.node_id);
  status->set_database(node.database);
  status->set_role(node.role == MemberRole::kMaster ? v1::ROLE_MASTER : v1::ROLE_BACKUP);
  status->set_address(node.address);
  status->set_state(StateOf(view.state));
  status->set_state_reason(MakeValidUtf8(view.reason));
  status->set_applied_round(view.applied.value());
  status->set_durable_round(view.durable.value());
  status->set_in_doubt_round(view.in_doubt.value());
  if (view.in_doubt_since != absl::InfinitePast()) {
    rpc::ToProto(view.in_doubt_since, status->mutable_in_doubt_since());
  }
  if (view.round_trip > absl::ZeroDuration()) {
    rpc::ToProto(view.round_trip, status->mutable_round_trip());
  }
}

}  // namespace

v1::GetClusterStatusResponse ClusterStatusOf(const Engine& engine, absl::Time start_time) {
  const View view = engine.protocol().GetView();
  v1::GetClusterStatusResponse response;
  response.set_cluster_id(engine.cluster().id());
  response.set_term(view.term);
  rpc::ToProto(start_time, response.mutable_start_time());
  for (ParticipantIndex i = 0; i < engine.cluster().nodes().size(); ++i) {
    Fill(engine.cluster().node(i), view.participants[i], response.add_participants());
  }
  response.set_queue_length(static_cast<uint32_t>(view.queue_length));
  response.set_rounds_in_flight(static_cast<uint32_t>(view.rounds_in_flight));
  response.set_undelivered_decisions(static_cast<uint32_t>(view.undelivered_decisions));
  return response;
}

}  // namespace lockstep::coordinator
