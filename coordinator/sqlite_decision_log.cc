#include "coordinator/sqlite_decision_log.h"

#include <algorithm>
#include <optional>
#include <set>
#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "common/check.h"
#include "common/directory.h"
#include "common/failpoint.h"
#include "coordinator/decision_keys.h"
#include "coordinator/log_head.h"
#include "coordinator/member_table.h"
#include "coordinator/sqlite_rows.h"

namespace lockstep::coordinator {
namespace {

constexpr int kPrunedPerCall = 512;
// A checkpoint lets the WAL begin again in blocks that the file has already, which syncs faster
// than growing it: so it comes early and is small, and earlier still when nobody waits.
constexpr uint64_t kCheckpointBytes = SqliteDecisionLog::kUsualWalBytes - (1 << 20);
constexpr uint64_t kIdleCheckpointBytes = 1 << 20;
// About how far the log's time falls back when a coordinator is killed: a sync each is little.
constexpr absl::Duration kTimeInterval = absl::Minutes(1);
constexpr uint64_t kPageBytes = sqlite::ChecksumVfs::kPageSize;

}  // namespace

// What is prepared once and used for every round.
struct SqliteDecisionLog::Statements {
  sqlite::Statement begin;
  sqlite::Statement commit;
  sqlite::Statement insert_decision;
  sqlite::Statement insert_outcome;
  sqlite::Statement forget;
  sqlite::Statement durable_round;
  sqlite::Statement times;
  sqlite::Statement forgotten_expiry;
  sqlite::Statement lowest_open;
  sqlite::Statement horizon;
  sqlite::Statement oldest;
  sqlite::Statement drop_decision;
  sqlite::Statement drop_outcome;
  sqlite::Statement find;
};

absl::StatusOr<std::unique_ptr<SqliteDecisionLog>> SqliteDecisionLog::Open(
    const SqliteDecisionLogOptions& options) {
  // Its entry must outlive what is written into it.
  absl::Status made = MakeDirectory(options.directory, /*sync=*/true);
  if (!made.ok()) return made;
  // Before anything is written: what a start on a full disk writes has to find room.
  SpaceReserve reserve(options.directory, options.least_free_bytes, options.reserve_bytes);
  absl::StatusOr<std::unique_ptr<LogFile>> file =
      LogFile::Open(options.directory + "/" + kFile, options.vfs);
  if (!file.ok()) return file.status();
  std::unique_ptr<SqliteDecisionLog> log(
      new SqliteDecisionLog(*std::move(file), std::move(reserve)));
  absl::Status status = log->ReadHead(options.cluster_id);
  if (status.ok()) status = log->Prepare();
  if (!status.ok()) return log->file_->Explain(status);
  return log;
}

SqliteDecisionLog::SqliteDecisionLog(std::unique_ptr<LogFile> file, SpaceReserve reserve)
    : file_(std::move(file)), connection_(&file_->connection()), reserve_(std::move(reserve)) {}

SqliteDecisionLog::~SqliteDecisionLog() = default;

// Within the transaction that the file was opened with.
absl::Status SqliteDecisionLog::ReadHead(const std::string& cluster_id) {
  absl::StatusOr<LogHead> head = ReadOrMakeHead(connection_, cluster_id);
  if (!head.ok()) return head.status();
  log_id_ = std::move(head->log_id);
  clock_floor_ = head->clock_floor;
  log_time_ = head->log_time;
  recorded_log_time_ = head->log_time;
  forgotten_expiry_ = head->forgotten_expiry;
  lowest_open_ = head->lowest_open;
  horizon_ = head->horizon;
  if (absl::Status made = AnswerTable::Create(connection_); !made.ok()) return made;
  return connection_->Exec("COMMIT");
}

absl::Status SqliteDecisionLog::Prepare() {
  absl::StatusOr<std::unique_ptr<AnswerTable>> answers = AnswerTable::Open(connection_);
  if (!answers.ok()) return answers.status();
  answers_ = *std::move(answers);
  statements_ = std::make_unique<Statements>();
  const std::pair<sqlite::Statement*, const char*> all[] = {
      {&statements_->begin, "BEGIN IMMEDIATE"},
      {&statements_->commit, "COMMIT"},
      {&statements_->insert_decision, "INSERT INTO decision VALUES(?, 1, ?, ?, ?)"},
      {&statements_->insert_outcome, "INSERT INTO outcome VALUES(?, ?)"},
      {&statements_->forget, "UPDATE decision SET open = 0 WHERE round = ?"},
      {&statements_->durable_round, "UPDATE member SET durable_round = ? WHERE place = ?"},
      {&statements_->times, "UPDATE head SET clock_floor = ?, log_time = ?"},
      {&statements_->forgotten_expiry, "UPDATE head SET forgotten_expiry = ?"},
      {&statements_->lowest_open, "UPDATE head SET lowest_open = ?"},
      {&statements_->horizon, "UPDATE head SET horizon = ?"},
      {&statements_->oldest,
       "SELECT round, open, log_time, checksum, body FROM decision ORDER BY round LIMIT ?"},
      {&statements_->drop_decision, "DELETE FROM decision WHERE round = ?"},
      {&statements_->drop_outcome, "DELETE FROM outcome WHERE bucket = ? AND round = ?"},
      {&statements_->find,
       "SELECT decision.round, checksum, body FROM outcome, decision "
       "WHERE bucket = ? AND decision.round = outcome.round"},
  };
  for (const auto& [statement, sql] : all) {
    absl::StatusOr<sqlite::Statement> prepared = connection_->Prepare(sql);
    if (!prepared.ok()) return prepared.status();
    *statement = *std::move(prepared);
  }
  return absl::OkStatus();
}

template <typename Body>
absl::Status SqliteDecisionLog::Commit(Body&& body) {
  absl::Status status = statements_->begin.Run();
  if (status.ok()) status = body();
  // No ROLLBACK on an error: the process ends, and recovery reads what is really there.
  Failpoint("log_commits");
  return status.ok() ? statements_->commit.Run() : status;
}

absl::StatusOr<Term> SqliteDecisionLog::NewTerm() {
  absl::StatusOr<Term> term;
  const absl::Status status = Commit([&] {
    term = DrawTerm(connection_);
    return term.status();
  });
  if (!status.ok()) return status;
  return term;
}

absl::Status SqliteDecisionLog::MarkSuperseded(const std::string& reason, absl::Time now) {
  // Nothing else will be written: a full disk must not keep the next start from knowing.
  reserve_.GiveUp();
  return Commit([&] { return StoreSuperseded(connection_, reason, now); });
}

template <typename OnDecision>
absl::Status SqliteDecisionLog::ForEachOpen(OnDecision&& on_decision) {
  absl::StatusOr<sqlite::Statement> select = connection_->Prepare(
      "SELECT round, checksum, body, log_time FROM decision "
      "WHERE round >= (SELECT lowest_open FROM head) AND open = 1 ORDER BY round");
  if (!select.ok()) return select.status();
  return ForEachRow(*select, [&] {
    const OpenDecision open = {Round(*select, 0), absl::FromUnixNanos(select->ColumnInt(3)),
                               Text(*select, 2)};
    absl::Status status = CheckBody(open.round, open.body, select->ColumnInt(1));
    return status.ok() ? on_decision(open) : status;
  });
}

absl::Status SqliteDecisionLog::SetMembers(const std::vector<Member>& members) {
  absl::StatusOr<std::vector<RecordedMember>> recorded = ReadMembers(connection_);
  if (!recorded.ok()) return recorded.status();
  std::set<std::string> keepers;
  absl::Status status = ForEachOpen([&](const OpenDecision& open) -> absl::Status {
    absl::StatusOr<std::vector<std::string>> node_ids = DecodeKeepers(open.round, open.body);
    if (node_ids.ok()) keepers.insert(node_ids->begin(), node_ids->end());
    return node_ids.status();
  });
  if (status.ok()) status = CheckMembershipChange(*recorded, members, keepers);
  if (status.ok()) {
    status = Commit([&] { return ReplaceMembers(connection_, *recorded, members); });
  }
  names_ = MemberNames(members);
  return status;
}

absl::StatusOr<RecoveredState> SqliteDecisionLog::Recover() {
  RecoveredState state;
  absl::Status status = ForEachOpen([&](const OpenDecision& open) -> absl::Status {
    absl::StatusOr<KeptDecision> decision = DecodeKept(open.round, open.body, names_);
    if (!decision.ok()) return decision.status();
    absl::StatusOr<absl::Time> latest_clock = DecodeLatestClock(open.round, open.body);
    if (!latest_clock.ok()) return latest_clock.status();
    // Forgetting a decision stores these with it, so those that are open have the rest.
    clock_floor_ = std::max(clock_floor_, *latest_clock);
    log_time_ = std::max(log_time_, open.log_time);
    state.open.push_back(*std::move(decision));
    open_.insert(open.round);
    return absl::OkStatus();
  });
  if (!status.ok()) return status;
  absl::StatusOr<std::vector<RecordedMember>> members = ReadMembers(connection_);
  if (!members.ok()) return members.status();
  for (const RecordedMember& member : *members) state.durable_rounds.push_back(member.durable);
  absl::StatusOr<RequestIndex> committed = answers_->ReadAll();
  if (!committed.ok()) return committed.status();
  state.requests = {*std::move(committed), forgotten_expiry_};
  absl::StatusOr<std::vector<uint64_t>> boot_ids = ReadBootIds(connection_);
  if (!boot_ids.ok()) return boot_ids.status();
  state.boot_ids = *std::move(boot_ids);
  state.clock_floor = clock_floor_;
  state.log_time = log_time_;
  status = file_->CheckpointOnClose();
  if (!status.ok()) return status;
  return state;
}

absl::Status SqliteDecisionLog::Write(const LogBatch& batch) {
  return Commit([&] {
    absl::Status status;
    for (const Decision& decision : batch.decisions) {
      if (status = InsertDecision(decision); !status.ok()) return status;
      absl::StatusOr<uint64_t> answers = answers_->Insert(decision.round, decision.answers);
      if (!answers.ok()) return answers.status();
      bytes_since_checkpoint_ += *answers;
    }
    if (status = Forget(batch); !status.ok()) return status;
    return StoreLowestOpen(batch);
  });
}

absl::Status SqliteDecisionLog::InsertDecision(const Decision& decision) {
  const std::string body = EncodeDecision(decision, names_);
  bytes_since_checkpoint_ += body.size() + 2 * kPageBytes;
  open_.insert(decision.round);
  clock_floor_ = std::max(clock_floor_, decision.latest_clock);
  log_time_ = std::max(log_time_, decision.log_time);
  const int64_t checksum = ChecksumOf(decision.round, body);
  absl::Status status = RunWith(statements_->insert_decision, decision.round.value(),
                                absl::ToUnixNanos(decision.log_time), checksum, Blob{body});
  std::vector<TransactionId> ids;
  for (const DecidedTransaction& transaction : decision.transactions) {
    ids.push_back({decision.round.term(), transaction.sequence});
  }
  for (const int64_t bucket : BucketsOf(ids)) {
    if (status.ok()) status = RunWith(statements_->insert_outcome, bucket, decision.round.value());
  }
  return status;
}

absl::Status SqliteDecisionLog::Forget(const LogBatch& batch) {
  for (const auto& [participant, round] : batch.durable_rounds) {
    absl::Status status = RunWith(statements_->durable_round, round.value(), int64_t{participant});
    if (!status.ok()) return status;
  }
  if (batch.forget.empty()) return absl::OkStatus();
  bytes_since_checkpoint_ += batch.forget.size() * kPageBytes / 2;
  for (const RoundId round : batch.forget) {
    absl::Status status = RunWith(statements_->forget, round.value());
    if (!status.ok()) return status;
    open_.erase(round);
  }
  // They go with the decisions that Recover will not read any more.
  return StoreTimes();
}

// Recover reads from here on. It grows lazily, but a round may be decided after later ones.
absl::Status SqliteDecisionLog::StoreLowestOpen(const LogBatch& batch) {
  const RoundId lowest = open_.empty() ? lowest_open_ : *open_.begin();
  const bool must_sink = lowest < lowest_open_;
  const bool may_rise = !batch.forget.empty() && lowest > lowest_open_;
  if (!must_sink && !may_rise) return absl::OkStatus();
  lowest_open_ = lowest;
  return RunWith(statements_->lowest_open, lowest.value());
}

absl::StatusOr<LoggedOutcome> SqliteDecisionLog::FindOutcome(TransactionId id) {
  LoggedOutcome outcome;
  outcome.kind = id > horizon_ ? LoggedOutcome::Kind::kNoRecord : LoggedOutcome::Kind::kForgotten;
  LOCKSTEP_CHECK(statements_->find.Bind(1, Value(BucketOf(id))) == sqlite::kOk, "bind of a bucket");
  const absl::Status status = ForEachRow(statements_->find, [&] {
    const RoundId round = Round(statements_->find, 0);
    const std::string body = Text(statements_->find, 2);
    absl::Status check = CheckBody(round, body, statements_->find.ColumnInt(1));
    if (!check.ok()) return check;
    absl::StatusOr<std::optional<RecordedOutcome>> found = FindTransaction(round, body, id);
    if (!found.ok()) return found.status();
    if (!found->has_value()) return absl::OkStatus();
    outcome.kind = LoggedOutcome::Kind::kCommitted;
    outcome.decide_time = (*found)->decide_time;
    outcome.databases = std::move((*found)->databases);
    return absl::OkStatus();
  });
  if (!status.ok()) return status;
  return outcome;
}

absl::StatusOr<std::optional<StoredAnswer>> SqliteDecisionLog::FindAnswer(
    const std::string& request_id, const Rounds& rounds, const Retention& retention) {
  absl::StatusOr<std::optional<StoredAnswer>> found = answers_->Find(request_id, rounds);
  if (!found.ok() || !*found || (*found)->retention.Covers(retention)) return found;
  const absl::Status status = Commit([&] { return answers_->Extend((*found)->round, retention); });
  if (!status.ok()) return status;
  return found;
}

absl::StatusOr<std::vector<ForgottenAnswers>> SqliteDecisionLog::PruneAnswers(absl::Time now) {
  absl::StatusOr<std::vector<ForgottenAnswers>> expired = answers_->Expired(now, kPrunedPerCall);
  if (!expired.ok() || expired->empty()) return expired;
  const absl::Status status = Commit([&] {
    for (const ForgottenAnswers& of_a_round : *expired) {
      bytes_since_checkpoint_ += kPageBytes;
      forgotten_expiry_ = std::max(forgotten_expiry_, of_a_round.expires);
      if (absl::Status dropped = answers_->Drop(of_a_round.round); !dropped.ok()) return dropped;
    }
    return RunWith(statements_->forgotten_expiry, absl::ToUnixNanos(forgotten_expiry_));
  });
  if (!status.ok()) return status;
  return expired;
}

absl::Status SqliteDecisionLog::RecordTime(absl::Time now, bool at_once) {
  log_time_ = std::max(log_time_, now);
  const absl::Duration behind = log_time_ - recorded_log_time_;
  if (behind < (at_once ? absl::Nanoseconds(1) : kTimeInterval)) return absl::OkStatus();
  return Commit([&] { return StoreTimes(); });
}

absl::Status SqliteDecisionLog::StoreTimes() {
  recorded_log_time_ = log_time_;
  bytes_since_checkpoint_ += kPageBytes;
  return RunWith(statements_->times, absl::ToUnixNanos(clock_floor_), absl::ToUnixNanos(log_time_));
}

absl::StatusOr<int> SqliteDecisionLog::Prune(absl::Time keep_since) {
  std::vector<std::pair<RoundId, std::string>> old;
  absl::Status status = ReadOld(keep_since, &old);
  if (!status.ok()) return status;
  if (old.empty()) return 0;
  status = Commit([&] {
    absl::Status dropped;
    for (const auto& [round, body] : old) {
      if (dropped = Drop(round, body); !dropped.ok()) return dropped;
    }
    return RunWith(statements_->horizon, KeyOf(horizon_));
  });
  if (!status.ok()) return status;
  return static_cast<int>(old.size());
}

absl::Status SqliteDecisionLog::ReadOld(absl::Time keep_since,
                                        std::vector<std::pair<RoundId, std::string>>* old) {
  sqlite::Statement& oldest = statements_->oldest;
  // Rounds that are open do not hold back the others.
  const auto limit = static_cast<int64_t>(kPrunedPerCall + open_.size());
  LOCKSTEP_CHECK(oldest.Bind(1, Value(limit)) == sqlite::kOk, "bind of a limit");
  const int64_t keep_since_nanos = absl::ToUnixNanos(keep_since);
  bool more = true;
  return ForEachRow(oldest, [&] {
    more = more && oldest.ColumnInt(2) < keep_since_nanos;
    if (!more || oldest.ColumnInt(1) != 0) return absl::OkStatus();
    old->emplace_back(Round(oldest, 0), Text(oldest, 4));
    return CheckBody(old->back().first, old->back().second, oldest.ColumnInt(3));
  });
}

absl::Status SqliteDecisionLog::Drop(RoundId round, const std::string& body) {
  absl::StatusOr<std::vector<TransactionId>> ids = DecodeTransactions(round, body);
  if (!ids.ok()) return ids.status();
  for (const TransactionId id : *ids) horizon_ = std::max(horizon_, id);
  bytes_since_checkpoint_ += kPageBytes;
  absl::Status status = RunWith(statements_->drop_decision, round.value());
  for (const int64_t bucket : BucketsOf(*ids)) {
    if (status.ok()) status = RunWith(statements_->drop_outcome, bucket, round.value());
  }
  return status;
}

absl::Status SqliteDecisionLog::Tidy(bool idle) {
  if (bytes_since_checkpoint_ < (idle ? kIdleCheckpointBytes : kCheckpointBytes)) {
    return absl::OkStatus();
  }
  bytes_since_checkpoint_ = 0;
  Failpoint("log_checkpoint_begins");
  const absl::Status done = connection_->CheckpointPassive().status();
  Failpoint("log_checkpoint_ends");
  return done;
}

}  // namespace lockstep::coordinator
