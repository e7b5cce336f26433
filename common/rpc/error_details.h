// Errors on the wire: google.rpc.Status with ErrorInfo, BadRequest and RetryInfo.
//
// All text that leaves here is valid UTF-8, whatever came in. Any thread.
#ifndef LOCKSTEP_COMMON_RPC_ERROR_DETAILS_H_
#define LOCKSTEP_COMMON_RPC_ERROR_DETAILS_H_

#include <grpcpp/support/status.h>

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>

#include "common/error.h"

namespace google::rpc {
class Status;
}

namespace lockstep::rpc {

// The message and all details of one error, in bytes on the wire, never exceed this: all metadata
// of a call shares 8 KiB, and above it the caller would see another error in place of this one.
inline constexpr size_t kMaxErrorBytes = 2048;

// "REQUEST_INVALID" and so on: ErrorInfo.reason.
std::string ReasonName(Reason reason);
// The gRPC code that goes with the reason.
grpc::StatusCode CodeOf(Reason reason);
// nullopt for a name that this version does not know.
std::optional<Reason> ReasonFromName(std::string_view name);

// The error as a call's answer. Texts that are too long are cut.
grpc::Status ToStatus(const Error& error);
// The error inside another message, such as a vote.
void ToProto(const Error& error, google::rpc::Status* status);

// nullopt if the status carries no ErrorInfo of Lockstep: then it comes from gRPC itself, or from
// another program.
std::optional<Error> ErrorFromStatus(const grpc::Status& status);
std::optional<Error> ErrorFromProto(const google::rpc::Status& status);

// `text` made valid UTF-8, at most `max_bytes` long; what is cut ends with "...".
std::string ShortText(std::string_view text, size_t max_bytes);

}  // namespace lockstep::rpc

#endif  // LOCKSTEP_COMMON_RPC_ERROR_DETAILS_H_
