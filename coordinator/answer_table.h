// The answers of committed request_ids in the decision log's file.
#ifndef LOCKSTEP_COORDINATOR_ANSWER_TABLE_H_
#define LOCKSTEP_COORDINATOR_ANSWER_TABLE_H_

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "common/sqlite/connection.h"
#include "coordinator/decision_log.h"

namespace lockstep::coordinator {

// A row per round that has such answers, so that they are written one behind the other: a row per
// id, found by the id, would touch a page of its own for each. In exchange the coordinator keeps in
// memory which round has which id (RequestIndex).
//
// Used by one thread; the connection outlives it. Every error means that the state on disk is
// unknown.
class AnswerTable {
 public:
  // Makes the table if it is not there; inside or outside a transaction.
  static absl::Status Create(sqlite::Connection* connection);
  static absl::StatusOr<std::unique_ptr<AnswerTable>> Open(sqlite::Connection* connection);
  ~AnswerTable();

  // Inside a transaction of the caller. Returns the bytes that were written; 0 without answers.
  absl::StatusOr<uint64_t> Insert(RoundId round, const std::vector<StoredAnswer>& answers);
  // All that are kept.
  absl::StatusOr<RequestIndex> ReadAll();
  absl::StatusOr<std::optional<StoredAnswer>> Find(const std::string& request_id,
                                                   const Rounds& rounds);
  // Inside a transaction of the caller. Of the whole round.
  absl::Status Extend(RoundId round, const Retention& retention);
  // The rounds whose time is over at `now`, `limit` at most.
  absl::StatusOr<std::vector<ForgottenAnswers>> Expired(absl::Time now, int limit);
  // Inside a transaction of the caller.
  absl::Status Drop(RoundId round);

  // What all rows take; known after ReadAll.
  uint64_t bytes() const { return bytes_; }

 private:
  struct Statements;
  explicit AnswerTable(std::unique_ptr<Statements> statements);

  const std::unique_ptr<Statements> statements_;
  uint64_t bytes_ = 0;
};

}  // namespace lockstep::coordinator

#endif  // LOCKSTEP_COORDINATOR_ANSWER_TABLE_H_
