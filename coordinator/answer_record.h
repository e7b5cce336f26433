// The answers of a round's request_ids as lockstep.v1.StoredAnswers, their form on disk.
#ifndef LOCKSTEP_COORDINATOR_ANSWER_RECORD_H_
#define LOCKSTEP_COORDINATOR_ANSWER_RECORD_H_

#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "coordinator/decision_log.h"

namespace lockstep::coordinator {

std::string EncodeAnswers(const std::vector<StoredAnswer>& answers);

// Without the time until which it is kept, which is not in the record. DATA_LOSS when `body` is no
// such record.
absl::StatusOr<std::optional<StoredAnswer>> FindAnswerIn(RoundId round, const std::string& body,
                                                         const std::string& request_id);

}  // namespace lockstep::coordinator

#endif  // LOCKSTEP_COORDINATOR_ANSWER_RECORD_H_
