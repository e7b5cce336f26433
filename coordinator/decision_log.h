// What a coordinator must never forget: its terms, the cluster's members and its decisions.
#ifndef LOCKSTEP_COORDINATOR_DECISION_LOG_H_
#define LOCKSTEP_COORDINATOR_DECISION_LOG_H_

#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/container/inlined_vector.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "common/round_id.h"
#include "coordinator/protocol/request_table.h"
#include "coordinator/protocol/types.h"
#include "coordinator/transaction_id.h"

namespace lockstep::coordinator {

enum class MemberRole { kMaster = 1, kBackup = 2 };

// One participant of the cluster. Its place in the list of members, from 0, is its
// ParticipantIndex; the place of a database in the order of first appearance, its DatabaseIndex.
struct Member {
  std::string node_id;
  std::string database;
  MemberRole role = MemberRole::kMaster;

  friend bool operator==(const Member&, const Member&) = default;
};

// One committed transaction of a round; its term is the round's.
struct DecidedTransaction {
  uint64_t sequence = 0;
  absl::InlinedVector<DatabaseIndex, 4> databases;
};

// What a committed request_id is answered with, as long as it is kept (rule R18).
struct StoredAnswer {
  std::string request_id;
  RequestKey key = 0;
  BodyHash body;
  Retention retention;
  RoundId round;       // that committed it
  std::string answer;  // a serialized ExecuteResponse
};

// The outcome of a round that keeps at least one branch (rule R12).
struct Decision {
  RoundId round;
  std::vector<KeptBranches> kept;                // only those that keep a branch, 1 or more
  std::vector<DecidedTransaction> transactions;  // only the committed ones, in the round's order
  absl::Time decide_time;
  absl::Time latest_clock;  // the latest instant that a transaction of the round saw (R23)
  std::vector<StoredAnswer> answers;        // of those transactions that have a request_id
  absl::Time log_time = absl::UnixEpoch();  // when it was decided, by LogClock
};

// What a new term starts from.
struct RecoveredState {
  std::vector<KeptDecision> open;       // those not forgotten, in the order of rounds
  std::vector<RoundId> durable_rounds;  // of each member: the last one recorded (R22)
  absl::Time clock_floor;               // no transaction may see an earlier instant (R23)
  absl::Time log_time;                  // LogClock goes on from here
  CommittedRequests requests;           // every committed request_id that is kept (R18)
  // Of the runs that had the terms 1, 2 and so on; the last is that of the newest term (R22).
  std::vector<uint64_t> boot_ids;
};

// Answers that are kept no longer.
struct ForgottenAnswers {
  RoundId round;
  std::vector<RequestKey> keys;
  absl::Time expires;  // as Retention::expires
};

// What is written together, with one sync.
struct LogBatch {
  std::vector<Decision> decisions;
  // Decisions that all who keep a branch have reported durable (R17). Their outcomes stay for
  // GetTransaction; only recovery does not need them any more.
  std::vector<RoundId> forget;
  std::vector<std::pair<ParticipantIndex, RoundId>> durable_rounds;  // R22

  bool empty() const { return decisions.empty() && forget.empty() && durable_rounds.empty(); }
};

// What the log says about a transaction that does not run.
struct LoggedOutcome {
  enum class Kind {
    kCommitted,
    kNoRecord,   // newer than the horizon: aborted, for abort is presumed
    kForgotten,  // older than the horizon: nothing can be said
  };
  Kind kind = Kind::kForgotten;
  absl::Time decide_time;              // kCommitted only
  std::vector<std::string> databases;  // kCommitted only
};

// Used by one thread at a time. Every error means that nothing can be said about what is on disk:
// the process must end, and a new one read the files again (R13).
class DecisionLog {
 public:
  virtual ~DecisionLog() = default;

  // Drawn when the log was made; two logs never have the same (R22).
  virtual const std::string& log_id() const = 0;

  // A term above every term that this log ever gave, for a run whose boot id is drawn with it; both
  // durable when it is returned (R1, R22).
  virtual absl::StatusOr<Term> NewTerm() = 0;

  // Participants have followed a run that this log does not know: it is an older copy. Durable when
  // OK is returned; every later start refuses to use the log, and says `reason` (R22).
  virtual absl::Status MarkSuperseded(const std::string& reason, absl::Time now) = 0;

  // Compares the cluster with the recorded one and records what is new; to be called once, before
  // what follows. FAILED_PRECONDITION with a sentence for the operator, and nothing written, when
  // the change would add a replica to, or take one from, or change one of, a database that has
  // decided rounds.
  virtual absl::Status SetMembers(const std::vector<Member>& members) = 0;

  // Reads the log to its end; after NewTerm (R16).
  virtual absl::StatusOr<RecoveredState> Recover() = 0;

  // All of the batch is durable when OK is returned, and none of it is visible before. One sync,
  // whatever the batch holds.
  virtual absl::Status Write(const LogBatch& batch) = 0;

  // Exact for every transaction that is not running now.
  virtual absl::StatusOr<LoggedOutcome> FindOutcome(TransactionId id) = 0;

  // The answer of a committed request_id, looked for in these rounds; from now on it is kept,
  // durably, for what `retention` asks beside what others asked for.
  virtual absl::StatusOr<std::optional<StoredAnswer>> FindAnswer(const std::string& request_id,
                                                                 const Rounds& rounds,
                                                                 const Retention& retention) = 0;

  // Drops the answers of rounds of which none is to be kept at `now` (by LogClock), a bounded
  // number a call. With them is recorded, for CommittedRequests::forgotten_expiry, by when their
  // tries expire.
  virtual absl::StatusOr<std::vector<ForgottenAnswers>> PruneAnswers(absl::Time now) = 0;

  // What the kept answers take.
  virtual uint64_t answer_bytes() const = 0;

  // Drops outcomes decided before `keep_since` (by LogClock) whose decisions are forgotten, a
  // bounded number a call, and moves the horizon past them. Returns how many were dropped.
  virtual absl::StatusOr<int> Prune(absl::Time keep_since) = 0;

  // Records that it is `now` by LogClock: `at_once`, or if a minute has passed since it was
  // recorded.
  virtual absl::Status RecordTime(absl::Time now, bool at_once) = 0;

  // Housekeeping that may take milliseconds: what can wait is done only when `idle`, so call it
  // both when no decision waits and after each batch.
  virtual absl::Status Tidy(bool idle) = 0;

  // Whether so little space is left that new transactions must be refused. Costs a system call.
  virtual bool SpaceIsShort() = 0;
};

}  // namespace lockstep::coordinator

#endif  // LOCKSTEP_COORDINATOR_DECISION_LOG_H_
