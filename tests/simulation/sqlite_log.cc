#include "tests/simulation/sqlite_log.h"

#include <algorithm>
#include <random>
#include <utility>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"

namespace lockstep::simulation {

using coordinator::LoggedOutcome;
using coordinator::SqliteDecisionLog;
using coordinator::StoredAnswer;

namespace {

// On the simulated disk all names are as good. What the log asks of the real one, beside SQLite, is
// whether the directory is there and has space: it is always there, and nothing can be made in it.
constexpr char kLogDirectory[] = "/proc";
constexpr int kLogSectorBytes = 512;

constexpr absl::Duration kOutcomeLifetime = absl::Seconds(1);

}  // namespace

SqliteLog::SqliteLog(const coordinator::Config& config, const Options* options, Random* random,
                     Observer observer)
    : options_(options), random_(random), observer_(std::move(observer)), disk_(kLogSectorBytes) {
  if (!options_->log_loses_syncs_of.empty()) disk_.LoseSyncsOf(options_->log_loses_syncs_of);
  for (const auto& participant : config.participants) {
    const std::string database = absl::StrCat("db", participant.database);
    members_.push_back({participant.name, database,
                        participant.is_master ? coordinator::MemberRole::kMaster
                                              : coordinator::MemberRole::kBackup});
    if (participant.is_master) databases_.push_back(database);
  }
}

SqliteLog::~SqliteLog() { log_.reset(); }

std::unique_ptr<SimLog> SqliteLog::Copy() const {
  auto copy = std::make_unique<SqliteLog>(coordinator::Config(), options_, random_, observer_);
  copy->members_ = members_;
  copy->databases_ = databases_;
  copy->disk_.Put(disk_.ImageAfterKill());
  copy->runs_ = runs_;
  copy->superseded_ = superseded_;
  copy->open_ = open_;
  return copy;
}

void SqliteLog::PlanFaults() {
  const auto place = [this] {
    return static_cast<int64_t>(1 + random_->Below(options_->log_fault_within));
  };
  const auto fail = [&](DiskFault::Operation operation) {
    const bool is_sync = operation == DiskFault::Operation::kSync;
    disk_.Fail({.operation = operation,
                .nth = is_sync ? static_cast<int64_t>(1 + random_->Below(3)) : place()});
  };
  disk_.SpareFailures();
  crash_is_planned_ = false;
  if (random_->Chance(options_->write_fails)) {
    crash_is_planned_ = random_->Chance(0.5);
    crash_is_planned_ ? disk_.CrashBefore(place()) : fail(DiskFault::Operation::kSync);
  } else if (random_->Chance(options_->io_fails)) {
    fail(random_->Chance(0.5) ? DiskFault::Operation::kWrite : DiskFault::Operation::kRead);
  } else if (random_->Chance(options_->disk_full)) {
    const bool is_short = random_->Chance(0.5);
    disk_.Fail({.kind = is_short ? DiskFault::Kind::kShortWrite : DiskFault::Kind::kNoSpace,
                .nth = place()});
  }
}

template <typename Act>
bool SqliteLog::Live(Act act) {
  PlanFaults();
  const absl::Status status = act();
  if (!status.ok() && !disk_.failed() && !disk_.crashed() && !superseded_) {
    observer_.on_violation("the decision log refuses for no reason: " +
                           std::string(status.message()));
  }
  disk_.Spare();
  disk_.Heal();
  if (status.ok() && !crash_is_planned_) return true;
  // It does not get to close the file. A crash that has not come yet comes before anybody is told.
  disk_.CrashNow();
  EndProcess();
  return false;
}

void SqliteLog::EndProcess() {
  log_.reset();
  owner_ = 0;
  disk_.Spare();
  disk_.CrashNow();
  if (random_->Chance(options_->power_loss)) {
    std::mt19937_64 random(random_->Next());
    disk_.LosePower(random);
  } else {
    disk_.KillProcess();
  }
}

absl::Status SqliteLog::OpenLog() {
  coordinator::SqliteDecisionLogOptions options;
  options.directory = kLogDirectory;
  options.cluster_id = "simulated";
  options.vfs = disk_.vfs_name();
  options.least_free_bytes = 0;
  options.reserve_bytes = 0;
  absl::StatusOr<std::unique_ptr<SqliteDecisionLog>> opened = SqliteDecisionLog::Open(options);
  if (opened.ok()) log_ = *std::move(opened);
  return opened.status();
}

std::optional<coordinator::TermStart> SqliteLog::Open() {
  if (log_ != nullptr) {
    // Taken from the process that had it.
    disk_.CrashNow();
    EndProcess();
  }
  absl::StatusOr<coordinator::TermStart> start;
  const bool lives = Live([&] {
    start = StartTerm();
    return start.status();
  });
  if (!lives) return std::nullopt;
  TakeStock(*start);
  return *std::move(start);
}

absl::StatusOr<coordinator::TermStart> SqliteLog::StartTerm() {
  absl::Status status = OpenLog();
  if (status.code() == absl::StatusCode::kFailedPrecondition && may_be_superseded_) {
    superseded_ = true;
  }
  if (status.ok()) status = log_->SetMembers(members_);
  if (!status.ok()) return status;
  return coordinator::StartTerm(log_.get(), random_->Next());
}

void SqliteLog::TakeStock(const coordinator::TermStart& start) {
  owner_ = start.state.term;
  runs_ = start.boot_ids;
  std::set<RoundId> found;
  for (const coordinator::KeptDecision& kept : start.state.kept) found.insert(kept.round);
  if (!std::includes(found.begin(), found.end(), open_.begin(), open_.end())) {
    observer_.on_violation("a decision that was told durable, and not forgotten, is gone");
  }
  open_ = found;
  const auto arrived =
      std::count_if(unknown_.begin(), unknown_.end(),
                    [&](const DecisionWrite& write) { return found.contains(write.record.round); });
  if (arrived != 0 && arrived != static_cast<int64_t>(unknown_.size())) {
    observer_.on_violation("a batch of the decision log is there in part");
  }
  for (const DecisionWrite& write : std::exchange(unknown_, {})) {
    if (!found.contains(write.record.round)) continue;
    coordinator::Decision decision = DecisionOf(write);
    decision.log_time = absl::InfinitePast();  // nobody knows when it was
    Remember(decision);
    observer_.on_decided(write.record);
  }
}

void SqliteLog::Remember(const coordinator::Decision& decision) {
  open_.insert(decision.round);
  for (const coordinator::DecidedTransaction& transaction : decision.transactions) {
    Told& told = told_[{decision.round.term(), transaction.sequence}];
    told.decide_time = decision.decide_time;
    told.log_time = decision.log_time;
    for (const coordinator::DatabaseIndex database : transaction.databases) {
      told.databases.push_back(databases_[database]);
    }
  }
}

std::vector<coordinator::DatabaseIndex> SqliteLog::DatabasesOf(
    TransactionHandle transaction) const {
  std::vector<coordinator::DatabaseIndex> list;
  for (coordinator::DatabaseIndex database = 0; database < databases_.size(); ++database) {
    if (ChangesDatabase(transaction, database)) list.push_back(database);
  }
  return list;
}

std::string SqliteLog::AnswerOf(TransactionHandle transaction) const {
  return absl::StrCat(
      transaction, " ",
      std::string(options_->answer_bytes, static_cast<char>('a' + transaction % 26)));
}

coordinator::Decision SqliteLog::DecisionOf(const DecisionWrite& write) const {
  coordinator::Decision decision;
  decision.round = write.record.round;
  decision.kept = write.record.kept;
  decision.decide_time = write.record.decide_time;
  decision.latest_clock = write.record.latest_clock;
  decision.log_time = write.log_time;
  for (const TransactionHandle transaction : write.record.committed) {
    const auto databases = DatabasesOf(transaction);
    decision.transactions.push_back({NumberOf(transaction), {databases.begin(), databases.end()}});
  }
  for (const SimTry& committed : write.tries) {
    StoredAnswer answer;
    answer.request_id = committed.its.id;
    answer.key = committed.its.key;
    answer.body = committed.its.body;
    answer.retention = committed.its.retention;
    answer.round = decision.round;
    answer.answer = AnswerOf(committed.transaction);
    decision.answers.push_back(std::move(answer));
  }
  return decision;
}

coordinator::LogBatch SqliteLog::BatchOf(const LogWrite& write) const {
  coordinator::LogBatch batch;
  for (const DecisionWrite& decision : write.decisions) {
    batch.decisions.push_back(DecisionOf(decision));
  }
  batch.forget = write.forget;
  batch.durable_rounds = write.durable_rounds;
  return batch;
}

absl::Status SqliteLog::WriteBatch(const coordinator::LogBatch& batch) {
  // Whatever becomes of the write, they may be gone.
  for (const RoundId round : batch.forget) open_.erase(round);
  return log_->Write(batch);
}

bool SqliteLog::Write(Term term, const LogWrite& write) {
  if (term != owner_) return false;
  const coordinator::LogBatch batch = BatchOf(write);
  if (!Live([&] { return WriteBatch(batch); })) {
    unknown_ = write.decisions;
    return false;
  }
  for (const coordinator::Decision& decision : batch.decisions) Remember(decision);
  for (const DecisionWrite& decision : write.decisions) observer_.on_decided(decision.record);
  return Live([&] { return log_->Tidy(/*idle=*/false); });
}

bool SqliteLog::Tidy(Term term, absl::Time now,
                     std::vector<coordinator::ForgottenAnswers>* forgotten) {
  if (term != owner_) return true;
  kept_since_ = std::max(kept_since_, now - kOutcomeLifetime);
  return Live([&]() -> absl::Status {
    if (absl::Status wrong = CheckAnOutcome(); !wrong.ok()) return wrong;
    if (auto dropped = log_->Prune(now - kOutcomeLifetime); !dropped.ok()) return dropped.status();
    auto answers = log_->PruneAnswers(now);
    if (!answers.ok()) return answers.status();
    *forgotten = *std::move(answers);
    const bool at_once = random_->Chance(kTimeIsRecorded);
    if (absl::Status recorded = log_->RecordTime(now, at_once); !recorded.ok()) return recorded;
    return log_->Tidy(/*idle=*/true);
  });
}

// Of a transaction that committed, whichever coordinator decided it.
absl::Status SqliteLog::CheckAnOutcome() {
  if (told_.empty()) return absl::OkStatus();
  auto asked = told_.begin();
  std::advance(asked, random_->Below(told_.size()));
  const absl::StatusOr<LoggedOutcome> outcome = log_->FindOutcome(asked->first);
  if (!outcome.ok()) return outcome.status();
  const Told& told = asked->second;
  const bool is_right = outcome->kind == LoggedOutcome::Kind::kCommitted &&
                        outcome->decide_time == told.decide_time &&
                        outcome->databases == told.databases;
  const bool may_be_gone =
      outcome->kind == LoggedOutcome::Kind::kForgotten && told.log_time < kept_since_;
  if (!is_right && !may_be_gone) {
    observer_.on_violation("the decision log tells a wrong outcome of " +
                           coordinator::ToString(asked->first));
  }
  return absl::OkStatus();
}

bool SqliteLog::FindAnswer(Term term, const coordinator::RequestTry& its,
                           const coordinator::Rounds& rounds, std::optional<CommittedTry>* found) {
  if (term != owner_) return false;
  absl::StatusOr<std::optional<StoredAnswer>> stored;
  const bool lives = Live([&] {
    stored = log_->FindAnswer(its.id, rounds, its.retention);
    return stored.status();
  });
  if (!lives || !*stored) return lives;
  const StoredAnswer& answer = **stored;
  TransactionHandle transaction = 0;
  if (!absl::SimpleAtoi(answer.answer.substr(0, answer.answer.find(' ')), &transaction) ||
      answer.answer != AnswerOf(transaction)) {
    observer_.on_violation("an answer is not what was stored (R18)");
  }
  found->emplace(answer.round, transaction);
  return true;
}

void SqliteLog::MarkSuperseded(Term term) {
  if (term != owner_) return;
  may_be_superseded_ = true;
  if (!Live([&] { return log_->MarkSuperseded("it is a copy", observer_.now().wall); })) return;
  disk_.CrashNow();
  EndProcess();
  superseded_ = true;
  if (!OpenLog().ok()) return;
  observer_.on_violation("a log forgets that it was superseded (R22)");
  log_.reset();
}

// Killed in the middle of a write, or after it; else it stops in order, until it is killed or the
// power fails.
void SqliteLog::End(Term term, const LogWrite& waiting) {
  if (term != owner_) return;
  disk_.CrashBefore(static_cast<int64_t>(1 + random_->Below(options_->log_fault_within)));
  if (!waiting.empty() && random_->Chance(0.5)) {
    unknown_ = waiting.decisions;
    (void)WriteBatch(BatchOf(waiting));  // nobody is told
  }
  if (random_->Chance(0.5)) disk_.CrashNow();
  EndProcess();
}

}  // namespace lockstep::simulation
