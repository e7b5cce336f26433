#include "common/sqlite/sql_script.h"

#include <algorithm>

#include "common/sqlite/sql_tokenizer.h"

namespace lockstep::sqlite {
namespace {

// Sees the tokens of one statement, in order. The END of a trigger stands behind the semicolon of
// its last inner statement, which tells it from the END of a CASE; sqlite3_complete sees it so too.
class StatementEnd {
 public:
  bool IsAt(const SqlToken& token) {
    const bool semicolon = token.text == ";";
    switch (state_) {
      case State::kStart:
        // EXPLAIN and EXPLAIN QUERY PLAN stand before a whole statement.
        if (token.Is("EXPLAIN") || token.Is("QUERY") || token.Is("PLAN")) return false;
        state_ = token.Is("CREATE") ? State::kCreate : State::kOrdinary;
        return semicolon;
      case State::kCreate:
        if (token.Is("TRIGGER")) {
          state_ = State::kTrigger;
        } else if (!token.Is("TEMP") && !token.Is("TEMPORARY")) {
          state_ = State::kOrdinary;
        }
        return semicolon;
      case State::kOrdinary:
        return semicolon;
      case State::kTrigger:
        if (semicolon) state_ = State::kInnerEnd;
        return false;
      case State::kInnerEnd:
        if (!semicolon) state_ = token.Is("END") ? State::kTriggerEnd : State::kTrigger;
        return false;
      case State::kTriggerEnd:
        if (!semicolon) state_ = State::kTrigger;
        return semicolon;
    }
    return semicolon;
  }

 private:
  enum class State { kStart, kCreate, kOrdinary, kTrigger, kInnerEnd, kTriggerEnd };
  State state_ = State::kStart;
};

}  // namespace

std::vector<ScriptStatement> SplitScript(std::string_view script) {
  std::vector<ScriptStatement> statements;
  const char* begin = nullptr;  // of the statement that is read: its first token
  StatementEnd statement_end;
  int line = 1;
  const char* counted = script.data();
  const auto take = [&](const char* end) {
    line += static_cast<int>(std::count(counted, begin, '\n'));
    counted = begin;
    statements.push_back({std::string(begin, end), line});
    begin = nullptr;
    statement_end = StatementEnd();
  };
  SqlTokenizer tokens(script);
  for (SqlToken token = tokens.Next(); token.kind != SqlToken::Kind::kEnd; token = tokens.Next()) {
    if (begin == nullptr) {
      if (token.text == ";") continue;
      begin = token.text.data();
    }
    if (statement_end.IsAt(token)) take(token.text.data() + token.text.size());
  }
  if (begin != nullptr) take(script.data() + script.size());
  return statements;
}

}  // namespace lockstep::sqlite
