#include "coordinator/request_try.h"

#include <google/protobuf/io/coded_stream.h>
#include <google/protobuf/io/zero_copy_stream_impl_lite.h>

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "common/rpc/convert.h"
#include "coordinator/decision_keys.h"
#include "coordinator/endings.h"

#define XXH_INLINE_ALL
#include <xxhash.h>

namespace lockstep::coordinator {
namespace {

constexpr absl::Duration kLongestLifetime = absl::Hours(24);

// Of the operations alone. The fields of a map have no order of their own, and get one here.
BodyHash HashOf(const v1::ExecuteRequest& request) {
  std::string bytes;
  {
    google::protobuf::io::StringOutputStream stream(&bytes);
    google::protobuf::io::CodedOutputStream out(&stream);
    out.SetSerializationDeterministic(true);
    for (const v1::Operation& operation : request.operations()) {
      out.WriteVarint64(operation.ByteSizeLong());
      operation.SerializeWithCachedSizes(&out);
    }
  }
  const XXH128_hash_t hash = XXH3_128bits(bytes.data(), bytes.size());
  return {hash.low64, hash.high64};
}

Error TooFarAhead(absl::Duration ahead) {
  Error error;
  error.reason = Reason::kLimitExceeded;
  error.outcome = FailureOutcome::kNotStarted;
  error.message =
      absl::StrCat("expire_time is ", absl::FormatDuration(absl::Trunc(ahead, absl::Seconds(1))),
                   " ahead, more than the limit of ", absl::FormatDuration(kLongestLifetime));
  error.field = "expire_time";
  return error;
}

}  // namespace

Result<std::optional<RequestTry>> RequestTryOf(const v1::ExecuteRequest& request,
                                               const std::string& log_id, absl::Time now) {
  if (request.request_id().empty()) return std::optional<RequestTry>();
  RequestTry its;
  its.id = request.request_id();
  its.key = RequestKeyOf(log_id, its.id);
  its.body = HashOf(request);
  its.attempt = request.attempt();
  if (request.has_expire_time()) {
    const absl::Time expires = rpc::FromProto(request.expire_time());
    if (expires <= now) return RequestExpired(its.id);
    if (expires > now + kLongestLifetime) return TooFarAhead(expires - now);
    its.expires = expires;
  }
  return std::optional<RequestTry>(std::move(its));
}

RequestTry RequestTryOf(const v1::GetTransactionRequest& request, const std::string& log_id) {
  RequestTry its;
  its.id = request.request_id();
  its.key = RequestKeyOf(log_id, its.id);
  its.attempt = request.attempt();
  return its;
}

}  // namespace lockstep::coordinator
