#include "coordinator/coordinator_service.h"

#include <algorithm>
#include <memory>
#include <optional>
#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "common/check.h"
#include "common/rpc/convert.h"
#include "coordinator/cluster_status.h"
#include "coordinator/endings.h"
#include "coordinator/reader.h"
#include "coordinator/request_try.h"
#include "coordinator/transaction.h"
#include "lockstep/v1/coordinator.grpc.pb.h"

namespace lockstep::coordinator {
namespace {

using ExecuteCall = rpc::Call<v1::ExecuteRequest, v1::ExecuteResponse>;
using QueryCall = rpc::Call<v1::QueryRequest, v1::QueryResponse>;
using TransactionCall = rpc::Call<v1::GetTransactionRequest, v1::GetTransactionResponse>;
using VersionCall = rpc::Call<v1::GetTableVersionRequest, v1::GetTableVersionResponse>;
using StatusCall = rpc::Call<v1::GetClusterStatusRequest, v1::GetClusterStatusResponse>;

constexpr int kOthersInFlight = 4'000;

Error UnknownDatabase(const std::string& database) {
  Error error;
  error.reason = Reason::kDatabaseUnknown;
  error.message = absl::StrCat("The cluster has no database ", database,
                               "; GetClusterStatus lists those that it has.");
  error.database = database;
  return error;
}

Error UnknownTransaction(const std::string& transaction_id) {
  Error error;
  error.reason = Reason::kTransactionUnknown;
  error.message = absl::StrCat(
      "Nothing is known of transaction ", transaction_id,
      ", which does not mean that it was aborted: outcomes are kept for an hour; read the data to "
      "find out.");
  error.transaction_id = transaction_id;
  return error;
}

Error UnknownRequest(const RequestTry& request) {
  Error error;
  error.reason = Reason::kTransactionUnknown;
  error.message = absl::StrCat(
      "No committed or running transaction has the request_id ", request.id,
      ", which does not mean that none ever was: answers are kept for an hour, or until their "
      "expire_time. ",
      request.attempt > 0
          ? absl::StrCat("No attempt below ", request.attempt,
                         " is taken from now on; send it again "
                         "with that one to run it.")
          : "Ask with an attempt to keep earlier ones from running, or send it again.");
  return error;
}

Error LogUnreadable(const absl::Status& status) {
  Error error;
  error.reason = Reason::kOutcomeUnknown;
  error.outcome = FailureOutcome::kUnknown;
  error.message = absl::StrCat(
      "The decision log could not be read: ", std::string(status.message()), "; ask again later.");
  return error;
}

Error MalformedId() {
  Error error;
  error.reason = Reason::kRequestInvalid;
  error.message = "transaction_id is not one that this service gave: those look like 3-1842.";
  error.field = "transaction_id";
  return error;
}

// The methods, with what they share. Lives as long as the handlers that hold it.
class CoordinatorService : public std::enable_shared_from_this<CoordinatorService> {
 public:
  CoordinatorService(Coordinator* coordinator, const rpc::RequestLimits& limits)
      : coordinator_(coordinator), limits_(limits) {}

  void Execute(ExecuteCall call) {
    const v1::ExecuteRequest& request = call.request();
    if (std::optional<Error> error = rpc::ValidateRequest(request, limits_)) {
      return call.Fail(*error);
    }
    Result<absl::Duration> timeout =
        rpc::EffectiveTimeout(request.has_timeout(), request.timeout(), call.TimeLeft(), limits_);
    if (!timeout.ok()) return call.Fail(timeout.error());
    Result<std::unique_ptr<Transaction>> made = MakeTransaction(request, coordinator_->cluster());
    if (!made.ok()) return call.Fail(made.error());
    Result<std::optional<RequestTry>> its =
        RequestTryOf(request, coordinator_->log_id(), coordinator_->clock().WallNow());
    if (!its.ok()) return call.Fail(its.error());
    std::unique_ptr<Transaction> transaction = std::move(made).value();
    transaction->request = std::move(its).value();
    // The statements are encoded: what may wait for long does not hold them twice.
    v1::ExecuteRequest().Swap(&call.request());
    transaction->arrived = coordinator_->clock().MonotonicNow();
    transaction->deadline = transaction->arrived + *timeout;
    transaction->done = [call =
                             std::move(call)](const Result<v1::ExecuteResponse>& result) mutable {
      if (result.ok()) {
        call.Finish(result.value());
      } else {
        call.Fail(result.error());
      }
    };
    coordinator_->Execute(std::move(transaction));
  }

  void Query(QueryCall call) {
    v1::QueryRequest& request = call.request();
    if (std::optional<Error> error = rpc::ValidateRequest(request, limits_)) {
      return call.Fail(*error);
    }
    Result<absl::Duration> timeout =
        rpc::EffectiveTimeout(request.has_timeout(), request.timeout(), call.TimeLeft(), limits_);
    if (!timeout.ok()) return call.Fail(timeout.error());
    const std::optional<DatabaseIndex> database =
        coordinator_->cluster().FindDatabase(request.database());
    if (!database) return call.Fail(UnknownDatabase(request.database()));
    v1::ReadRequest read;
    read.set_sql(std::move(*request.mutable_sql()));
    read.mutable_params()->Swap(request.mutable_params());
    read.mutable_named_params()->swap(*request.mutable_named_params());
    read.set_least_round(std::max(request.min_version(), int64_t{0}));
    ReadFromOne(
        coordinator_, *database, std::move(read), *timeout,
        [self = shared_from_this(), call = std::move(call)](Result<ReadAnswer> answer) mutable {
          self->AnswerQuery(std::move(call), std::move(answer));
        });
  }

  void GetTransaction(TransactionCall call) {
    if (std::optional<Error> error = rpc::ValidateRequest(call.request(), limits_)) {
      return call.Fail(*error);
    }
    if (!call.request().request_id().empty()) return GetRequest(std::move(call));
    const std::optional<TransactionId> id = ParseTransactionId(call.request().transaction_id());
    if (!id) return call.Fail(MalformedId());
    // Asked of the coordinator's thread first: what it does not run any more, the log has.
    auto shared = std::make_shared<TransactionCall>(std::move(call));
    const std::optional<Error> refused =
        coordinator_->Run([self = shared_from_this(), shared, id = *id](Engine& engine) {
          self->AskForOutcome(std::move(*shared), id, engine);
        });
    if (refused) shared->Fail(*refused);
  }

  void GetTableVersion(VersionCall call) {
    const v1::GetTableVersionRequest& request = call.request();
    if (std::optional<Error> error = rpc::ValidateRequest(request, limits_)) {
      return call.Fail(*error);
    }
    const std::optional<DatabaseIndex> database =
        coordinator_->cluster().FindDatabase(request.database());
    if (!database) return call.Fail(UnknownDatabase(request.database()));
    const absl::Duration timeout = std::min(call.TimeLeft(), limits_.default_timeout);
    const std::string table = request.table();
    ReadTableVersions(coordinator_, *database, table, timeout,
                      [call = std::move(call)](Result<v1::GetTableVersionResponse> result) mutable {
                        if (result.ok()) {
                          call.Finish(*result);
                        } else {
                          call.Fail(result.error());
                        }
                      });
  }

  void GetClusterStatus(StatusCall call) {
    auto shared = std::make_shared<StatusCall>(std::move(call));
    const std::optional<Error> refused =
        coordinator_->Run([shared, start_time = coordinator_->start_time()](Engine& engine) {
          shared->Finish(ClusterStatusOf(engine, start_time));
        });
    if (refused) shared->Fail(*refused);
  }

 private:
  void GetRequest(TransactionCall call) {
    RequestTry request = RequestTryOf(call.request(), coordinator_->log_id());
    auto shared = std::make_shared<TransactionCall>(std::move(call));
    const std::optional<Error> refused = coordinator_->Run(
        [self = shared_from_this(), shared, request = std::move(request)](Engine& engine) mutable {
          self->AskForRequest(std::move(*shared), std::move(request), engine);
        });
    if (refused) shared->Fail(*refused);
  }

  void AskForRequest(TransactionCall call, RequestTry request, Engine& engine) {
    bool has_room = false;
    RequestTable::Standing standing = engine.AskForRequest(&request, &has_room);
    Result<v1::GetTransactionResponse> uncommitted = UncommittedAnswer(request, standing, engine);
    if (!has_room) uncommitted = TooManyAttempts(engine.remembered_attempts());
    const bool runs = standing.in_flight && !engine.IdOf(standing.first).is_none();
    if (runs || standing.rounds.empty()) return Finish(std::move(call), uncommitted);
    coordinator_->FindAnswer(
        request, standing.rounds,
        [self = shared_from_this(), call = std::move(call), uncommitted = std::move(uncommitted)](
            absl::StatusOr<std::optional<StoredAnswer>> found) mutable {
          if (!found.ok()) return call.Fail(LogUnreadable(found.status()));
          if (!*found) return Finish(std::move(call), uncommitted);
          self->AnswerCommitted(std::move(call), **found);
        });
  }

  static void Finish(TransactionCall call, const Result<v1::GetTransactionResponse>& answer) {
    answer.ok() ? call.Finish(answer.value()) : call.Fail(answer.error());
  }

  // Unless it is found in the log.
  static Result<v1::GetTransactionResponse> UncommittedAnswer(
      const RequestTry& request, const RequestTable::Standing& standing, Engine& engine) {
    if (standing.in_flight) return InProgress(engine.IdOf(standing.first));
    if (!standing.aborted) return UnknownRequest(request);
    v1::GetTransactionResponse response;
    response.set_outcome(v1::OUTCOME_ABORTED);
    return response;
  }

  static v1::GetTransactionResponse InProgress(TransactionId id) {
    v1::GetTransactionResponse response;
    if (!id.is_none()) response.set_transaction_id(ToString(id));
    response.set_outcome(v1::OUTCOME_IN_PROGRESS);
    return response;
  }

  // With what the log knows of the transaction, as long as it does.
  void AnswerCommitted(TransactionCall call, const StoredAnswer& stored) {
    v1::GetTransactionResponse response;
    v1::ExecuteResponse* answer = response.mutable_answer();
    LOCKSTEP_CHECK(answer->ParseFromString(stored.answer), "a stored answer cannot be read");
    answer->set_deduplicated(true);
    response.set_transaction_id(answer->transaction_id());
    response.set_outcome(v1::OUTCOME_COMMITTED);
    const std::optional<TransactionId> id = ParseTransactionId(answer->transaction_id());
    LOCKSTEP_CHECK(id, "a stored answer without a transaction");
    coordinator_->FindOutcome(*id, [call = std::move(call), response = std::move(response)](
                                       absl::StatusOr<LoggedOutcome> outcome) mutable {
      if (!outcome.ok()) return call.Fail(LogUnreadable(outcome.status()));
      if (outcome->kind == LoggedOutcome::Kind::kCommitted) AddRecorded(*outcome, &response);
      call.Finish(response);
    });
  }

  static void AddRecorded(const LoggedOutcome& outcome, v1::GetTransactionResponse* response) {
    rpc::ToProto(outcome.decide_time, response->mutable_decide_time());
    for (const std::string& database : outcome.databases) response->add_databases(database);
  }

  void AnswerQuery(QueryCall call, Result<ReadAnswer> answer) {
    if (!answer.ok()) return call.Fail(answer.error());
    v1::QueryResponse response;
    response.mutable_columns()->Swap(answer->response.mutable_columns());
    response.mutable_rows()->Swap(answer->response.mutable_rows());
    response.set_version(answer->response.round());
    response.set_node_id(coordinator_->cluster().node(answer->participant).node_id);
    call.Finish(response);
  }

  void AskForOutcome(TransactionCall call, TransactionId id, const Engine& engine) {
    // An id that was not given yet may still be, and commit.
    if (id.term > engine.term() ||
        (id.term == engine.term() && id.sequence > engine.last_sequence())) {
      return call.Fail(UnknownTransaction(ToString(id)));
    }
    if (engine.IsRunning(id)) return call.Finish(InProgress(id));
    coordinator_->FindOutcome(
        id, [call = std::move(call), id](absl::StatusOr<LoggedOutcome> outcome) mutable {
          AnswerOutcome(std::move(call), id, outcome);
        });
  }

  static void AnswerOutcome(TransactionCall call, TransactionId id,
                            const absl::StatusOr<LoggedOutcome>& outcome) {
    if (!outcome.ok()) {
      Error error = LogUnreadable(outcome.status());
      error.transaction_id = ToString(id);
      return call.Fail(error);
    }
    if (outcome->kind == LoggedOutcome::Kind::kForgotten) {
      return call.Fail(UnknownTransaction(ToString(id)));
    }
    v1::GetTransactionResponse response;
    response.set_transaction_id(ToString(id));
    response.set_outcome(v1::OUTCOME_ABORTED);
    if (outcome->kind == LoggedOutcome::Kind::kCommitted) {
      response.set_outcome(v1::OUTCOME_COMMITTED);
      AddRecorded(*outcome, &response);
    }
    call.Finish(response);
  }

  Coordinator* const coordinator_;
  const rpc::RequestLimits limits_;
};

}  // namespace

void AddCoordinatorService(rpc::Server* server, Coordinator* coordinator,
                           const rpc::RequestLimits& limits, int most_transactions) {
  using Async = v1::CoordinatorService::AsyncService;
  auto* async = server->Add<v1::CoordinatorService>();
  auto service = std::make_shared<CoordinatorService>(coordinator, limits);
  rpc::MethodOptions execute;
  execute.waiting_per_queue = 64;
  execute.max_in_flight = most_transactions;
  execute.setting = "queue_transactions of the coordinator";
  rpc::MethodOptions other;
  other.max_in_flight = kOthersInFlight;
  server->Handle(async, &Async::RequestExecute, "Execute", execute,
                 rpc::Handler<v1::ExecuteRequest, v1::ExecuteResponse>(
                     [service](ExecuteCall call) { service->Execute(std::move(call)); }));
  server->Handle(async, &Async::RequestQuery, "Query", other,
                 rpc::Handler<v1::QueryRequest, v1::QueryResponse>(
                     [service](QueryCall call) { service->Query(std::move(call)); }));
  server->Handle(
      async, &Async::RequestGetTransaction, "GetTransaction", other,
      rpc::Handler<v1::GetTransactionRequest, v1::GetTransactionResponse>(
          [service](TransactionCall call) { service->GetTransaction(std::move(call)); }));
  server->Handle(async, &Async::RequestGetTableVersion, "GetTableVersion", other,
                 rpc::Handler<v1::GetTableVersionRequest, v1::GetTableVersionResponse>(
                     [service](VersionCall call) { service->GetTableVersion(std::move(call)); }));
  server->Handle(async, &Async::RequestGetClusterStatus, "GetClusterStatus", other,
                 rpc::Handler<v1::GetClusterStatusRequest, v1::GetClusterStatusResponse>(
                     [service](StatusCall call) { service->GetClusterStatus(std::move(call)); }));
}

}  // namespace lockstep::coordinator
