#include "participant/execution/sandbox.h"

#include <algorithm>
#include <array>
#include <limits>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "common/sqlite/access.h"
#include "common/sqlite/sql_tokenizer.h"
#include "common/sqlite/statement.h"
#include "participant/execution/statement_text.h"

namespace lockstep::participant {
namespace {

using sqlite::Limit;
using sqlite::Switch;

// Virtual tables whose changes roll back with savepoints and are the same on every replica.
constexpr std::array<std::string_view, 3> kModules = {"fts5", "rtree", "rtree_i32"};
constexpr std::string_view kOtherModule = "a virtual table other than fts5 or rtree";

// Tables that SQLite shows of itself: they differ between replicas, or would change plans.
constexpr std::array<std::string_view, 4> kInternalTables = {"sqlite_stmt", "dbstat",
                                                             "fts3tokenize", "sqlite_dbpage"};
constexpr std::string_view kStatisticsPrefix = "sqlite_stat";

// Pragmas, as statements of FTS5 and rtree or as tables, that only tell what the schema says.
constexpr std::array<std::string_view, 9> kReadOnlyPragmas = {
    "data_version", "page_size",  "table_info",  "table_xinfo",     "table_list",
    "index_list",   "index_info", "index_xinfo", "foreign_key_list"};
// What ALTER TABLE … ADD COLUMN reads to check a new constraint against old rows.
constexpr std::string_view kQuickCheck = "quick_check";

constexpr std::array<std::string_view, 2> kForbiddenFunctions = {"load_extension",
                                                                 "fts3_tokenizer"};

std::string_view ViewOf(const char* text) {
  return text == nullptr ? std::string_view() : std::string_view(text);
}

bool Same(std::string_view a, std::string_view b) {
  return a.size() == b.size() && absl::EqualsIgnoreCase({a.data(), a.size()}, {b.data(), b.size()});
}

bool StartsWith(std::string_view name, std::string_view prefix) {
  return Same(name.substr(0, prefix.size()), prefix);
}

template <typename Names>
bool IsOneOf(std::string_view name, const Names& names) {
  return std::any_of(names.begin(), names.end(),
                     [name](std::string_view other) { return Same(name, other); });
}

constexpr char kVirtualTables[] =
    "SELECT name, sql FROM sqlite_schema WHERE sql LIKE 'create virtual table%'";

std::string ModuleOf(std::string_view sql) {
  sqlite::SqlTokenizer tokens(sql);
  sqlite::SqlToken token = tokens.Next();
  while (token.kind != sqlite::SqlToken::Kind::kEnd && !token.Is("USING")) token = tokens.Next();
  return tokens.Next().Name();
}

// SQLite has limits of its own that these cannot exceed.
constexpr int kNoLimit = std::numeric_limits<int>::max();
int Clamp(int64_t limit) { return static_cast<int>(std::min<int64_t>(limit, kNoLimit)); }

// What was stored by default stays readable when the limit of new values is lowered.
constexpr int64_t kLeastValueBytes = ExecutionLimits().max_value_bytes;

absl::Status RestrictSwitches(sqlite::Connection* connection) {
  constexpr std::array<std::pair<Switch, bool>, 7> kSwitches = {{
      {Switch::kForeignKeys, true},
      {Switch::kDefensive, true},
      // Without it SQLite 3.40 refuses its JSON functions and FTS5 in CHECKs, indexes and triggers
      // (docs/decisions/0006). What a schema brings into a statement is judged as the statement is.
      {Switch::kTrustedSchema, true},
      {Switch::kDoubleQuotedStringsInDml, false},
      {Switch::kDoubleQuotedStringsInDdl, false},
      {Switch::kLoadExtension, false},
      {Switch::kFts3Tokenizer, false},
  }};
  for (const auto& [which, on] : kSwitches) {
    if (absl::Status status = connection->Set(which, on); !status.ok()) return status;
  }
  return absl::OkStatus();
}

}  // namespace

absl::Status Sandbox::Restrict(sqlite::Connection* connection, const ExecutionLimits& limits) {
  if (absl::Status status = RestrictSwitches(connection); !status.ok()) return status;
  SetValueLimit(connection, limits, true);
  connection->SetLimit(Limit::kAttached, 0);
  connection->SetLimit(Limit::kExpressionDepth, 500);
  connection->SetLimit(Limit::kCompoundSelect, 200);
  connection->SetLimit(Limit::kProgramSteps, 2'000'000);
  connection->SetLimit(Limit::kVariableNumber, 32'766);
  connection->SetLimit(Limit::kTriggerDepth, 100);
  // Matching takes time by length of pattern times length of text, and cannot be interrupted: with
  // this, a second or two on a value of the largest size. An own LIKE would use no index.
  connection->SetLimit(Limit::kLikePatternLength, 100);
  connection->SetLimit(Limit::kWorkerThreads, 0);
  return absl::OkStatus();
}

void Sandbox::SetValueLimit(sqlite::Connection* connection, const ExecutionLimits& limits,
                            bool limited) {
  // A row has room for two of the largest values.
  const int64_t row = 2 * std::max(limits.max_value_bytes, kLeastValueBytes) + (64 << 10);
  connection->SetLimit(Limit::kLength, limited ? Clamp(row) : kNoLimit);
}

absl::Status Sandbox::FindForeignTables(sqlite::Connection* connection) {
  absl::StatusOr<sqlite::Statement> tables = connection->Prepare(kVirtualTables);
  if (!tables.ok()) return tables.status();
  sqlite::StepResult stepped;
  while ((stepped = tables->Step()) == sqlite::StepResult::kRow) {
    if (IsOneOf(ModuleOf(tables->ColumnView(1).bytes), kModules)) continue;
    foreign_tables_.emplace_back(tables->ColumnView(0).bytes);
  }
  if (stepped == sqlite::StepResult::kDone) return absl::OkStatus();
  return tables->error().ToStatus("reading the virtual tables of the schema");
}

FailurePtr Sandbox::Refusal() const {
  if (refusal_.empty()) return nullptr;
  FailurePtr failure =
      MakeFailure(Reason::kStatementNotAllowed, absl::StrCat(refusal_, " is not allowed"));
  failure->sqlite_code = sqlite::kAuth;
  failure->sqlite_extended_code = sqlite::kAuth;
  return failure;
}

bool Sandbox::Deny(std::string_view what) {
  if (refusal_.empty()) refusal_ = what;
  return false;
}

bool Sandbox::Authorize(const sqlite::AccessRequest& request) {
  if (!armed_) return true;
  switch (request.action) {
    case sqlite::kSelect:
    case sqlite::kRecursive:
      return true;
    case sqlite::kRead:
      return JudgeDatabase(request) && JudgeRead(request);
    case sqlite::kInsert:
    case sqlite::kUpdate:
    case sqlite::kDelete:
      return JudgeDatabase(request) && JudgeTable(ViewOf(request.first));
    case sqlite::kFunction:
      return JudgeFunction(ViewOf(request.second));
    case sqlite::kPragma:
      return JudgePragma(request);
    case sqlite::kTransaction:
    case sqlite::kSavepoint:
      return Deny("transaction control");
    case sqlite::kAttach:
    case sqlite::kDetach:
      return Deny("ATTACH or DETACH");
    case sqlite::kAnalyze:
      return Deny("ANALYZE");
    default:
      return JudgeSchemaChange(request);
  }
}

// ALTER looks for temporary objects that name what it changes.
bool Sandbox::JudgeDatabase(const sqlite::AccessRequest& request) {
  const std::string_view table = ViewOf(request.first);
  const bool temporary = Same(ViewOf(request.database), "temp") ||
                         Same(table, "sqlite_temp_master") || Same(table, "sqlite_temp_schema");
  return !temporary || is_alter() || Deny("a temporary object");
}

bool Sandbox::JudgeTable(std::string_view table) {
  if (IsLockstepName(table)) return Deny("the use of Lockstep's own tables");
  if (StartsWith(table, kStatisticsPrefix)) return Deny("the use of SQLite's statistics");
  if (IsOneOf(table, foreign_tables_)) return Deny(kOtherModule);
  return true;
}

bool Sandbox::JudgeRead(const sqlite::AccessRequest& request) {
  const std::string_view table = ViewOf(request.first);
  if (IsOneOf(table, kInternalTables)) return Deny("the use of SQLite's internal tables");
  if (IsPragmaName(table)) {
    const std::string_view pragma = table.substr(kPragmaTablePrefix.size());
    const bool allowed = IsOneOf(pragma, kReadOnlyPragmas) && !Same(pragma, "data_version");
    if (!allowed && !(is_alter() && Same(pragma, kQuickCheck))) return Deny("this PRAGMA");
    return true;
  }
  return JudgeTable(table);
}

bool Sandbox::JudgeSchemaChange(const sqlite::AccessRequest& request) {
  switch (request.action) {
    case sqlite::kCreateTempIndex:
    case sqlite::kCreateTempTable:
    case sqlite::kCreateTempTrigger:
    case sqlite::kCreateTempView:
    case sqlite::kDropTempIndex:
    case sqlite::kDropTempTable:
    case sqlite::kDropTempTrigger:
    case sqlite::kDropTempView:
      return Deny("a temporary object");
    case sqlite::kCreateVirtualTable:
    case sqlite::kDropVirtualTable:
      if (!IsOneOf(ViewOf(request.second), kModules)) {
        return Deny(kOtherModule);
      }
      break;
    case sqlite::kCreateTable:
    case sqlite::kCreateView:
      if (IsPragmaName(ViewOf(request.first))) return Deny("a name that begins with pragma_");
      break;
    case sqlite::kAlterTable:  // its first is the database
    case sqlite::kCreateIndex:
    case sqlite::kCreateTrigger:
    case sqlite::kDropIndex:
    case sqlite::kDropTable:
    case sqlite::kDropTrigger:
    case sqlite::kDropView:
    case sqlite::kReindex:
      break;
    default:
      return Deny("this kind of statement");
  }
  return JudgeTable(ViewOf(request.first)) && JudgeTable(ViewOf(request.second));
}

bool Sandbox::JudgeFunction(std::string_view function) {
  if (IsOneOf(function, kForbiddenFunctions)) return Deny("this function");
  if (Same(function, "changes")) tags_ |= kUsesChanges;
  return true;
}

// A PRAGMA of the client's own text was refused before: this is a virtual table's or ALTER's.
bool Sandbox::JudgePragma(const sqlite::AccessRequest& request) {
  const std::string_view pragma = ViewOf(request.first);
  if (is_alter() && Same(pragma, kQuickCheck)) return true;
  const bool sets_page_size = Same(pragma, "page_size") && request.second != nullptr;
  if (!IsOneOf(pragma, kReadOnlyPragmas) || sets_page_size) return Deny("this PRAGMA");
  return true;
}

}  // namespace lockstep::participant
