#include "participant/two_phase_commit_service.h"

#include <limits>
#include <memory>
#include <utility>

#include "common/rpc/convert.h"
#include "common/rpc/node_metadata.h"
#include "lockstep/v1/two_phase_commit.grpc.pb.h"
#include "participant/edge.h"
#include "participant/errors.h"
#include "participant/round_body.h"

namespace lockstep::participant {
namespace {

using TwoPhaseService = v1::TwoPhaseCommitService::AsyncService;

template <typename AnyCall>
void FailWithReport(AnyCall* call, const NodeReport& report, const Error& error) {
  rpc::AddNodeMetadata(call, {report.boot_id, report.durable});
  call->Fail(error);
}

template <typename Response, typename AnyCall>
void FinishWithReport(AnyCall* call, const NodeReport& report, Response* response) {
  rpc::AddNodeMetadata(call, {report.boot_id, report.durable});
  ToProto(report, response->mutable_report());
  call->Finish(*response);
}

Target TargetOf(v1::Target* target) {
  return {std::move(*target->mutable_cluster_id()), std::move(*target->mutable_node_id()),
          target->term()};
}

class TwoPhaseEdge {
 public:
  TwoPhaseEdge(ParticipantHandle handle, rpc::RequestLimits limits, size_t record_bytes)
      : handle_(std::move(handle)), limits_(std::move(limits)), record_bytes_(record_bytes) {}

  using PrepareRpc = rpc::Call<v1::PrepareRequest, v1::PrepareResponse>;
  using CommitRpc = rpc::Call<v1::CommitRequest, v1::CommitResponse>;
  using RollbackRpc = rpc::Call<v1::RollbackRequest, v1::RollbackResponse>;
  using FenceRpc = rpc::Call<v1::FenceRequest, v1::FenceResponse>;
  using StatusRpc = rpc::Call<v1::StatusRequest, v1::StatusResponse>;
  using ReadRpc = rpc::Call<v1::ReadRequest, v1::ReadResponse>;

  void Prepare(PrepareRpc call) const;
  void Commit(CommitRpc call) const;
  void Rollback(RollbackRpc call) const;
  void Fence(FenceRpc call) const;
  void Status(StatusRpc call) const;
  void Read(ReadRpc call) const;

 private:
  // The answer to a call that has nothing to say but the report.
  template <typename Response, typename AnyCall>
  Done<Ok> AnswerWithReport(AnyCall call) const {
    return [handle = handle_, call = std::move(call)](Result<Ok> result) mutable {
      const NodeReport report = handle.Report();
      if (!result.ok()) return FailWithReport(&call, report, result.error());
      Response response;
      FinishWithReport(&call, report, &response);
    };
  }

  const ParticipantHandle handle_;
  const rpc::RequestLimits limits_;
  const size_t record_bytes_;
};

void TwoPhaseEdge::Prepare(PrepareRpc call) const {
  v1::PrepareRequest& request = call.request();
  if (request.branches().empty()) {
    return FailWithReport(&call, handle_.Report(), NothingToPrepare(handle_.name()));
  }
  for (int i = 0; i < request.branches_size(); ++i) {
    if (rpc::IsValid(request.branches(i).clock())) continue;
    return FailWithReport(&call, handle_.Report(), ClockInvalid(i, handle_.name()));
  }
  PrepareCall prepare;
  prepare.target = TargetOf(request.mutable_target());
  prepare.round = RoundId::FromValue(request.round());
  // Before the branches are moved out of it: what is recorded is what came.
  prepare.body =
      RoundBody::Encode(handle_.name().cluster_id, handle_.name().node_id, request, record_bytes_);
  prepare.branches = rpc::BranchesOf(&request);
  handle_.Prepare(std::move(prepare),
                  [handle = handle_, call = std::move(call)](Result<Votes> votes) mutable {
                    const NodeReport report = handle.Report();
                    if (!votes.ok()) return FailWithReport(&call, report, votes.error());
                    v1::PrepareResponse response;
                    response.mutable_votes()->Reserve(static_cast<int>(votes->votes->size()));
                    for (const BranchVote& vote : *votes->votes)
                      ToProto(vote, response.add_votes());
                    rpc::ToProto(votes->queue_time, response.mutable_queue_time());
                    rpc::ToProto(votes->sync_time, response.mutable_sync_time());
                    FinishWithReport(&call, report, &response);
                  });
}

void TwoPhaseEdge::Commit(CommitRpc call) const {
  v1::CommitRequest& request = call.request();
  CommitCall commit;
  commit.target = TargetOf(request.mutable_target());
  commit.round = RoundId::FromValue(request.round());
  if (request.has_cut()) commit.cut = request.cut();
  handle_.Commit(std::move(commit), AnswerWithReport<v1::CommitResponse>(std::move(call)));
}

void TwoPhaseEdge::Rollback(RollbackRpc call) const {
  v1::RollbackRequest& request = call.request();
  RollbackCall rollback;
  rollback.target = TargetOf(request.mutable_target());
  rollback.round = RoundId::FromValue(request.round());
  handle_.Rollback(std::move(rollback), AnswerWithReport<v1::RollbackResponse>(std::move(call)));
}

void TwoPhaseEdge::Fence(FenceRpc call) const {
  v1::FenceRequest& request = call.request();
  FenceCall fence;
  fence.target = TargetOf(request.mutable_target());
  fence.log_id = std::move(*request.mutable_log_id());
  fence.database = std::move(*request.mutable_database());
  fence.role = request.role();
  fence.replicas = request.replicas();
  fence.data_format = request.data_format();
  fence.boot_id = request.boot_id();
  fence.earlier_boot_ids.assign(request.earlier_boot_ids().begin(),
                                request.earlier_boot_ids().end());
  handle_.Fence(std::move(fence), AnswerWithReport<v1::FenceResponse>(std::move(call)));
}

void TwoPhaseEdge::Status(StatusRpc call) const {
  const NodeReport report = handle_.Report();
  const StatusCall status{TargetOf(call.request().mutable_target())};
  if (std::optional<Error> refused = handle_.Status(status)) {
    return FailWithReport(&call, report, *refused);
  }
  v1::StatusResponse response;
  FinishWithReport(&call, report, &response);
}

void TwoPhaseEdge::Read(ReadRpc call) const {
  v1::ReadRequest& request = call.request();
  if (rpc::Violation wrong = rpc::ValidateRequest(request, limits_)) {
    return FailWithReport(&call, handle_.Report(), *wrong);
  }
  const Result<absl::Duration> timeout =
      rpc::EffectiveTimeout(request.has_timeout(), request.timeout(), call.TimeLeft(), limits_);
  if (!timeout.ok()) return FailWithReport(&call, handle_.Report(), timeout.error());
  ReadCall read;
  read.target = TargetOf(request.mutable_target());
  read.query.least_round = RoundId::FromValue(request.least_round());
  read.query.timeout = timeout.value();
  read.query.version_of_table = std::move(*request.mutable_version_of_table());
  if (read.query.version_of_table.empty()) read.query.select = rpc::StatementOf(&request);
  handle_.Read(std::move(read),
               [handle = handle_, call = std::move(call)](Result<QueryRows> rows) mutable {
                 const NodeReport report = handle.Report();
                 if (!rows.ok()) return FailWithReport(&call, report, rows.error());
                 v1::ReadResponse response;
                 response.set_round(rows->round.value());
                 TakeRows(std::move(*rows), &response);
                 FinishWithReport(&call, report, &response);
               });
}

}  // namespace

void AddTwoPhaseCommitService(const ParticipantHandle& handle, const rpc::RequestLimits& limits,
                              size_t record_bytes, rpc::Server* server) {
  auto* service = server->Add<v1::TwoPhaseCommitService>();
  const auto edge = std::make_shared<const TwoPhaseEdge>(handle, limits, record_bytes);
  const rpc::MethodOptions options;
  rpc::MethodOptions reads;
  // The participant refuses what it has no place for.
  reads.max_in_flight = std::numeric_limits<int>::max();
  server->Handle(service, &TwoPhaseService::RequestPrepare, "Prepare", options,
                 rpc::Handler<v1::PrepareRequest, v1::PrepareResponse>(
                     [edge](TwoPhaseEdge::PrepareRpc call) { edge->Prepare(std::move(call)); }));
  server->Handle(service, &TwoPhaseService::RequestCommit, "Commit", options,
                 rpc::Handler<v1::CommitRequest, v1::CommitResponse>(
                     [edge](TwoPhaseEdge::CommitRpc call) { edge->Commit(std::move(call)); }));
  server->Handle(service, &TwoPhaseService::RequestRollback, "Rollback", options,
                 rpc::Handler<v1::RollbackRequest, v1::RollbackResponse>(
                     [edge](TwoPhaseEdge::RollbackRpc call) { edge->Rollback(std::move(call)); }));
  server->Handle(service, &TwoPhaseService::RequestFence, "Fence", options,
                 rpc::Handler<v1::FenceRequest, v1::FenceResponse>(
                     [edge](TwoPhaseEdge::FenceRpc call) { edge->Fence(std::move(call)); }));
  server->Handle(service, &TwoPhaseService::RequestStatus, "Status", options,
                 rpc::Handler<v1::StatusRequest, v1::StatusResponse>(
                     [edge](TwoPhaseEdge::StatusRpc call) { edge->Status(std::move(call)); }));
  server->Handle(service, &TwoPhaseService::RequestRead, "Read", reads,
                 rpc::Handler<v1::ReadRequest, v1::ReadResponse>(
                     [edge](TwoPhaseEdge::ReadRpc call) { edge->Read(std::move(call)); }));
}

}  // namespace lockstep::participant
