// How the decision log and the rows of its tables are named and checked.
#ifndef LOCKSTEP_COORDINATOR_DECISION_KEYS_H_
#define LOCKSTEP_COORDINATOR_DECISION_KEYS_H_

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "common/round_id.h"
#include "coordinator/protocol/request_table.h"
#include "coordinator/transaction_id.h"

namespace lockstep::coordinator {

// Ids as one number that grows with them, as RoundId does.
int64_t KeyOf(TransactionId id);
TransactionId IdOf(int64_t key);

// Neighbouring transactions share a bucket.
int64_t BucketOf(TransactionId id);
// Each once. A round has few: its transactions were taken at about the same time.
std::vector<int64_t> BucketsOf(const std::vector<TransactionId>& ids);

// Also covers the round, so that a body in the wrong row is noticed.
int64_t ChecksumOf(RoundId round, const std::string& body);
// DATA_LOSS when they do not belong together.
absl::Status CheckBody(RoundId round, const std::string& body, int64_t checksum);

// Different in each log, so that nobody can choose ids that share a key.
RequestKey RequestKeyOf(const std::string& log_id, std::string_view request_id);

// 32 hexadecimal digits from the system's randomness.
std::string DrawLogId();

}  // namespace lockstep::coordinator

#endif  // LOCKSTEP_COORDINATOR_DECISION_KEYS_H_
