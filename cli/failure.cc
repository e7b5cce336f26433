#include "cli/failure.h"

#include <map>
#include <optional>

#include "absl/strings/ascii.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "common/json_text.h"
#include "google/rpc/error_details.pb.h"
#include "google/rpc/status.pb.h"

namespace lockstep::cli {
namespace {

struct Details {
  std::string reason;
  std::map<std::string, std::string> metadata;
  google::rpc::BadRequest bad_request;
};

// Not common/rpc's reader: a reason that a newer server sends is to be shown too.
std::optional<Details> ReadDetails(const grpc::Status& status) {
  google::rpc::Status message;
  if (status.error_details().empty() || !message.ParseFromString(status.error_details())) {
    return std::nullopt;
  }
  std::optional<Details> details;
  google::rpc::BadRequest bad_request;
  for (const auto& any : message.details()) {
    google::rpc::ErrorInfo info;
    if (any.Is<google::rpc::ErrorInfo>() && any.UnpackTo(&info) && info.domain() == "lockstep") {
      details.emplace();
      details->reason = info.reason();
      details->metadata.insert(info.metadata().begin(), info.metadata().end());
    } else if (any.Is<google::rpc::BadRequest>()) {
      any.UnpackTo(&bad_request);
    }
  }
  if (details) details->bad_request = bad_request;
  return details;
}

const char* CodeName(grpc::StatusCode code) {
  static constexpr const char* kNames[] = {"OK",
                                           "CANCELLED",
                                           "UNKNOWN",
                                           "INVALID_ARGUMENT",
                                           "DEADLINE_EXCEEDED",
                                           "NOT_FOUND",
                                           "ALREADY_EXISTS",
                                           "PERMISSION_DENIED",
                                           "RESOURCE_EXHAUSTED",
                                           "FAILED_PRECONDITION",
                                           "ABORTED",
                                           "OUT_OF_RANGE",
                                           "UNIMPLEMENTED",
                                           "INTERNAL",
                                           "UNAVAILABLE",
                                           "DATA_LOSS",
                                           "UNAUTHENTICATED"};
  const auto index = static_cast<size_t>(code);
  return index < std::size(kNames) ? kNames[index] : "UNKNOWN";
}

// Without Lockstep's details the error is gRPC's own: only some of its codes say that the call
// never ran.
Exit ExitOfForeign(grpc::StatusCode code, CallKind kind) {
  switch (code) {
    case grpc::StatusCode::INVALID_ARGUMENT:
    case grpc::StatusCode::UNIMPLEMENTED:
    case grpc::StatusCode::UNAUTHENTICATED:
    case grpc::StatusCode::PERMISSION_DENIED:
    case grpc::StatusCode::NOT_FOUND:
      return Exit::kRefused;
    case grpc::StatusCode::UNAVAILABLE:
    case grpc::StatusCode::DEADLINE_EXCEEDED:
    case grpc::StatusCode::CANCELLED:
      return kind == CallKind::kTransaction ? Exit::kUnknown : Exit::kUnreachable;
    default:
      return kind == CallKind::kTransaction ? Exit::kUnknown : Exit::kRefused;
  }
}

const char* Headline(Exit exit, const std::optional<Details>& details) {
  if (exit == Exit::kUnreachable) return "no answer";
  if (exit == Exit::kUnknown) return "outcome unknown";
  if (details) {
    const auto outcome = details->metadata.find("outcome");
    if (outcome != details->metadata.end() && outcome->second == "ABORTED") return "aborted";
  }
  return "refused";
}

// The line of the statement that failed.
std::optional<int> LineOf(const std::optional<Details>& details, const SourceLines& source) {
  if (!details) return std::nullopt;
  const auto statement = details->metadata.find("statement");
  size_t index = 0;
  if (statement == details->metadata.end() || !absl::SimpleAtoi(statement->second, &index) ||
      index >= source.lines.size()) {
    return std::nullopt;
  }
  return source.lines[index];
}

// What to do about an outcome that is unknown.
std::string Advice(const std::optional<Details>& details, const std::string& request_id) {
  if (!request_id.empty()) {
    return "Send it again with the same --request-id and a higher --attempt: what was committed is "
           "not applied twice.";
  }
  const bool named = details && details->metadata.count("transaction_id") > 0;
  return named ? "Ask with: lockstep tx get " + details->metadata.at("transaction_id")
               : "Look at the data before trying again.";
}

std::string DescribeAsText(const grpc::Status& status, Exit exit,
                           const std::optional<Details>& details, const SourceLines& source,
                           const std::string& request_id) {
  std::string text = absl::StrCat("lockstep: ", Headline(exit, details), ": ",
                                  details ? details->reason : CodeName(status.error_code()), ": ",
                                  status.error_message(), "\n");
  if (const auto line = LineOf(details, source)) {
    absl::StrAppend(&text, "  at ", source.file, ":", *line, "\n");
  }
  if (details) {
    for (const auto& violation : details->bad_request.field_violations()) {
      absl::StrAppend(&text, "  ", violation.field(), ": ", violation.description(), "\n");
    }
    for (const auto& [key, value] : details->metadata) {
      absl::StrAppend(&text, "  ", key, ": ", value, "\n");
    }
  }
  if (exit == Exit::kUnknown) absl::StrAppend(&text, "  ", Advice(details, request_id), "\n");
  return text;
}

std::string DescribeAsJson(const grpc::Status& status, Exit exit,
                           const std::optional<Details>& details, const SourceLines& source) {
  std::string json = absl::StrCat("{\"exit\":", static_cast<int>(exit), ",\"code\":\"",
                                  CodeName(status.error_code()), "\",\"message\":");
  AppendJsonText(status.error_message(), &json);
  if (const auto line = LineOf(details, source)) {
    json += ",\"file\":";
    AppendJsonText(source.file, &json);
    absl::StrAppend(&json, ",\"line\":", *line);
  }
  if (details) {
    json += ",\"reason\":";
    AppendJsonText(details->reason, &json);
    json += ",\"metadata\":{";
    bool first = true;
    for (const auto& [key, value] : details->metadata) {
      if (!first) json += ',';
      first = false;
      AppendJsonText(key, &json);
      json += ':';
      AppendJsonText(value, &json);
    }
    json += '}';
  }
  return json + "}\n";
}

}  // namespace

Exit ExitOf(const grpc::Status& status, CallKind kind) {
  const auto details = ReadDetails(status);
  if (!details) return ExitOfForeign(status.error_code(), kind);
  const auto outcome = details->metadata.find("outcome");
  const bool unknown = details->reason == "OUTCOME_UNKNOWN" ||
                       (outcome != details->metadata.end() && outcome->second == "UNKNOWN");
  return unknown && kind == CallKind::kTransaction ? Exit::kUnknown : Exit::kRefused;
}

std::string Describe(const grpc::Status& status, CallKind kind, Format format,
                     const SourceLines& source, const std::string& request_id) {
  const Exit exit = ExitOf(status, kind);
  const auto details = ReadDetails(status);
  return format == Format::kJson ? DescribeAsJson(status, exit, details, source)
                                 : DescribeAsText(status, exit, details, source, request_id);
}

}  // namespace lockstep::cli
