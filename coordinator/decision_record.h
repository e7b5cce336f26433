// Decisions as lockstep.v1.DecisionRecord, their form on disk.
#ifndef LOCKSTEP_COORDINATOR_DECISION_RECORD_H_
#define LOCKSTEP_COORDINATOR_DECISION_RECORD_H_

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "coordinator/decision_log.h"

namespace lockstep::coordinator {

// The names behind the short numbers of members and databases. Immutable.
class MemberNames {
 public:
  MemberNames() = default;
  explicit MemberNames(const std::vector<Member>& members);

  const std::vector<std::string>& nodes() const { return nodes_; }
  const std::vector<std::string>& databases() const { return databases_; }
  std::optional<ParticipantIndex> FindNode(const std::string& node_id) const;

 private:
  std::vector<std::string> nodes_;
  std::vector<std::string> databases_;
  std::map<std::string, ParticipantIndex> node_numbers_;
};

// The bytes of `decision`. Requires that all of its numbers are those of `names`.
std::string EncodeDecision(const Decision& decision, const MemberNames& names);

// DATA_LOSS when `body` is not a decision record, or names a node that is not in `names`.
absl::StatusOr<KeptDecision> DecodeKept(RoundId round, const std::string& body,
                                        const MemberNames& names);
absl::StatusOr<std::vector<std::string>> DecodeKeepers(RoundId round, const std::string& body);
absl::StatusOr<absl::Time> DecodeLatestClock(RoundId round, const std::string& body);

absl::StatusOr<std::vector<TransactionId>> DecodeTransactions(RoundId round,
                                                              const std::string& body);

// What a record says about one transaction.
struct RecordedOutcome {
  absl::Time decide_time;
  std::vector<std::string> databases;
};

// Nothing when the round did not commit the transaction. DATA_LOSS as above.
absl::StatusOr<std::optional<RecordedOutcome>> FindTransaction(RoundId round,
                                                               const std::string& body,
                                                               TransactionId id);

}  // namespace lockstep::coordinator

#endif  // LOCKSTEP_COORDINATOR_DECISION_RECORD_H_
