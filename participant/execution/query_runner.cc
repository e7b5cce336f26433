#include "participant/execution/query_runner.h"

#include <array>
#include <utility>

#include "absl/strings/str_cat.h"
#include "common/check.h"
#include "common/sqlite/sql_tokenizer.h"
#include "participant/execution/statement_text.h"

namespace lockstep::participant {
namespace {

constexpr char kFindTable[] =
    "SELECT 1 FROM sqlite_schema WHERE type IN ('table', 'view') AND name = ?1 COLLATE NOCASE";

FailurePtr UnknownTable(const std::string& table) {
  return MakeFailure(Reason::kTableUnknown, absl::StrCat("there is no table named ", table));
}

}  // namespace

absl::StatusOr<std::unique_ptr<QueryRunner>> QueryRunner::Create(
    sqlite::Connection* reader, const Clock* clock, NodeName name, const ExecutionLimits& limits,
    const std::string& applied_round_sql) {
  std::unique_ptr<QueryRunner> runner(new QueryRunner(reader, clock, std::move(name), limits));
  if (absl::Status status = runner->SetUp(applied_round_sql); !status.ok()) return status;
  return runner;
}

QueryRunner::QueryRunner(sqlite::Connection* reader, const Clock* clock, NodeName name,
                         const ExecutionLimits& limits)
    : reader_(reader),
      clock_(clock),
      max_result_bytes_(limits.max_result_bytes),
      runner_(reader, clock, std::move(name), limits) {}

QueryRunner::~QueryRunner() = default;

absl::Status QueryRunner::SetUp(const std::string& applied_round_sql) {
  if (absl::Status status = runner_.Install(); !status.ok()) return status;
  const std::array<std::pair<sqlite::Statement*, std::string>, 4> statements = {{
      {&begin_, "BEGIN"},
      {&commit_, "COMMIT"},
      {&applied_round_, applied_round_sql},
      {&find_table_, kFindTable},
  }};
  for (const auto& [statement, sql] : statements) {
    absl::StatusOr<sqlite::Statement> prepared = reader_->Prepare(sql);
    if (!prepared.ok()) return prepared.status();
    *statement = *std::move(prepared);
  }
  return absl::OkStatus();
}

template <typename Answer, typename Work>
Result<Answer> QueryRunner::AtOneInstant(absl::Duration time_left, Work work) {
  Answer answer;
  const absl::Duration now = clock_->MonotonicNow();
  runner_.watchdog().Watch(now, now + time_left);
  FailurePtr failure = BeginAt(&answer.round);
  if (failure == nullptr) failure = work(&answer);
  if (FailurePtr unfinished = End(); failure == nullptr) failure = std::move(unfinished);
  if (failure == nullptr) return answer;
  runner_.Locate(failure.get());
  return std::move(*failure);
}

Result<QueryAnswer> QueryRunner::Query(const Statement& statement, absl::Duration time_left) {
  return AtOneInstant<QueryAnswer>(
      time_left, [&](QueryAnswer* answer) { return RunSelect(statement, &answer->result); });
}

Result<TableVersion> QueryRunner::GetVersion(const std::string& table, absl::Duration time_left) {
  return AtOneInstant<TableVersion>(
      time_left, [&](TableVersion* answer) { return ReadVersion(table, &answer->table_version); });
}

// The snapshot is taken by the first read, which is that of the applied round.
FailurePtr QueryRunner::BeginAt(RoundId* round) {
  const absl::Status begun = begin_.Run();
  const auto stepped = begun.ok() ? applied_round_.Step() : sqlite::StepResult::kFailed;
  LOCKSTEP_CHECK(stepped != sqlite::StepResult::kDone, "Lockstep's own row is missing");
  if (stepped == sqlite::StepResult::kRow) {
    *round = RoundId::FromValue(applied_round_.ColumnInt(0));
    applied_round_.Reset();
    return nullptr;
  }
  FailurePtr failure = FailureOf(reader_->LastError(), Phase::kStep);
  applied_round_.Reset();
  return failure;
}

// An error of SQLite may have ended the transaction already. An Interrupt that came too late for
// the query may end the COMMIT, which has to be: what stays open pins the WAL.
FailurePtr QueryRunner::End() {
  while (!reader_->autocommit() && !commit_.Run().ok()) {
    const sqlite::SqliteError error = reader_->LastError();
    if (error.code != sqlite::kInterrupt) return FailureOf(error, Phase::kStep);
  }
  return nullptr;
}

FailurePtr QueryRunner::RunSelect(const Statement& statement, StatementResult* result) {
  FailurePtr failure;
  sqlite::CachedStatement* cached = runner_.Find(statement.sql, &failure);
  if (cached == nullptr) return failure;
  if (!cached->statement.readonly() || cached->statement.column_count() == 0) {
    return MakeFailure(Reason::kStatementNotAllowed,
                       "a query is one SELECT; other statements go through Execute");
  }
  int64_t bytes_left = max_result_bytes_;
  failure = runner_.Run(cached, statement, true, &bytes_left, result);
  return failure != nullptr ? std::move(failure) : runner_.watchdog().CheckEnd();
}

FailurePtr QueryRunner::CheckTableExists(const std::string& table) {
  if (table.empty() || table.find('\0') != std::string::npos) return UnknownTable("");
  if (IsLockstepName(table)) {
    return MakeFailure(Reason::kStatementNotAllowed,
                       "the use of Lockstep's own tables is not allowed");
  }
  FailurePtr failure;
  if (find_table_.Bind(1, Value(table)) != sqlite::kOk) {
    return FailureOf(reader_->LastError(), Phase::kStep);
  }
  const sqlite::StepResult stepped = find_table_.Step();
  if (stepped == sqlite::StepResult::kDone) failure = UnknownTable(table);
  if (stepped == sqlite::StepResult::kFailed) {
    failure = FailureOf(find_table_.error(), Phase::kStep);
  }
  find_table_.Reset();
  find_table_.ClearBindings();
  return failure;
}

FailurePtr QueryRunner::ReadVersion(const std::string& table, int64_t* version) {
  if (FailurePtr failure = CheckTableExists(table)) return failure;
  Statement statement;
  statement.sql = absl::StrCat("SELECT max(\"version\") FROM ", sqlite::QuotedName(table));
  StatementResult result;
  if (FailurePtr failure = RunSelect(statement, &result)) return failure;
  const Value& maximum = result.rows.at(0).at(0);
  if (const auto* number = std::get_if<int64_t>(&maximum)) {
    *version = *number;
    return nullptr;
  }
  if (std::holds_alternative<std::monostate>(maximum)) return nullptr;
  return MakeFailure(Reason::kSqlInvalid, absl::StrCat("column version of ", table,
                                                       " holds something else than integers"));
}

}  // namespace lockstep::participant
