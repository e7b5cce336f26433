#include "common/rpc/error_details.h"

#include <algorithm>
#include <cstdint>

#include "absl/strings/numbers.h"
#include "common/check.h"
#include "common/rpc/convert.h"
#include "common/utf8.h"
#include "google/rpc/error_details.pb.h"
#include "google/rpc/status.pb.h"
#include "lockstep/v1/error.pb.h"

namespace lockstep::rpc {
namespace {

constexpr char kDomain[] = "lockstep";
constexpr std::string_view kPrefix = "ERROR_REASON_";

// What one text may take of kMaxErrorBytes. The message gets what the others leave.
constexpr size_t kMaxValueBytes = 128;
constexpr size_t kMaxFieldBytes = 256;
constexpr size_t kMaxMessageBytes = 1024;

// Before the same call is tried again. Soon: what is in the way passes by itself within moments.
constexpr absl::Duration kSoon = absl::Milliseconds(100);
// Later: a process has to start, or somebody has to make room.
constexpr absl::Duration kLater = absl::Seconds(1);

struct ReasonRow {
  Reason reason;
  grpc::StatusCode code;
  // What RetryInfo says if the error does not; zero: a retry of the same call is not worth it.
  absl::Duration retry_delay = absl::ZeroDuration();
};

constexpr ReasonRow kReasons[] = {
    {Reason::kRequestInvalid, grpc::INVALID_ARGUMENT},
    {Reason::kSqlInvalid, grpc::INVALID_ARGUMENT},
    {Reason::kDatabaseUnknown, grpc::NOT_FOUND},
    {Reason::kTableUnknown, grpc::NOT_FOUND},
    {Reason::kStatementNotAllowed, grpc::PERMISSION_DENIED},
    {Reason::kConstraintViolation, grpc::FAILED_PRECONDITION},
    {Reason::kGuardFailed, grpc::FAILED_PRECONDITION},
    {Reason::kRequestIdReused, grpc::INVALID_ARGUMENT},
    {Reason::kAttemptOutdated, grpc::ABORTED},
    {Reason::kNodeIsReplicated, grpc::FAILED_PRECONDITION},
    {Reason::kNotReady, grpc::UNAVAILABLE, kSoon},
    {Reason::kRequestExpired, grpc::FAILED_PRECONDITION},
    {Reason::kResultNotText, grpc::FAILED_PRECONDITION},
    {Reason::kReplicasDisagree, grpc::ABORTED},
    {Reason::kTimeout, grpc::DEADLINE_EXCEEDED, kSoon},
    {Reason::kStatementTooLongRunning, grpc::DEADLINE_EXCEEDED},
    {Reason::kParticipantUnavailable, grpc::UNAVAILABLE, kLater},
    {Reason::kQueueFull, grpc::RESOURCE_EXHAUSTED, kSoon},
    {Reason::kLimitExceeded, grpc::RESOURCE_EXHAUSTED},
    {Reason::kDiskFull, grpc::RESOURCE_EXHAUSTED, kLater},
    {Reason::kOutcomeUnknown, grpc::UNAVAILABLE},
    {Reason::kTermOutdated, grpc::FAILED_PRECONDITION},
    {Reason::kRoundUnknown, grpc::FAILED_PRECONDITION},
    {Reason::kShuttingDown, grpc::UNAVAILABLE, kLater},
    {Reason::kInvariantBroken, grpc::DATA_LOSS},
    {Reason::kTransactionUnknown, grpc::NOT_FOUND},
};
static_assert(std::size(kReasons) + 1 == v1::ErrorReason_ARRAYSIZE, "one row for each reason");

const ReasonRow& RowOf(Reason reason) {
  const auto index = static_cast<size_t>(reason) - 1;
  LOCKSTEP_CHECK(index < std::size(kReasons) && kReasons[index].reason == reason,
                 "a reason that the table does not have");
  return kReasons[index];
}

const char* OutcomeName(FailureOutcome outcome) {
  switch (outcome) {
    case FailureOutcome::kAborted:
      return "ABORTED";
    case FailureOutcome::kUnknown:
      return "UNKNOWN";
    case FailureOutcome::kNotStarted:
      return "NOT_STARTED";
  }
  LOCKSTEP_CHECK(false, "an outcome without a name");
}

std::optional<FailureOutcome> OutcomeFromName(const std::string& name) {
  for (FailureOutcome outcome :
       {FailureOutcome::kAborted, FailureOutcome::kUnknown, FailureOutcome::kNotStarted}) {
    if (name == OutcomeName(outcome)) return outcome;
  }
  return std::nullopt;
}

google::rpc::ErrorInfo InfoOf(const Error& error) {
  google::rpc::ErrorInfo info;
  info.set_reason(ReasonName(error.reason));
  info.set_domain(kDomain);
  auto& metadata = *info.mutable_metadata();
  const auto put_text = [&metadata](const char* key, const std::string& text) {
    if (!text.empty()) metadata[key] = ShortText(text, kMaxValueBytes);
  };
  const auto put_number = [&metadata](const char* key, const std::optional<int>& number) {
    if (number) metadata[key] = std::to_string(*number);
  };
  if (error.outcome) metadata["outcome"] = OutcomeName(*error.outcome);
  put_text("transaction_id", error.transaction_id);
  put_text("database", error.database);
  put_text("node_id", error.node_id);
  put_number("operation", error.operation);
  put_number("statement", error.statement);
  put_number("sqlite_code", error.sqlite_code);
  put_number("sqlite_extended_code", error.sqlite_extended_code);
  put_text("expected_rows", error.expected_rows);
  if (error.actual_rows) metadata["actual_rows"] = std::to_string(*error.actual_rows);
  return info;
}

void AddDetails(const Error& error, google::rpc::Status* status) {
  status->add_details()->PackFrom(InfoOf(error));
  if (!error.field.empty()) {
    google::rpc::BadRequest bad_request;
    auto* violation = bad_request.add_field_violations();
    violation->set_field(ShortText(error.field, kMaxFieldBytes));
    violation->set_description(ShortText(error.message, kMaxFieldBytes));
    status->add_details()->PackFrom(bad_request);
  }
  const absl::Duration delay = error.retry_delay.value_or(RowOf(error.reason).retry_delay);
  if (delay > absl::ZeroDuration()) {
    google::rpc::RetryInfo retry;
    ToProto(delay, retry.mutable_retry_delay());
    status->add_details()->PackFrom(retry);
  }
}

Error ErrorOf(const google::rpc::ErrorInfo& info, Reason reason) {
  Error error;
  error.reason = reason;
  const auto text = [&info](const char* key) {
    const auto found = info.metadata().find(key);
    return found == info.metadata().end() ? std::string() : found->second;
  };
  const auto number = [&text](const char* key) -> std::optional<int> {
    int value = 0;
    if (!absl::SimpleAtoi(text(key), &value)) return std::nullopt;
    return value;
  };
  error.outcome = OutcomeFromName(text("outcome"));
  error.transaction_id = text("transaction_id");
  error.database = text("database");
  error.node_id = text("node_id");
  error.operation = number("operation");
  error.statement = number("statement");
  error.sqlite_code = number("sqlite_code");
  error.sqlite_extended_code = number("sqlite_extended_code");
  error.expected_rows = text("expected_rows");
  int64_t rows = 0;
  if (absl::SimpleAtoi(text("actual_rows"), &rows)) error.actual_rows = rows;
  return error;
}

}  // namespace

std::string ShortText(std::string_view text, size_t max_bytes) {
  constexpr std::string_view kCut = "...";
  std::string valid = MakeValidUtf8(text.substr(0, max_bytes));
  if (text.size() <= max_bytes && valid.size() <= max_bytes) return valid;
  if (max_bytes < kCut.size()) return "";
  // What substr has torn apart lies behind this.
  valid.resize(ValidUtf8Prefix(std::string_view(valid).substr(0, max_bytes - kCut.size())));
  return valid.append(kCut);
}

std::string ReasonName(Reason reason) {
  return v1::ErrorReason_Name(static_cast<int>(reason)).substr(kPrefix.size());
}

grpc::StatusCode CodeOf(Reason reason) { return RowOf(reason).code; }

std::optional<Reason> ReasonFromName(std::string_view name) {
  v1::ErrorReason reason = v1::ERROR_REASON_UNSPECIFIED;
  if (!v1::ErrorReason_Parse(std::string(kPrefix).append(name), &reason)) return std::nullopt;
  const auto index = static_cast<size_t>(reason);
  if (index == 0 || index > std::size(kReasons)) return std::nullopt;
  return static_cast<Reason>(reason);
}

void ToProto(const Error& error, google::rpc::Status* status) {
  status->Clear();
  status->set_code(CodeOf(error.reason));
  AddDetails(error, status);
  // The length of the length of the message is what is kept back.
  const size_t room = kMaxErrorBytes - std::min(kMaxErrorBytes, status->ByteSizeLong() + 4);
  status->set_message(ShortText(error.message, std::min(room, kMaxMessageBytes)));
}

grpc::Status ToStatus(const Error& error) {
  google::rpc::Status status;
  ToProto(error, &status);
  return grpc::Status(CodeOf(error.reason), status.message(), status.SerializeAsString());
}

std::optional<Error> ErrorFromProto(const google::rpc::Status& status) {
  std::optional<Error> error;
  for (const google::protobuf::Any& detail : status.details()) {
    google::rpc::ErrorInfo info;
    if (!detail.Is<google::rpc::ErrorInfo>() || !detail.UnpackTo(&info)) continue;
    const std::optional<Reason> reason = ReasonFromName(info.reason());
    if (info.domain() == kDomain && reason) error = ErrorOf(info, *reason);
  }
  if (!error) return std::nullopt;
  error->message = status.message();
  for (const google::protobuf::Any& detail : status.details()) {
    google::rpc::BadRequest bad_request;
    google::rpc::RetryInfo retry;
    if (detail.Is<google::rpc::BadRequest>() && detail.UnpackTo(&bad_request)) {
      if (bad_request.field_violations_size() > 0) {
        error->field = bad_request.field_violations(0).field();
      }
    } else if (detail.Is<google::rpc::RetryInfo>() && detail.UnpackTo(&retry)) {
      error->retry_delay = FromProto(retry.retry_delay());
    }
  }
  return error;
}

std::optional<Error> ErrorFromStatus(const grpc::Status& status) {
  google::rpc::Status details;
  if (status.error_details().empty() || !details.ParseFromString(status.error_details())) {
    return std::nullopt;
  }
  return ErrorFromProto(details);
}

}  // namespace lockstep::rpc
