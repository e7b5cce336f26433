#include "participant/participant_service.h"

#include <limits>
#include <utility>

#include "common/rpc/convert.h"
#include "lockstep/v1/participant.grpc.pb.h"
#include "participant/edge.h"

namespace lockstep::participant {
namespace {

using ClientService = v1::ParticipantService::AsyncService;
using HealthCall = rpc::Call<v1::CheckHealthRequest, v1::CheckHealthResponse>;
using ExecuteCall =
    rpc::Call<v1::ParticipantServiceExecuteRequest, v1::ParticipantServiceExecuteResponse>;
using SelectCall =
    rpc::Call<v1::ParticipantServiceQueryRequest, v1::ParticipantServiceQueryResponse>;
using VersionCall = rpc::Call<v1::GetVersionRequest, v1::GetVersionResponse>;

class ClientEdge {
 public:
  ClientEdge(ParticipantHandle handle, rpc::RequestLimits limits)
      : handle_(std::move(handle)), limits_(std::move(limits)) {}

  void CheckHealth(HealthCall call) const;
  void Execute(ExecuteCall call) const;
  void Query(SelectCall call) const;
  void GetVersion(VersionCall call) const;

 private:
  // Validates, and gives the time that the call has; or answers the call itself.
  template <typename Call>
  std::optional<absl::Duration> Admit(Call* call) const;

  const ParticipantHandle handle_;
  const rpc::RequestLimits limits_;
};

template <typename Call>
std::optional<absl::Duration> ClientEdge::Admit(Call* call) const {
  const auto& request = call->request();
  if (rpc::Violation wrong = rpc::ValidateRequest(request, limits_)) {
    call->Fail(*wrong);
    return std::nullopt;
  }
  Result<absl::Duration> timeout =
      rpc::EffectiveTimeout(request.has_timeout(), request.timeout(), call->TimeLeft(), limits_);
  if (timeout.ok()) return *timeout;
  call->Fail(timeout.error());
  return std::nullopt;
}

void ClientEdge::CheckHealth(HealthCall call) const {
  handle_.CheckHealth([handle = handle_, call = std::move(call)](Result<Health> health) mutable {
    if (!health.ok()) return call.Fail(health.error());
    const NodeReport report = handle.Report();
    v1::CheckHealthResponse response;
    response.set_node_id(handle.name().node_id);
    response.set_database(handle.name().database);
    response.set_role(static_cast<v1::Role>(handle.name().role));
    response.set_state(report.ready ? v1::STATE_READY : v1::STATE_RECOVERING);
    response.set_busy(health->busy);
    response.set_applied_round(report.applied.value());
    response.set_durable_round(report.durable.value());
    response.set_wal_bytes(report.wal_bytes);
    response.set_mailbox_length(health->mailbox_length);
    response.set_syncs(report.syncs);
    response.set_prepared_rounds(report.prepared_rounds);
    call.Finish(response);
  });
}

void ClientEdge::Execute(ExecuteCall call) const {
  const std::optional<absl::Duration> timeout = Admit(&call);
  if (!timeout) return;
  LocalCall local;
  local.statements = rpc::FromProto(std::move(*call.request().mutable_statements()));
  local.timeout = *timeout;
  handle_.Execute(std::move(local),
                  [call = std::move(call)](Result<std::vector<StatementResult>> results) mutable {
                    if (!results.ok()) return call.Fail(results.error());
                    v1::ParticipantServiceExecuteResponse response;
                    for (StatementResult& result : *results) {
                      rpc::ToProto(std::move(result), response.add_statements());
                    }
                    call.Finish(response);
                  });
}

void ClientEdge::Query(SelectCall call) const {
  const std::optional<absl::Duration> timeout = Admit(&call);
  if (!timeout) return;
  QueryCall query;
  query.least_round = RoundId::FromValue(call.request().min_version());
  query.timeout = *timeout;
  query.select = rpc::StatementOf(&call.request());
  handle_.Query(std::move(query),
                [handle = handle_, call = std::move(call)](Result<QueryRows> rows) mutable {
                  if (!rows.ok()) return call.Fail(rows.error());
                  v1::ParticipantServiceQueryResponse response;
                  response.set_version(rows->round.value());
                  response.set_node_id(handle.name().node_id);
                  TakeRows(std::move(*rows), &response);
                  call.Finish(response);
                });
}

void ClientEdge::GetVersion(VersionCall call) const {
  if (rpc::Violation wrong = rpc::ValidateRequest(call.request(), limits_)) {
    return call.Fail(*wrong);
  }
  const Result<absl::Duration> timeout = rpc::EffectiveTimeout(false, {}, call.TimeLeft(), limits_);
  if (!timeout.ok()) return call.Fail(timeout.error());
  QueryCall query;
  query.version_of_table = std::move(*call.request().mutable_table());
  query.timeout = timeout.value();
  handle_.Query(std::move(query), [call = std::move(call)](Result<QueryRows> rows) mutable {
    if (!rows.ok()) return call.Fail(rows.error());
    v1::GetVersionResponse response;
    response.set_table_version(rows->table_version);
    response.set_round(rows->round.value());
    call.Finish(response);
  });
}

}  // namespace

void AddParticipantService(const ParticipantHandle& handle, const rpc::RequestLimits& limits,
                           rpc::Server* server) {
  auto* service = server->Add<v1::ParticipantService>();
  const auto edge = std::make_shared<const ClientEdge>(handle, limits);
  rpc::MethodOptions options;
  // The participant refuses what it has no place for.
  options.max_in_flight = std::numeric_limits<int>::max();
  server->Handle(service, &ClientService::RequestCheckHealth, "CheckHealth", options,
                 rpc::Handler<v1::CheckHealthRequest, v1::CheckHealthResponse>(
                     [edge](HealthCall call) { edge->CheckHealth(std::move(call)); }));
  server->Handle(
      service, &ClientService::RequestExecute, "Execute", options,
      rpc::Handler<v1::ParticipantServiceExecuteRequest, v1::ParticipantServiceExecuteResponse>(
          [edge](ExecuteCall call) { edge->Execute(std::move(call)); }));
  server->Handle(
      service, &ClientService::RequestQuery, "Query", options,
      rpc::Handler<v1::ParticipantServiceQueryRequest, v1::ParticipantServiceQueryResponse>(
          [edge](SelectCall call) { edge->Query(std::move(call)); }));
  server->Handle(service, &ClientService::RequestGetVersion, "GetVersion", options,
                 rpc::Handler<v1::GetVersionRequest, v1::GetVersionResponse>(
                     [edge](VersionCall call) { edge->GetVersion(std::move(call)); }));
}

}  // namespace lockstep::participant
