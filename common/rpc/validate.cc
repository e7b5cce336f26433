#include "common/rpc/validate.h"

#include <algorithm>
#include <cmath>
#include <string_view>
#include <utility>

#include "absl/container/flat_hash_set.h"
#include "common/rpc/channel.h"
#include "common/rpc/convert.h"

namespace lockstep::rpc {
namespace {

static_assert(2 * kHighestLimitBytes <= kMaxInternalBytes);

// Where in a request something is. The path is made only for what is wrong: one for every value of
// every request would cost more than the checks.
struct Place {
  std::optional<int> operation = std::nullopt;
  std::optional<int> statement = std::nullopt;

  std::string Path(const std::string& field) const {
    std::string path;
    if (operation) path += "operations[" + std::to_string(*operation) + "].";
    if (statement) path += "statements[" + std::to_string(*statement) + "].";
    return path + field;
  }
};

Error NotStarted(Reason reason, const Place& place, std::string message) {
  Error error;
  error.reason = reason;
  error.message = std::move(message);
  error.outcome = FailureOutcome::kNotStarted;
  error.operation = place.operation;
  error.statement = place.statement;
  return error;
}

Error Invalid(const Place& place, const std::string& field, const std::string& what) {
  Error error = NotStarted(Reason::kRequestInvalid, place, place.Path(field) + " " + what);
  error.field = place.Path(field);
  return error;
}

// `setting`: the one that the server's operator raises it with.
Error OverLimit(const Place& place, const std::string& what, size_t asked, size_t limit,
                const char* unit, const char* setting) {
  return NotStarted(Reason::kLimitExceeded, place,
                    place.Path(what) + " has " + std::to_string(asked) + " " + unit +
                        ", more than the limit of " + std::to_string(limit) + " (" + setting + ")");
}

constexpr size_t kLongestRequestId = 64;

template <typename Field>
Violation ValidateValue(const v1::Value& value, const Place& place, const RequestLimits& limits,
                        Field field) {
  size_t bytes = 0;
  if (value.has_real_value() && std::isnan(value.real_value())) {
    return Invalid(place, field(), "is NaN, which SQLite cannot store; send NULL");
  }
  if (value.has_text_value()) bytes = value.text_value().size();
  if (value.has_blob_value()) bytes = value.blob_value().size();
  if (bytes <= limits.value_bytes) return std::nullopt;
  return OverLimit(place, field(), bytes, limits.value_bytes, "bytes", "max_value_bytes");
}

// The three fields of a statement, in whichever message they are.
template <typename Message>
Violation ValidateSql(const Message& message, const Place& place, const RequestLimits& limits) {
  if (message.sql().empty()) return Invalid(place, "sql", "is empty; give one SQL statement");
  if (message.sql().size() > limits.sql_bytes) {
    return OverLimit(place, "sql", message.sql().size(), limits.sql_bytes, "bytes",
                     "max_sql_bytes");
  }
  if (message.params_size() > 0 && message.named_params_size() > 0) {
    return Invalid(place, "named_params", "and params are both set; give parameters one way");
  }
  for (int i = 0; i < message.params_size(); ++i) {
    const auto field = [i] { return "params[" + std::to_string(i) + "]"; };
    if (auto violation = ValidateValue(message.params(i), place, limits, field)) return violation;
  }
  for (const auto& [name, value] : message.named_params()) {
    if (name.empty()) return Invalid(place, "named_params", "has an empty name");
    const auto field = [&key = name] { return "named_params[\"" + key + "\"]"; };
    if (auto violation = ValidateValue(value, place, limits, field)) return violation;
  }
  return std::nullopt;
}

Violation ValidateGuard(const v1::Statement& statement, const Place& place) {
  if (!statement.has_expect()) return std::nullopt;
  const v1::RowExpectation& expect = statement.expect();
  if (expect.has_rows() && (expect.has_min_rows() || expect.has_max_rows())) {
    return Invalid(place, "expect.rows", "and min_rows or max_rows are both set; give one of them");
  }
  if (!expect.has_rows() && !expect.has_min_rows() && !expect.has_max_rows()) {
    return Invalid(place, "expect", "is empty; give rows, min_rows or max_rows");
  }
  if (expect.has_min_rows() && expect.has_max_rows() && expect.min_rows() > expect.max_rows()) {
    return Invalid(place, "expect.min_rows",
                   "is above max_rows: no number of rows is between them");
  }
  return std::nullopt;
}

template <typename Request>
Violation ValidateSize(const Request& request, const RequestLimits& limits) {
  const size_t bytes = request.ByteSizeLong();
  if (bytes <= limits.request_bytes) return std::nullopt;
  return OverLimit({}, "the request", bytes, limits.request_bytes, "bytes", "max_request_bytes");
}

template <typename Request>
Violation ValidateQuery(const Request& request, const RequestLimits& limits) {
  if (auto violation = ValidateSize(request, limits)) return violation;
  if (request.min_version() < 0) return Invalid({}, "min_version", "is negative");
  return ValidateSql(request, {}, limits);
}

Violation ValidateTable(const std::string& table, const char* field, const RequestLimits& limits) {
  if (table.empty()) return Invalid({}, field, "is empty; name a table");
  if (table.size() <= limits.sql_bytes) return std::nullopt;
  return OverLimit({}, field, table.size(), limits.sql_bytes, "bytes", "max_sql_bytes");
}

Violation ValidateDatabase(const std::string& database, const Place& place) {
  if (!database.empty()) return std::nullopt;
  return Invalid(place, "database", "is empty; name a database of the cluster");
}

template <typename Request>
Violation ValidateRequestId(const Request& request) {
  const std::string& id = request.request_id();
  if (id.empty()) {
    return request.has_attempt() ? Invalid({}, "attempt", "is set without a request_id")
                                 : Violation();
  }
  const bool is_printable =
      std::all_of(id.begin(), id.end(), [](char c) { return c >= ' ' && c <= '~'; });
  if (is_printable && id.size() <= kLongestRequestId) return std::nullopt;
  return Invalid({}, "request_id", "is not 1 to 64 printable ASCII characters");
}

Violation ValidateExpireTime(const v1::ExecuteRequest& request) {
  if (!request.has_expire_time()) return std::nullopt;
  if (request.request_id().empty()) {
    return Invalid({}, "expire_time", "is set without a request_id");
  }
  if (IsValid(request.expire_time())) return std::nullopt;
  return Invalid({}, "expire_time", "is not a valid Timestamp");
}

Violation ValidateCounts(const v1::ExecuteRequest& request, const RequestLimits& limits) {
  size_t statements = 0;
  absl::flat_hash_set<std::string_view> databases;
  for (const v1::Operation& operation : request.operations()) {
    statements += static_cast<size_t>(operation.statements_size());
    // Most transactions are too short to exceed it.
    if (request.operations_size() > limits.databases) databases.insert(operation.database());
  }
  const auto most_statements = static_cast<size_t>(limits.statements);
  const auto most_databases = static_cast<size_t>(limits.databases);
  if (statements > most_statements) {
    return OverLimit({}, "the transaction", statements, most_statements, "statements",
                     "max_statements");
  }
  if (databases.size() > most_databases) {
    return OverLimit({}, "the transaction", databases.size(), most_databases, "databases",
                     "max_databases");
  }
  return std::nullopt;
}

}  // namespace

bool IsValid(const google::protobuf::Timestamp& time) {
  return time.seconds() >= -62'135'596'800 && time.seconds() <= 253'402'300'799 &&
         time.nanos() >= 0 && time.nanos() <= 999'999'999;
}

Violation ValidateStatements(const google::protobuf::RepeatedPtrField<v1::Statement>& statements,
                             std::optional<int> operation, const RequestLimits& limits) {
  if (statements.empty()) {
    return Invalid({.operation = operation}, "statements", "is empty; give at least one");
  }
  for (int i = 0; i < statements.size(); ++i) {
    const Place place{.operation = operation, .statement = i};
    if (auto violation = ValidateGuard(statements[i], place)) return violation;
    if (auto violation = ValidateSql(statements[i], place, limits)) return violation;
  }
  return std::nullopt;
}

Violation ValidateRequest(const v1::ExecuteRequest& request, const RequestLimits& limits) {
  if (auto violation = ValidateSize(request, limits)) return violation;
  if (auto violation = ValidateRequestId(request)) return violation;
  if (auto violation = ValidateExpireTime(request)) return violation;
  if (request.operations().empty()) {
    return Invalid({}, "operations", "is empty; give at least one operation");
  }
  if (auto violation = ValidateCounts(request, limits)) return violation;
  for (int i = 0; i < request.operations_size(); ++i) {
    const v1::Operation& operation = request.operations(i);
    if (auto violation = ValidateDatabase(operation.database(), {.operation = i})) return violation;
    if (auto violation = ValidateStatements(operation.statements(), i, limits)) return violation;
  }
  return std::nullopt;
}

Violation ValidateRequest(const v1::QueryRequest& request, const RequestLimits& limits) {
  if (auto violation = ValidateDatabase(request.database(), {})) return violation;
  return ValidateQuery(request, limits);
}

Violation ValidateRequest(const v1::GetTransactionRequest& request, const RequestLimits&) {
  if (auto violation = ValidateRequestId(request)) return violation;
  if (!request.request_id().empty() && !request.transaction_id().empty()) {
    return Invalid({}, "request_id", "and transaction_id are both set; give one of them");
  }
  if (!request.request_id().empty() || !request.transaction_id().empty()) return std::nullopt;
  return Invalid({}, "transaction_id",
                 "is empty, and so is request_id; give the one that Execute answered or got");
}

Violation ValidateRequest(const v1::GetTableVersionRequest& request, const RequestLimits& limits) {
  if (auto violation = ValidateDatabase(request.database(), {})) return violation;
  return ValidateTable(request.table(), "table", limits);
}

Violation ValidateRequest(const v1::ParticipantServiceExecuteRequest& request,
                          const RequestLimits& limits) {
  if (auto violation = ValidateSize(request, limits)) return violation;
  const auto statements = static_cast<size_t>(request.statements_size());
  if (statements > static_cast<size_t>(limits.statements)) {
    return OverLimit({}, "the transaction", statements, static_cast<size_t>(limits.statements),
                     "statements", "max_statements");
  }
  return ValidateStatements(request.statements(), std::nullopt, limits);
}

Violation ValidateRequest(const v1::ParticipantServiceQueryRequest& request,
                          const RequestLimits& limits) {
  return ValidateQuery(request, limits);
}

Violation ValidateRequest(const v1::GetVersionRequest& request, const RequestLimits& limits) {
  return ValidateTable(request.table(), "table", limits);
}

Violation ValidateRequest(const v1::ReadRequest& request, const RequestLimits& limits) {
  if (request.least_round() < 0) return Invalid({}, "least_round", "is negative");
  if (request.version_of_table().empty()) return ValidateSql(request, {}, limits);
  if (!request.sql().empty()) {
    return Invalid({}, "version_of_table", "and sql are both set; give one of them");
  }
  return ValidateTable(request.version_of_table(), "version_of_table", limits);
}

Result<absl::Duration> EffectiveTimeout(bool has_timeout, const google::protobuf::Duration& timeout,
                                        absl::Duration peer_time_left,
                                        const RequestLimits& limits) {
  absl::Duration time = limits.default_timeout;
  if (has_timeout) {
    time = FromProto(timeout);
    if (time <= absl::ZeroDuration()) {
      return Invalid({}, "timeout", "is not above zero; leave it unset for the default");
    }
    if (time > limits.max_timeout) {
      return NotStarted(Reason::kLimitExceeded, {},
                        "timeout is " + absl::FormatDuration(time) + ", more than the limit of " +
                            absl::FormatDuration(limits.max_timeout) + " (max_timeout)");
    }
  }
  if (peer_time_left <= absl::ZeroDuration()) {
    return NotStarted(Reason::kTimeout, {}, "the call's deadline had passed when it arrived");
  }
  return std::min({time, peer_time_left, limits.max_timeout});
}

}  // namespace lockstep::rpc
