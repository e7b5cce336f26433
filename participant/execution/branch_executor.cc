#include "participant/execution/branch_executor.h"

#include <array>
#include <string>
#include <utility>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "common/check.h"
#include "common/sqlite/sql_tokenizer.h"
#include "participant/execution/statement_text.h"

namespace lockstep::participant {
namespace {

constexpr char kFindOwnTable[] =
    R"(SELECT name FROM sqlite_schema WHERE type = 'table' AND name LIKE 'lockstep\_%' ESCAPE '\')";
constexpr char kLookAtSchema[] =
    "SELECT max(sql LIKE 'create virtual table%'), max(sql LIKE '%changes%') FROM sqlite_schema";
constexpr char kReadSchema[] =
    R"(SELECT type, name, tbl_name, sql FROM sqlite_schema
       WHERE tbl_name NOT LIKE 'lockstep\_%' ESCAPE '\' ORDER BY type, name)";

// How a status of the executor's own statements looks to a caller.
FailurePtr FailureOfStatus(const absl::Status& status) {
  const std::optional<sqlite::SqliteError> error = sqlite::SqliteError::FromStatus(status);
  LOCKSTEP_CHECK(error.has_value(), std::string(status.message()));
  return FailureOf(*error, Phase::kStep);
}

FailurePtr DeferredForeignKeyFailure() {
  FailurePtr failure = MakeFailure(Reason::kConstraintViolation,
                                   "FOREIGN KEY constraint failed: a deferred one, at the end");
  failure->sqlite_code = sqlite::kConstraint;
  failure->sqlite_extended_code = sqlite::kConstraintForeignKey;
  return failure;
}

}  // namespace

absl::StatusOr<std::unique_ptr<BranchExecutor>> BranchExecutor::Create(
    sqlite::Connection* writer, sqlite::FrozenClock* sql_clock, const Clock* clock, NodeName name,
    const ExecutionLimits& limits) {
  std::unique_ptr<BranchExecutor> executor(
      new BranchExecutor(writer, sql_clock, clock, std::move(name), limits));
  if (absl::Status status = executor->SetUp(); !status.ok()) return status;
  return executor;
}

BranchExecutor::BranchExecutor(sqlite::Connection* writer, sqlite::FrozenClock* sql_clock,
                               const Clock* clock, NodeName name, const ExecutionLimits& limits)
    : writer_(writer),
      sql_clock_(sql_clock),
      clock_(clock),
      max_result_bytes_(limits.max_result_bytes),
      runner_(writer, clock, std::move(name), limits),
      functions_(writer) {}

BranchExecutor::~BranchExecutor() {
  writer_->SetRowChangeHook(nullptr);
  functions_.Remove();
}

absl::Status BranchExecutor::SetUp() {
  if (absl::Status status = runner_.Install(); !status.ok()) return status;
  if (absl::Status status = functions_.Install(); !status.ok()) return status;
  writer_->SetRowChangeHook(&digest_);
  const std::array<std::pair<sqlite::Statement*, std::string>, 7> statements = {{
      {&savepoint_, "SAVEPOINT branch"},
      {&release_, "RELEASE branch"},
      {&roll_back_, "ROLLBACK TO branch"},
      {&flush_savepoint_, "SAVEPOINT flush"},
      {&flush_release_, "RELEASE flush"},
      {&look_at_schema_, kLookAtSchema},
      {&read_schema_, kReadSchema},
  }};
  for (const auto& [statement, sql] : statements) {
    absl::StatusOr<sqlite::Statement> prepared = writer_->Prepare(sql);
    if (!prepared.ok()) return prepared.status();
    *statement = *std::move(prepared);
  }
  if (absl::Status status = PrepareReset(); !status.ok()) return status;
  return LookAtSchema();
}

// Only a statement that changes rows sets changes(); one that changes none sets it to 0.
absl::Status BranchExecutor::PrepareReset() {
  absl::StatusOr<sqlite::Statement> find = writer_->Prepare(kFindOwnTable);
  if (!find.ok()) return find.status();
  if (find->Step() != sqlite::StepResult::kRow) {
    return absl::FailedPreconditionError("the file has no table of Lockstep's own");
  }
  const std::string table(find->ColumnView(0).bytes);
  absl::StatusOr<sqlite::Statement> reset =
      writer_->Prepare(absl::StrCat("DELETE FROM ", sqlite::QuotedName(table), " WHERE 0"));
  if (!reset.ok()) return reset.status();
  reset_changes_ = *std::move(reset);
  return absl::OkStatus();
}

// Once true they stay so: a rollback of a round brings back what one of its branches dropped.
absl::Status BranchExecutor::LookAtSchema() {
  const sqlite::StepResult stepped = look_at_schema_.Step();
  if (stepped == sqlite::StepResult::kRow) {
    has_virtual_tables_ |= look_at_schema_.ColumnInt(0) != 0;
    schema_uses_changes_ |= look_at_schema_.ColumnInt(1) != 0;
    look_at_schema_.Reset();
    return absl::OkStatus();
  }
  const absl::Status status = look_at_schema_.error().ToStatus("reading the schema");
  look_at_schema_.Reset();
  return status;
}

ExecutedBranch BranchExecutor::Execute(const Branch& branch, ExecutionMode mode,
                                       std::optional<absl::Duration> arrived) {
  LOCKSTEP_CHECK(!writer_->autocommit(), "a branch runs inside a transaction");
  const absl::Duration start = clock_->MonotonicNow();
  ExecutedBranch executed;
  Start(branch, mode, start, arrived.value_or(start) + branch.time_left);
  FailurePtr failure = RunInSavepoint(branch, mode, &executed.vote);
  digest_.Stop();
  if (failure == nullptr) [[likely]] {
    executed.vote.kind = VoteKind::kYes;
  } else {
    executed.transaction_lost = !RollBack();
    // A statement that was ended may take along what SQLite knows of the schema: to read it again
    // is not to be part of anybody's time.
    if (runner_.watchdog().Verdict() != nullptr && !LookAtSchema().ok()) {
      executed.transaction_lost = true;
    }
    TellFailure(branch, *failure, &executed.vote);
  }
  executed.vote.execution_time = clock_->MonotonicNow() - start;
  return executed;
}

void BranchExecutor::Start(const Branch& branch, ExecutionMode mode, absl::Duration now,
                           absl::Duration deadline) {
  sql_clock_->Set(branch.clock);
  functions_.Start(branch.seed);
  digest_.Start();
  result_bytes_left_ = max_result_bytes_;
  schema_changed_ = false;
  const bool limited = mode == ExecutionMode::kFirst;
  runner_.SetLimited(limited);
  if (limited) {
    runner_.watchdog().Watch(now, deadline);
  } else {
    runner_.watchdog().WatchNothing();
  }
}

FailurePtr BranchExecutor::RunInSavepoint(const Branch& branch, ExecutionMode mode,
                                          BranchVote* vote) {
  if (absl::Status status = savepoint_.Run(); !status.ok()) return FailureOfStatus(status);
  const bool want_rows = branch.want_rows && mode == ExecutionMode::kFirst;
  if (FailurePtr failure = RunOperations(branch, want_rows, vote)) return failure;
  if (FailurePtr failure = MakePromise()) return failure;
  vote->digest = digest_.Finish();
  const absl::Status released = release_.Run();
  return released.ok() ? nullptr : FailureOfStatus(released);
}

FailurePtr BranchExecutor::RunOperations(const Branch& branch, bool want_rows, BranchVote* vote) {
  vote->results.reserve(branch.operations.size());
  for (const BranchOperation& operation : branch.operations) {
    BranchResult& result = vote->results.emplace_back();
    result.operation = operation.operation;
    result.statements.reserve(operation.statements.size());
    for (const Statement& statement : operation.statements) {
      StatementResult& rows = result.statements.emplace_back();
      if (FailurePtr failure = RunStatement(statement, want_rows, &rows)) {
        failure->operation = operation.operation;
        failure->statement = static_cast<int>(result.statements.size()) - 1;
        return failure;
      }
    }
  }
  return nullptr;
}

FailurePtr BranchExecutor::RunStatement(const Statement& statement, bool want_rows,
                                        StatementResult* result) {
  FailurePtr failure;
  sqlite::CachedStatement* cached = runner_.Find(statement.sql, &failure);
  if (cached == nullptr) return failure;
  const uint32_t tags = cached->tags;
  const int64_t changes_before = writer_->total_changes();
  if ((schema_uses_changes_ || (tags & kUsesChanges) != 0) &&
      changes_before == functions_.total_changes_at_start()) {
    if (absl::Status status = reset_changes_.Run(); !status.ok()) return FailureOfStatus(status);
  }
  failure = runner_.Run(cached, statement, want_rows, &result_bytes_left_, result);
  if (failure != nullptr) return failure;
  // Without a change changes() still tells of an earlier statement.
  if (writer_->total_changes() != changes_before) result->rows_affected = writer_->changes();
  result->last_insert_rowid = writer_->last_insert_rowid();
  const bool returns_rows = cached->statement.column_count() > 0;
  if ((tags & kChangesSchema) != 0) {
    if (FailurePtr unseen = NoteSchemaChange(statement.sql)) return unseen;
  }
  failure = CheckAfterStatement();
  if (failure != nullptr || !statement.guard) return failure;
  return CheckGuard(*statement.guard, returns_rows ? result->rows_returned : result->rows_affected);
}

FailurePtr BranchExecutor::CheckAfterStatement() {
  if (writer_->autocommit()) {
    return MakeFailure(Reason::kStatementNotAllowed,
                       "the statement ended the transaction that it ran in");
  }
  if (digest_.used_largest_rowid()) {
    return MakeFailure(
        Reason::kStatementNotAllowed,
        "the rowid 9223372036854775807 is not allowed: behind it SQLite would choose "
        "rowids at random, and replicas would differ");
  }
  if (digest_.failed()) {
    return FailureOf({sqlite::kNoMemory, sqlite::kNoMemory, "out of memory in the digest"},
                     Phase::kStep);
  }
  return runner_.watchdog().CheckEnd();
}

FailurePtr BranchExecutor::NoteSchemaChange(std::string_view sql) {
  schema_changed_ = true;
  runner_.ForgetStatements();
  if (absl::Status status = LookAtSchema(); !status.ok()) return FailureOfStatus(status);
  const std::string filled = TableFilledByCreate(sql);
  if (filled.empty()) return nullptr;
  // The hook does not see these rows.
  return runner_.ReadRows(absl::StrCat("SELECT * FROM ", sqlite::QuotedName(filled)),
                          [this](const auto& row) {
                            for (int i = 0; i < row.column_count(); ++i)
                              digest_.AddValue(row.ColumnView(i));
                          });
}

FailurePtr BranchExecutor::MakePromise() {
  if (has_virtual_tables_) {
    // Makes them write what they would write at COMMIT.
    absl::Status status = flush_savepoint_.Run();
    if (status.ok()) status = flush_release_.Run();
    if (!status.ok()) return FailureOfStatus(status);
    if (FailurePtr failure = CheckAfterStatement()) return failure;
  }
  if (writer_->has_deferred_foreign_key_violation()) return DeferredForeignKeyFailure();
  return schema_changed_ ? AddSchemaToDigest() : nullptr;
}

FailurePtr BranchExecutor::AddSchemaToDigest() {
  sqlite::StepResult stepped;
  while ((stepped = read_schema_.Step()) == sqlite::StepResult::kRow) {
    for (int column = 0; column < 4; ++column) {
      digest_.AddText(read_schema_.ColumnView(column).bytes);
    }
  }
  FailurePtr failure;
  if (stepped == sqlite::StepResult::kFailed)
    failure = FailureOf(read_schema_.error(), Phase::kStep);
  read_schema_.Reset();
  return failure;
}

// False when the transaction is gone, or in a state that only a full rollback mends.
bool BranchExecutor::RollBack() {
  if (schema_changed_) runner_.ForgetStatements();
  if (writer_->autocommit()) return false;
  return roll_back_.Run().ok() && release_.Run().ok() && !writer_->autocommit();
}

void BranchExecutor::TellFailure(const Branch& branch, Error& failure, BranchVote* vote) const {
  runner_.Locate(&failure);
  failure.transaction_id = branch.transaction_id;
  vote->kind = VoteKind::kNo;
  vote->digest = 0;
  vote->results.clear();
  vote->error = std::move(failure);
}

}  // namespace lockstep::participant
