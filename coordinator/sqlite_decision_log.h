// The decision log of a single coordinator: one SQLite file.
#ifndef LOCKSTEP_COORDINATOR_SQLITE_DECISION_LOG_H_
#define LOCKSTEP_COORDINATOR_SQLITE_DECISION_LOG_H_

#include <cstdint>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "common/sqlite/connection.h"
#include "common/sqlite/statement.h"
#include "coordinator/answer_table.h"
#include "coordinator/decision_log.h"
#include "coordinator/decision_record.h"
#include "coordinator/log_file.h"
#include "coordinator/space_reserve.h"

namespace lockstep::coordinator {

struct SqliteDecisionLogOptions {
  std::string directory;   // made if it is not there; the log is the file decisions.db in it
  std::string cluster_id;  // a log of another cluster is refused
  std::string vfs;         // empty: SQLite's own
  // Less free space than this refuses new transactions; see SpaceReserve.
  uint64_t least_free_bytes = 64 << 20;
  uint64_t reserve_bytes = 16 << 20;
};

// WAL with synchronous=FULL: one fdatasync a Write. While it is open no other process can open it.
// Every page bears a checksum, and the WAL is looked through at a start (LogFile): a torn last
// transaction, which nobody was told of, is dropped; other damage is DATA_LOSS, from Open or from
// the call that reads it.
class SqliteDecisionLog final : public DecisionLog {
 public:
  // The database in the log's directory, and what its WAL grows to before a checkpoint lets it
  // begin again: the file stays as long as it is.
  static constexpr char kFile[] = "decisions.db";
  static constexpr int64_t kUsualWalBytes = 5 << 20;

  // Makes the log if there is none. FAILED_PRECONDITION with both sides named when it is of another
  // cluster, of another format, superseded or in use; DATA_LOSS when it cannot be read.
  static absl::StatusOr<std::unique_ptr<SqliteDecisionLog>> Open(
      const SqliteDecisionLogOptions& options);
  ~SqliteDecisionLog() override;

  const std::string& log_id() const override { return log_id_; }
  absl::StatusOr<Term> NewTerm() override;
  absl::Status MarkSuperseded(const std::string& reason, absl::Time now) override;
  absl::Status SetMembers(const std::vector<Member>& members) override;
  absl::StatusOr<RecoveredState> Recover() override;
  absl::Status Write(const LogBatch& batch) override;
  absl::StatusOr<LoggedOutcome> FindOutcome(TransactionId id) override;
  absl::StatusOr<std::optional<StoredAnswer>> FindAnswer(const std::string& request_id,
                                                         const Rounds& rounds,
                                                         const Retention& retention) override;
  absl::StatusOr<std::vector<ForgottenAnswers>> PruneAnswers(absl::Time now) override;
  uint64_t answer_bytes() const override { return answers_->bytes(); }
  absl::StatusOr<int> Prune(absl::Time keep_since) override;
  absl::Status RecordTime(absl::Time now, bool at_once) override;
  absl::Status Tidy(bool idle) override;
  bool SpaceIsShort() override { return reserve_.IsShort(); }

 private:
  struct Statements;
  struct OpenDecision {
    RoundId round;
    absl::Time log_time;
    std::string body;
  };

  SqliteDecisionLog(std::unique_ptr<LogFile> file, SpaceReserve reserve);
  absl::Status Prepare();
  absl::Status ReadHead(const std::string& cluster_id);
  // Runs `body` in one durable transaction.
  template <typename Body>
  absl::Status Commit(Body&& body);
  absl::Status InsertDecision(const Decision& decision);
  absl::Status Forget(const LogBatch& batch);
  absl::Status StoreLowestOpen(const LogBatch& batch);
  absl::Status StoreTimes();
  // Calls on_decision(OpenDecision) for those not forgotten, by round.
  template <typename OnDecision>
  absl::Status ForEachOpen(OnDecision&& on_decision);
  absl::Status ReadOld(absl::Time keep_since, std::vector<std::pair<RoundId, std::string>>* old);
  absl::Status Drop(RoundId round, const std::string& body);

  const std::unique_ptr<LogFile> file_;
  sqlite::Connection* const connection_;    // the file's
  std::unique_ptr<Statements> statements_;  // refer to the connection
  std::unique_ptr<AnswerTable> answers_;
  SpaceReserve reserve_;
  std::string log_id_;
  MemberNames names_;
  absl::Time clock_floor_ = absl::UnixEpoch();
  absl::Time log_time_;           // the latest that is known
  absl::Time recorded_log_time_;  // of that, as it is in the head
  absl::Time forgotten_expiry_;
  std::set<RoundId> open_;  // decisions not forgotten
  RoundId lowest_open_;     // as it is stored; not above any of open_
  TransactionId horizon_;   // no record was dropped of a transaction above it
  uint64_t bytes_since_checkpoint_ = 0;
};

}  // namespace lockstep::coordinator

#endif  // LOCKSTEP_COORDINATOR_SQLITE_DECISION_LOG_H_
