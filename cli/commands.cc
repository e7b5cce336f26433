#include "cli/commands.h"

#include <google/protobuf/util/json_util.h>
#include <grpcpp/grpcpp.h>

#include <algorithm>
#include <memory>
#include <ostream>

#include "absl/strings/str_cat.h"
#include "cli/connection.h"
#include "cli/table.h"
#include "common/check.h"
#include "common/round_id.h"
#include "lockstep/v1/coordinator.grpc.pb.h"
#include "lockstep/v1/participant.grpc.pb.h"

namespace lockstep::cli {
namespace {

constexpr absl::Duration kConnectPatience = absl::Seconds(5);
// The server ends a call by its timeout; the deadline behind it is for a server that is gone, and
// must not cut off an answer that says more.
constexpr absl::Duration kGrace = absl::Seconds(5);

void SetTimeout(absl::Duration timeout, google::protobuf::Duration* message) {
  const int64_t nanoseconds = absl::ToInt64Nanoseconds(timeout);
  message->set_seconds(nanoseconds / 1'000'000'000);
  message->set_nanos(static_cast<int32_t>(nanoseconds % 1'000'000'000));
}

absl::Duration FromProto(const google::protobuf::Duration& message) {
  return absl::Seconds(message.seconds()) + absl::Nanoseconds(message.nanos());
}

std::string Time(const google::protobuf::Timestamp& message) {
  return absl::FormatTime("%Y-%m-%dT%H:%M:%SZ", absl::FromUnixSeconds(message.seconds()),
                          absl::UTCTimeZone());
}

// "3.42": round 42 of term 3.
std::string Round(int64_t value) {
  if (value <= 0) return "-";
  const RoundId round = RoundId::FromValue(value);
  return absl::StrCat(round.term(), ".", round.number());
}

// An enum value's name without its prefix: READY.
template <typename Enum>
std::string ShortName(const std::string& name, Enum value, const std::string& prefix) {
  if (name.empty()) return absl::StrCat(static_cast<int>(value));
  return name.starts_with(prefix) ? name.substr(prefix.size()) : name;
}

std::string NameOf(v1::State state) { return ShortName(v1::State_Name(state), state, "STATE_"); }
std::string NameOf(v1::Role role) { return ShortName(v1::Role_Name(role), role, "ROLE_"); }

std::string Rows(int64_t count) { return absl::StrCat(count, count == 1 ? " row" : " rows"); }

void PrintResult(const std::string& database, const v1::StatementResult& result,
                 std::ostream* out) {
  if (result.columns().empty()) {
    *out << database << ": " << Rows(result.rows_affected()) << " affected\n";
    return;
  }
  *out << database << ": " << Rows(result.rows_size()) << "\n"
       << MakeTable(result.columns(), result.rows()).Render();
}

}  // namespace

// Connects, calls, and on failure prints why.
template <typename Service, typename Request, typename Response>
Exit Commands::Call(grpc::Status (Service::Stub::*method)(grpc::ClientContext*, const Request&,
                                                          Response*),
                    const Request& request, CallKind kind, Response* response) {
  std::shared_ptr<grpc::Channel> channel;
  grpc::Status status =
      Connect(settings_.endpoint, std::min(settings_.timeout, kConnectPatience), &channel);
  // Nothing was sent: even a transaction's outcome is known.
  if (!status.ok()) return Fail(status, CallKind::kRead);
  grpc::ClientContext context;
  SetDeadline(settings_.timeout + kGrace, &context);
  const auto stub = Service::NewStub(channel);
  status = (stub.get()->*method)(&context, request, response);
  return status.ok() ? Exit::kDone : Fail(status, kind);
}

Exit Commands::Fail(const grpc::Status& status, CallKind kind) {
  LOCKSTEP_CHECK(!status.ok(), "a failure has a status");
  *err_ << Describe(status, kind, settings_.format, source_, request_id_);
  return ExitOf(status, kind);
}

bool Commands::PrintedAsJson(const google::protobuf::Message& message) {
  if (settings_.format != Format::kJson) return false;
  google::protobuf::util::JsonPrintOptions options;
  options.add_whitespace = true;
  options.always_print_primitive_fields = true;
  std::string json;
  const auto status = google::protobuf::util::MessageToJsonString(message, &json, options);
  LOCKSTEP_CHECK(status.ok(), "an answer that was read can be written");
  *out_ << json;
  return true;
}

Exit Commands::Execute(v1::ExecuteRequest request, const SourceLines& source) {
  Settings settings = settings_;
  if (request.has_timeout()) {
    settings.timeout = FromProto(request.timeout());
  } else {
    SetTimeout(settings_.timeout, request.mutable_timeout());
  }
  Commands with_time(settings, out_, err_);
  with_time.source_ = source;
  with_time.request_id_ = request.request_id();
  v1::ExecuteResponse response;
  const Exit exit = with_time.Call<v1::CoordinatorService>(
      &v1::CoordinatorService::Stub::Execute, request, CallKind::kTransaction, &response);
  if (exit != Exit::kDone || PrintedAsJson(response)) return exit;
  for (const v1::OperationResult& operation : response.results()) {
    for (const v1::StatementResult& result : operation.statements()) {
      PrintResult(operation.database(), result, out_);
    }
  }
  *out_ << "committed " << response.transaction_id()
        << (response.deduplicated() ? " before, by the same request_id" : "") << "\n";
  return exit;
}

Exit Commands::Query(v1::QueryRequest request) {
  SetTimeout(settings_.timeout, request.mutable_timeout());
  v1::QueryResponse response;
  const Exit exit = Call<v1::CoordinatorService>(&v1::CoordinatorService::Stub::Query, request,
                                                 CallKind::kRead, &response);
  if (exit != Exit::kDone || PrintedAsJson(response)) return exit;
  *out_ << MakeTable(response.columns(), response.rows()).Render();
  return exit;
}

Exit Commands::ClusterStatus() {
  v1::GetClusterStatusResponse response;
  const Exit exit =
      Call<v1::CoordinatorService>(&v1::CoordinatorService::Stub::GetClusterStatus,
                                   v1::GetClusterStatusRequest(), CallKind::kRead, &response);
  if (exit != Exit::kDone || PrintedAsJson(response)) return exit;
  *out_ << "cluster " << response.cluster_id() << ", term " << response.term() << ", up since "
        << Time(response.start_time()) << "\n"
        << "transactions waiting " << response.queue_length() << ", rounds in flight "
        << response.rounds_in_flight() << ", decisions undelivered "
        << response.undelivered_decisions() << "\n\n";
  Table table({"database", "node", "role", "state", "applied", "durable", "in doubt", "round trip",
               "address", "reason"});
  for (const v1::ParticipantStatus& node : response.participants()) {
    const absl::Duration trip = absl::Trunc(FromProto(node.round_trip()), absl::Microseconds(1));
    table.AddRow({node.database(), node.node_id(), NameOf(node.role()), NameOf(node.state()),
                  Round(node.applied_round()), Round(node.durable_round()),
                  Round(node.in_doubt_round()),
                  node.has_round_trip() ? absl::FormatDuration(trip) : "-", node.address(),
                  node.state_reason()});
  }
  *out_ << table.Render();
  return exit;
}

Exit Commands::GetTransaction(const v1::GetTransactionRequest& request) {
  v1::GetTransactionResponse response;
  const Exit exit = Call<v1::CoordinatorService>(&v1::CoordinatorService::Stub::GetTransaction,
                                                 request, CallKind::kRead, &response);
  if (exit != Exit::kDone || PrintedAsJson(response)) return exit;
  // An id whose tries were all aborted has no transaction.
  *out_ << (response.transaction_id().empty() ? request.request_id() : response.transaction_id())
        << " " << ShortName(v1::Outcome_Name(response.outcome()), response.outcome(), "OUTCOME_");
  if (response.has_decide_time()) *out_ << " at " << Time(response.decide_time());
  *out_ << "\n";
  for (const std::string& database : response.databases()) *out_ << "  " << database << "\n";
  return exit;
}

Exit Commands::TableVersion(const std::string& database, const std::string& table) {
  v1::GetTableVersionRequest request;
  request.set_database(database);
  request.set_table(table);
  v1::GetTableVersionResponse response;
  const Exit exit = Call<v1::CoordinatorService>(&v1::CoordinatorService::Stub::GetTableVersion,
                                                 request, CallKind::kRead, &response);
  if (exit != Exit::kDone || PrintedAsJson(response)) return exit;
  Table rows({"node", "version", "read at"});
  rows.SetNumeric(1);
  for (const v1::ReplicaTableVersion& node : response.participants()) {
    rows.AddRow({node.node_id(), absl::StrCat(node.table_version()), Round(node.round())});
  }
  *out_ << rows.Render();
  if (!response.has_replicas_agree()) {
    *out_ << "replicas were not all read at the same round\n";
  } else {
    *out_ << (response.replicas_agree() ? "replicas agree\n" : "REPLICAS DISAGREE\n");
  }
  return exit;
}

Exit Commands::Health(bool alive) {
  std::shared_ptr<grpc::Channel> channel;
  grpc::Status status =
      Connect(settings_.endpoint, std::min(settings_.timeout, kConnectPatience), &channel);
  if (!status.ok()) return Fail(status, CallKind::kRead);
  const grpc::Status serving = CheckServing(channel, settings_.timeout);

  // gRPC's health service alone says SERVING before the program had a say.
  grpc::ClientContext context;
  SetDeadline(settings_.timeout, &context);
  v1::CheckHealthResponse node;
  status = v1::ParticipantService::NewStub(channel)->CheckHealth(&context, {}, &node);
  if (status.ok()) {
    const bool ready = node.state() == v1::STATE_READY;
    if (PrintedAsJson(node)) return ready || alive ? Exit::kDone : Exit::kRefused;
    *out_ << "participant " << node.node_id() << " of database " << node.database() << " "
          << NameOf(node.state()) << "\n";
    if (ready || alive) return Exit::kDone;
    return Fail({grpc::StatusCode::FAILED_PRECONDITION, "the participant is not READY"},
                CallKind::kRead);
  }
  if (status.error_code() != grpc::StatusCode::UNIMPLEMENTED) return Fail(status, CallKind::kRead);
  if (!serving.ok()) return Fail(serving, CallKind::kRead);

  grpc::ClientContext again;
  SetDeadline(settings_.timeout, &again);
  v1::GetClusterStatusResponse cluster;
  status = v1::CoordinatorService::NewStub(channel)->GetClusterStatus(&again, {}, &cluster);
  if (!status.ok()) return Fail(status, CallKind::kRead);
  if (!PrintedAsJson(cluster)) {
    *out_ << "coordinator of cluster " << cluster.cluster_id() << " SERVING\n";
  }
  return Exit::kDone;
}

}  // namespace lockstep::cli
