#include "common/sqlite/sql_script.h"

#include <sqlite3.h>

#include "common/sqlite/sql_tokenizer.h"

namespace lockstep::sqlite {

std::vector<std::string> SplitScript(std::string_view script) {
  std::vector<std::string> statements;
  const char* begin = script.data();
  const auto take = [&](const char* end) {
    std::string statement(begin, end);
    begin = end;
    if (IsBlankSql(statement)) return;
    // Blanks and comments before a statement belong to no one.
    SqlTokenizer tokens(statement);
    const auto first = tokens.Next().text.data() - statement.data();
    statements.push_back(statement.substr(static_cast<size_t>(first)));
  };
  SqlTokenizer tokens(script);
  for (SqlToken token = tokens.Next(); token.kind != SqlToken::Kind::kEnd; token = tokens.Next()) {
    if (token.text != ";") continue;
    const char* end = token.text.data() + 1;
    if (sqlite3_complete(std::string(begin, end).c_str()) != 0) take(end);
  }
  take(script.data() + script.size());
  return statements;
}

}  // namespace lockstep::sqlite
