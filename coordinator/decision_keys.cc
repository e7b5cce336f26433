#include "coordinator/decision_keys.h"

#include <algorithm>
#include <random>

#include "absl/strings/str_cat.h"
#include "common/checksum.h"

namespace lockstep::coordinator {
namespace {

constexpr int kBucketBits = 8;

}  // namespace

int64_t KeyOf(TransactionId id) { return RoundId::Make(id.term, id.sequence).value(); }

TransactionId IdOf(int64_t key) {
  const RoundId id = RoundId::FromValue(key);
  return {id.term(), id.number()};
}

int64_t BucketOf(TransactionId id) { return KeyOf(id) >> kBucketBits; }

std::vector<int64_t> BucketsOf(const std::vector<TransactionId>& ids) {
  std::vector<int64_t> buckets;
  for (const TransactionId id : ids) {
    const int64_t bucket = BucketOf(id);
    if (std::find(buckets.begin(), buckets.end(), bucket) == buckets.end()) {
      buckets.push_back(bucket);
    }
  }
  return buckets;
}

int64_t ChecksumOf(RoundId round, const std::string& body) {
  return static_cast<int64_t>(Checksum(body, static_cast<uint64_t>(round.value())));
}

absl::Status CheckBody(RoundId round, const std::string& body, int64_t checksum) {
  if (ChecksumOf(round, body) == checksum) return absl::OkStatus();
  return absl::DataLossError(
      absl::StrCat("the decision record of round ", round.value(), " is damaged"));
}

RequestKey RequestKeyOf(const std::string& log_id, std::string_view request_id) {
  return Checksum(request_id, Checksum(log_id));
}

std::string DrawLogId() {
  std::random_device device;
  std::string id;
  for (int word = 0; word < 4; ++word) {
    absl::StrAppend(&id, absl::Hex(static_cast<uint32_t>(device()), absl::kZeroPad8));
  }
  return id;
}

}  // namespace lockstep::coordinator
