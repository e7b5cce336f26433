// SQL text: the tokenizer, and where a script's statements end, which SQLite itself says too.
#include <sqlite3.h>

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "common/check.h"
#include "common/sqlite/sql_script.h"
#include "common/sqlite/sql_tokenizer.h"

namespace lockstep::sqlite {
namespace {

using Database = std::unique_ptr<sqlite3, decltype(&sqlite3_close)>;

// A pragma acts while it is prepared; an attached file lies outside.
int RefuseWhatActs(void*, int action, const char*, const char*, const char*, const char*) {
  const bool acts = action == SQLITE_PRAGMA || action == SQLITE_ATTACH || action == SQLITE_DETACH;
  return acts ? SQLITE_DENY : SQLITE_OK;
}

sqlite3* SharedDatabase() {
  static const Database database = [] {
    sqlite3* opened = nullptr;
    LOCKSTEP_CHECK(sqlite3_open(":memory:", &opened) == SQLITE_OK, "no database");
    LOCKSTEP_CHECK(sqlite3_exec(opened, "CREATE TABLE t(a, b); CREATE VIEW v AS SELECT a FROM t;",
                                nullptr, nullptr, nullptr) == SQLITE_OK,
                   "no tables");
    sqlite3_set_authorizer(opened, RefuseWhatActs, nullptr);
    return Database(opened, sqlite3_close);
  }();
  return database.get();
}

struct FirstStatement {
  bool is_valid = false;
  bool is_blank = false;
  size_t end = 0;
};

FirstStatement PrepareFirst(const std::string& sql) {
  sqlite3_stmt* statement = nullptr;
  const char* tail = nullptr;
  const int code = sqlite3_prepare_v2(SharedDatabase(), sql.c_str(),
                                      static_cast<int>(sql.size()) + 1, &statement, &tail);
  const FirstStatement first{.is_valid = code == SQLITE_OK,
                             .is_blank = statement == nullptr,
                             .end = static_cast<size_t>(tail - sql.c_str())};
  sqlite3_finalize(statement);
  return first;
}

// Tokens are pieces of the text, in its order, and names survive quoting.
void CheckTokens(const std::string& sql) {
  SqlTokenizer tokens(sql);
  const char* end = sql.data();
  for (SqlToken token = tokens.Next(); token.kind != SqlToken::Kind::kEnd; token = tokens.Next()) {
    LOCKSTEP_CHECK(!token.text.empty() && token.text.data() >= end, "a token out of order");
    end = token.text.data() + token.text.size();
    LOCKSTEP_CHECK(end <= sql.data() + sql.size(), "a token beyond the text");
    const std::string name = token.Name();
    const std::string quoted = QuotedName(name);
    const SqlToken again = SqlTokenizer(quoted).Next();
    LOCKSTEP_CHECK(again.text == quoted && again.Name() == name, "a name changes in quotes");
  }
  LOCKSTEP_CHECK(tokens.Next().kind == SqlToken::Kind::kEnd, "something behind the end");
}

void CheckSameStatements(const std::vector<ScriptStatement>& all, size_t from,
                         const std::vector<ScriptStatement>& rest) {
  LOCKSTEP_CHECK(all.size() == from + rest.size(), "the number of statements");
  for (size_t i = 0; i < rest.size(); ++i) {
    LOCKSTEP_CHECK(all[from + i].sql == rest[i].sql, "a statement depends on those before it");
  }
}

// As far as SQLite accepts the statements, it tells where each of them ends.
void CheckStatementEnds(const std::string& script) {
  std::string left = script;
  bool blank_so_far = true;
  while (!left.empty()) {
    const FirstStatement first = PrepareFirst(left);
    if (!first.is_valid) {
      LOCKSTEP_CHECK(!IsBlankSql(left), "SQLite finds a statement in blanks");
      return;
    }
    blank_so_far = blank_so_far && first.is_blank;
    const std::vector<ScriptStatement> statements = SplitScript(left);
    const std::string rest = left.substr(first.end);
    if (!first.is_blank) {
      LOCKSTEP_CHECK(!statements.empty(), "a statement is taken for blanks");
      LOCKSTEP_CHECK(std::string_view(left).substr(0, first.end).ends_with(statements[0].sql),
                     "SQLite sees another end of a statement");
    }
    CheckSameStatements(statements, first.is_blank ? 0 : 1, SplitScript(rest));
    left = rest;
  }
  LOCKSTEP_CHECK(IsBlankSql(script) == blank_so_far, "what is blank");
}

}  // namespace
}  // namespace lockstep::sqlite

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string sql(reinterpret_cast<const char*>(data), size);
  lockstep::sqlite::CheckTokens(sql);
  lockstep::sqlite::SplitScript(sql);
  // SQLite's text ends at a NUL, and a vertical tab is a blank to it only behind another one.
  constexpr std::string_view kReadInAnotherWay("\0\v", 2);
  if (sql.find_first_of(kReadInAnotherWay) == std::string::npos) {
    lockstep::sqlite::CheckStatementEnds(sql);
  }
  return 0;
}
