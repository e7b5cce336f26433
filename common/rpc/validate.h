// What a request must be like before anything of it runs. Any thread.
//
// Each returns the first thing wrong, as REQUEST_INVALID with the field's path or LIMIT_EXCEEDED
// with the limit and what was asked, outcome NOT_STARTED; nullopt when all is well.
#ifndef LOCKSTEP_COMMON_RPC_VALIDATE_H_
#define LOCKSTEP_COMMON_RPC_VALIDATE_H_

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>

#include "absl/time/time.h"
#include "common/error.h"
#include "lockstep/v1/coordinator.pb.h"
#include "lockstep/v1/participant.pb.h"
#include "lockstep/v1/two_phase_commit.pb.h"

namespace lockstep::rpc {

// The highest limit of a request, a value in it or an answer: a round has to carry at least one,
// and takes what the servers of a cluster send each other.
inline constexpr int64_t kHighestLimitBytes = int64_t{256} << 20;

struct RequestLimits {
  int statements = 1000;  // of a transaction
  int databases = 64;     // of a transaction
  size_t sql_bytes = 100'000;
  size_t value_bytes = 8 << 20;
  size_t request_bytes = 16 << 20;
  absl::Duration default_timeout = absl::Seconds(10);
  absl::Duration max_timeout = absl::Seconds(60);
};

using Violation = std::optional<Error>;

// Whether it is what google.protobuf.Timestamp may be: in the years 1 to 9999.
bool IsValid(const google::protobuf::Timestamp& time);

// The statements of one operation, or of a request that is no more than statements (`operation`
// unset). Not how many there are in all.
Violation ValidateStatements(const google::protobuf::RepeatedPtrField<v1::Statement>& statements,
                             std::optional<int> operation, const RequestLimits& limits);

// A whole request, but not whether its databases exist and not its timeout.
Violation ValidateRequest(const v1::ExecuteRequest& request, const RequestLimits& limits);
Violation ValidateRequest(const v1::QueryRequest& request, const RequestLimits& limits);
Violation ValidateRequest(const v1::GetTransactionRequest& request, const RequestLimits& limits);
Violation ValidateRequest(const v1::GetTableVersionRequest& request, const RequestLimits& limits);
Violation ValidateRequest(const v1::ParticipantServiceExecuteRequest& request,
                          const RequestLimits& limits);
Violation ValidateRequest(const v1::ParticipantServiceQueryRequest& request,
                          const RequestLimits& limits);
Violation ValidateRequest(const v1::GetVersionRequest& request, const RequestLimits& limits);
// ReadRequest: either sql or version_of_table.
Violation ValidateRequest(const v1::ReadRequest& request, const RequestLimits& limits);

// The time that the call has: the least of `timeout`, the caller's deadline (`peer_time_left`,
// infinite for none) and the limit; without a timeout in the request the default one instead of it.
// A timeout of zero or less is REQUEST_INVALID, one above the limit LIMIT_EXCEEDED; a deadline that
// has passed is TIMEOUT.
Result<absl::Duration> EffectiveTimeout(bool has_timeout, const google::protobuf::Duration& timeout,
                                        absl::Duration peer_time_left, const RequestLimits& limits);

}  // namespace lockstep::rpc

#endif  // LOCKSTEP_COMMON_RPC_VALIDATE_H_
