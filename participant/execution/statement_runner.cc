#include "participant/execution/statement_runner.h"

#include <cmath>
#include <string>
#include <utility>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/container/flat_hash_set.h"
#include "absl/strings/str_cat.h"
#include "common/utf8.h"
#include "participant/execution/statement_text.h"

namespace lockstep::participant {
namespace {

// What a value takes in a message beside its bytes, at most.
constexpr int64_t kValueOverhead = 12;
constexpr int64_t kRowOverhead = 6;

std::string Printable(std::string_view name) {
  return IsValidUtf8(name) ? std::string(name) : MakeValidUtf8(name);
}

void AddColumns(const sqlite::Statement& statement, StatementResult* result) {
  const int count = statement.column_count();
  if (count == 0) return;
  result->columns.reserve(static_cast<size_t>(count));
  for (int i = 0; i < count; ++i) {
    result->columns.push_back(
        {Printable(statement.column_name(i)), Printable(statement.column_declared_type(i))});
  }
}

uint32_t TagsOfText(std::string_view sql) {
  uint32_t tags = 0;
  if (IsSchemaStatement(sql)) tags |= kChangesSchema;
  if (IsAlterStatement(sql)) tags |= kIsAlter;
  return tags;
}

int64_t SizeOf(const Value& value) {
  if (const auto* text = std::get_if<std::string>(&value)) return std::ssize(*text);
  if (const auto* blob = std::get_if<Blob>(&value)) return std::ssize(blob->bytes);
  return 0;
}

}  // namespace

StatementRunner::StatementRunner(sqlite::Connection* connection, const Clock* clock, NodeName name,
                                 const ExecutionLimits& limits)
    : connection_(connection),
      name_(std::move(name)),
      limits_(limits),
      watchdog_(connection, clock, limits),
      functions_(connection, &watchdog_),
      cache_(limits.statement_cache_bytes) {}

StatementRunner::~StatementRunner() {
  cache_.Clear();
  functions_.Remove();
  connection_->SetAuthorizer(nullptr);
  connection_->SetProgressHandler(nullptr, 0);
}

absl::Status StatementRunner::Install() {
  if (absl::Status status = Sandbox::Restrict(connection_, limits_); !status.ok()) return status;
  if (absl::Status status = sandbox_.FindForeignTables(connection_); !status.ok()) return status;
  if (absl::Status status = functions_.Install(); !status.ok()) return status;
  connection_->SetAuthorizer(&sandbox_);
  connection_->SetProgressHandler(&watchdog_, Watchdog::kEverySteps);
  return absl::OkStatus();
}

void StatementRunner::SetLimited(bool limited) {
  if (limited == limited_) return;
  limited_ = limited;
  Sandbox::SetValueLimit(connection_, limits_, limited);
}

void StatementRunner::Locate(Error* error) const {
  error->database = name_.database;
  error->node_id = name_.node_id;
  absl::StrAppend(&error->message, " (database ", name_.database, ", node ", name_.node_id);
  if (error->operation.has_value())
    absl::StrAppend(&error->message, ", operation ", *error->operation);
  if (error->statement.has_value())
    absl::StrAppend(&error->message, ", statement ", *error->statement);
  error->message.push_back(')');
}

sqlite::CachedStatement* StatementRunner::Find(std::string_view sql, FailurePtr* failure) {
  *failure = watchdog_.StartStatement();
  if (*failure != nullptr) return nullptr;
  sqlite::CachedStatement* cached = cache_.Find(sql);
  if (cached != nullptr) [[likely]] {
    return cached;
  }
  *failure = Prepare(sql, &cached);
  return cached;
}

FailurePtr StatementRunner::Prepare(std::string_view sql, sqlite::CachedStatement** cached) {
  if (FailurePtr failure = CheckStatementText(sql, max_sql_bytes())) return failure;
  sandbox_.Arm(TagsOfText(sql));
  sqlite::Statement statement;
  const int rc = PrepareWatched(sql, &statement);
  sandbox_.Disarm();
  if (rc != sqlite::kOk) return WhyFailed(connection_->LastError(), false);
  if (statement.has_second_statement() || statement.empty()) {
    return MakeFailure(Reason::kSqlInvalid,
                       "the SQL text has more than one statement; send each one by itself");
  }
  *cached = cache_.Insert(sql, std::move(statement), sandbox_.tags());
  return nullptr;
}

int StatementRunner::PrepareWatched(std::string_view sql, sqlite::Statement* statement) {
  const WatchedCall call(&watchdog_);
  return connection_->Prepare(sql, statement);
}

FailurePtr StatementRunner::WhyFailed(sqlite::SqliteError error, bool was_prepared) const {
  if (sandbox_.refused()) return sandbox_.Refusal();
  if (FailurePtr verdict = watchdog_.Verdict()) {
    StopIfDamaged(error);
    verdict->sqlite_code = error.code;
    verdict->sqlite_extended_code = error.extended_code;
    return verdict;
  }
  FailurePtr failure = FailureOf(error, was_prepared ? Phase::kStep : Phase::kPrepare);
  if (error.code == sqlite::kTooBig) {
    absl::StrAppend(&failure->message, "; max_value_bytes of the node is ",
                    limits_.max_value_bytes);
  }
  return failure;
}

FailurePtr StatementRunner::BindOne(sqlite::CachedStatement* cached, int index,
                                    const Value& value) {
  if (const auto* real = std::get_if<double>(&value); real != nullptr && std::isnan(*real)) {
    return MakeFailure(Reason::kRequestInvalid,
                       absl::StrCat("parameter ", index, " is NaN, which SQLite cannot store"));
  }
  if (limited_ && SizeOf(value) > limits_.max_value_bytes) {
    return MakeFailure(
        Reason::kLimitExceeded,
        absl::StrCat("parameter ", index, " has ", SizeOf(value), " bytes, more than ",
                     limits_.max_value_bytes, " (max_value_bytes of the node)"));
  }
  if (cached->statement.BindStatic(index, value) == sqlite::kOk) return nullptr;
  return WhyFailed(connection_->LastError(), true);
}

FailurePtr StatementRunner::Bind(sqlite::CachedStatement* cached, const Statement& statement) {
  if (!statement.named_params.empty()) return BindNamed(cached, statement);
  if (std::ssize(statement.params) != cached->parameter_count) {
    return MakeFailure(Reason::kSqlInvalid,
                       absl::StrCat("the statement has ", cached->parameter_count,
                                    " parameters, the request has ", statement.params.size()));
  }
  int index = 0;
  for (const Value& value : statement.params) {
    if (FailurePtr failure = BindOne(cached, ++index, value)) return failure;
  }
  return nullptr;
}

FailurePtr StatementRunner::BindNamed(sqlite::CachedStatement* cached, const Statement& statement) {
  if (!statement.params.empty()) {
    return MakeFailure(Reason::kRequestInvalid, "a statement has params or named_params, not both");
  }
  // A search among all of them for each parameter would take minutes for the largest request.
  absl::flat_hash_map<std::string_view, const Value*> given;
  for (const auto& [name, value] : statement.named_params) given.emplace(name, &value);
  absl::flat_hash_set<std::string_view> used;
  for (int index = 1; index <= cached->parameter_count; ++index) {
    const std::string_view name = cached->statement.parameter_name(index);
    const auto found = name.empty() ? given.end() : given.find(name.substr(1));
    if (found == given.end()) {
      return MakeFailure(
          Reason::kSqlInvalid,
          absl::StrCat("parameter ", index,
                       name.empty() ? " has no name" : " is not given: ", std::string(name)));
    }
    // The same name may stand there with two prefixes: two parameters of one value.
    used.insert(found->first);
    if (FailurePtr failure = BindOne(cached, index, *found->second)) return failure;
  }
  for (const auto& [name, value] : statement.named_params) {
    if (used.contains(name)) continue;
    return MakeFailure(Reason::kSqlInvalid,
                       absl::StrCat("the statement has no parameter named ", Printable(name)));
  }
  return nullptr;
}

FailurePtr StatementRunner::Run(sqlite::CachedStatement* cached, const Statement& statement,
                                bool want_rows, int64_t* bytes_left, StatementResult* result) {
  FailurePtr failure = Bind(cached, statement);
  if (failure != nullptr) return failure;
  sandbox_.Arm(cached->tags);
  {
    const WatchedCall call(&watchdog_);
    failure = StepToEnd(&cached->statement, want_rows, bytes_left, result);
  }
  sandbox_.Disarm();
  cached->statement.Reset();
  return failure;
}

FailurePtr StatementRunner::ReadRows(std::string_view sql,
                                     absl::FunctionRef<void(const sqlite::Statement& row)> use) {
  FailurePtr failure;
  sqlite::CachedStatement* cached = Find(sql, &failure);
  if (cached == nullptr) return failure;
  sandbox_.Arm(cached->tags);
  const WatchedCall call(&watchdog_);
  sqlite::StepResult stepped;
  while ((stepped = cached->statement.Step()) == sqlite::StepResult::kRow) use(cached->statement);
  if (stepped == sqlite::StepResult::kFailed) failure = WhyFailed(cached->statement.error(), true);
  sandbox_.Disarm();
  cached->statement.Reset();
  return failure;
}

FailurePtr StatementRunner::StepToEnd(sqlite::Statement* statement, bool want_rows,
                                      int64_t* bytes_left, StatementResult* result) {
  sqlite::StepResult stepped = statement->Step();
  // Now, since the first step prepares the statement again if the schema has another form.
  if (want_rows && stepped != sqlite::StepResult::kFailed) AddColumns(*statement, result);
  while (stepped == sqlite::StepResult::kRow) {
    ++result->rows_returned;
    if (want_rows) {
      if (FailurePtr failure = AddRow(*statement, bytes_left, result)) return failure;
    }
    stepped = statement->Step();
  }
  return stepped == sqlite::StepResult::kDone ? nullptr : WhyFailed(statement->error(), true);
}

FailurePtr StatementRunner::AddRow(const sqlite::Statement& statement, int64_t* bytes_left,
                                   StatementResult* result) const {
  if (std::ssize(result->rows) >= limits_.max_rows) {
    return MakeFailure(Reason::kLimitExceeded,
                       absl::StrCat("the result has more than ", limits_.max_rows,
                                    " rows (max_result_rows of the node); ask for fewer, with "
                                    "LIMIT"));
  }
  const int count = static_cast<int>(result->columns.size());
  *bytes_left -= kRowOverhead;
  Row& row = result->rows.emplace_back();
  row.reserve(static_cast<size_t>(count));
  for (int i = 0; i < count; ++i) {
    // Looked at first: what is over the limit is not copied.
    const sqlite::ValueView view = statement.ColumnView(i);
    *bytes_left -= std::ssize(view.bytes) + kValueOverhead;
    if (*bytes_left < 0) {
      return MakeFailure(Reason::kLimitExceeded,
                         absl::StrCat("the rows take more than ", limits_.max_result_bytes,
                                      " bytes (max_result_bytes of the node); ask for fewer, with "
                                      "LIMIT"));
    }
    if (view.type == sqlite::ValueType::kText && !IsValidUtf8(view.bytes)) {
      return MakeFailure(
          Reason::kResultNotText,
          absl::StrCat("column ", i, " (", result->columns[static_cast<size_t>(i)].name,
                       ") of the result has TEXT that is not UTF-8; "
                       "CAST it AS BLOB to read it"));
    }
    row.push_back(view.ToValue());
  }
  return nullptr;
}

}  // namespace lockstep::participant
