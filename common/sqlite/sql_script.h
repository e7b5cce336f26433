// A text of several SQL statements.
#ifndef LOCKSTEP_COMMON_SQLITE_SQL_SCRIPT_H_
#define LOCKSTEP_COMMON_SQLITE_SQL_SCRIPT_H_

#include <string>
#include <string_view>
#include <vector>

namespace lockstep::sqlite {

struct ScriptStatement {
  std::string sql;  // from its first word to its semicolon, or to the end of the script
  int line = 0;     // of the script, from 1, on which it begins
};

// Cuts a script where SQLite sees the end of a statement: behind a semicolon that is not in a
// string, a comment or the body of a trigger. What is left at the end is a statement too; blank
// ones are left out. Says nothing of whether the statements are right. Takes time by the length of
// the script, whatever is in it.
std::vector<ScriptStatement> SplitScript(std::string_view script);

}  // namespace lockstep::sqlite

#endif  // LOCKSTEP_COMMON_SQLITE_SQL_SCRIPT_H_
