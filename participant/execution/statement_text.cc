#include "participant/execution/statement_text.h"

#include <array>
#include <string>
#include <vector>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "common/sqlite/sql_tokenizer.h"
#include "common/utf8.h"

namespace lockstep::participant {
namespace {

using sqlite::SqlToken;
using Kind = SqlToken::Kind;

constexpr std::string_view kPrefix = "lockstep_";
constexpr std::string_view kBareName = kPrefix.substr(0, kPrefix.size() - 1);

struct Forbidden {
  std::string_view keyword;
  std::string_view why;
};

constexpr std::string_view kTransactionControl =
    "a transaction begins and ends with the request that carries it";
constexpr std::array kForbiddenStatements = {
    Forbidden{"BEGIN", kTransactionControl},
    Forbidden{"COMMIT", kTransactionControl},
    Forbidden{"END", kTransactionControl},
    Forbidden{"ROLLBACK", kTransactionControl},
    Forbidden{"SAVEPOINT", kTransactionControl},
    Forbidden{"RELEASE", kTransactionControl},
    Forbidden{"ATTACH", "a node has one file"},
    Forbidden{"DETACH", "a node has one file"},
    Forbidden{"PRAGMA", "the settings of the connection are Lockstep's own"},
    Forbidden{"VACUUM", "it would rewrite the file on one node alone"},
    Forbidden{"ANALYZE", "statistics that differ would make replicas choose different plans"},
};

// Statements that EXPLAIN may stand before: those that it does not make SQLite act on.
constexpr std::array<std::string_view, 7> kExplainable = {"SELECT",  "VALUES", "WITH",  "INSERT",
                                                          "REPLACE", "UPDATE", "DELETE"};

FailurePtr NotAllowed(std::string_view what, std::string_view why) {
  return MakeFailure(Reason::kStatementNotAllowed,
                     absl::StrCat(std::string(what), " is not allowed: ", std::string(why)));
}

bool IsPunctuation(const SqlToken& token, char c) {
  return token.kind == Kind::kPunctuation && token.text[0] == c;
}

std::vector<SqlToken> TokensOf(std::string_view sql) {
  std::vector<SqlToken> tokens;
  tokens.reserve(sql.size() / 4 + 1);
  sqlite::SqlTokenizer tokenizer(sql);
  for (SqlToken token = tokenizer.Next(); token.kind != Kind::kEnd; token = tokenizer.Next()) {
    // SQLite takes semicolons before the statement, too.
    if (tokens.empty() && IsPunctuation(token, ';')) continue;
    tokens.push_back(token);
  }
  return tokens;
}

SqlToken FirstToken(std::string_view sql) {
  sqlite::SqlTokenizer tokenizer(sql);
  SqlToken token = tokenizer.Next();
  while (IsPunctuation(token, ';')) token = tokenizer.Next();
  return token;
}

FailurePtr CheckExplain(const std::vector<SqlToken>& tokens) {
  size_t next = 1;
  if (tokens.size() > 3 && tokens[1].Is("QUERY") && tokens[2].Is("PLAN")) next = 3;
  if (next >= tokens.size()) return nullptr;  // SQLite says what is missing
  for (const std::string_view keyword : kExplainable) {
    if (tokens[next].Is(keyword)) return nullptr;
  }
  return NotAllowed("EXPLAIN of this statement", "it explains queries and row changes only");
}

FailurePtr CheckFirstWord(const std::vector<SqlToken>& tokens) {
  if (tokens[0].Is("EXPLAIN")) return CheckExplain(tokens);
  for (const Forbidden& forbidden : kForbiddenStatements) {
    if (tokens[0].Is(forbidden.keyword)) return NotAllowed(forbidden.keyword, forbidden.why);
  }
  return nullptr;
}

// INSERT OR ROLLBACK, UPDATE OR ROLLBACK, ON CONFLICT ROLLBACK, RAISE(ROLLBACK, …): as a column's
// name after these words ROLLBACK has to be quoted, so nothing legal is refused.
FailurePtr CheckRollbackClauses(const std::vector<SqlToken>& tokens) {
  for (size_t i = 2; i < tokens.size(); ++i) {
    if (!tokens[i].Is("ROLLBACK")) continue;
    const SqlToken& first = tokens[i - 2];
    const SqlToken& second = tokens[i - 1];
    const bool conflict_clause = (second.Is("OR") && (first.Is("INSERT") || first.Is("UPDATE"))) ||
                                 (second.Is("CONFLICT") && first.Is("ON"));
    const bool raise = IsPunctuation(second, '(') && first.Is("RAISE");
    if (conflict_clause || raise) {
      return NotAllowed(raise ? "RAISE(ROLLBACK)" : "the conflict clause ROLLBACK",
                        "it would undo the transactions of others; use ABORT");
    }
  }
  return nullptr;
}

FailurePtr CheckRename(const std::vector<SqlToken>& tokens) {
  if (!tokens[0].Is("ALTER")) return nullptr;
  for (size_t i = 2; i < tokens.size(); ++i) {
    if (!tokens[i - 2].Is("RENAME") || !tokens[i - 1].Is("TO")) continue;
    if (IsLockstepName(tokens[i].Name()) || IsPragmaName(tokens[i].Name())) {
      return NotAllowed("a rename to this name",
                        "lockstep and names that begin with lockstep_ or pragma_ are not free");
    }
  }
  return nullptr;
}

// A foreign key to a column that is not unique would make Lockstep's own updates fail.
FailurePtr CheckReferences(const std::vector<SqlToken>& tokens) {
  for (size_t i = 1; i < tokens.size(); ++i) {
    if (tokens[i - 1].Is("REFERENCES") && IsLockstepName(tokens[i].Name())) {
      return NotAllowed("a foreign key to this table", "it is one of Lockstep's own");
    }
  }
  return nullptr;
}

// Such a table can be made, but nothing can be read from it or written to it.
FailurePtr CheckContent(const std::vector<SqlToken>& tokens) {
  if (tokens.size() < 2 || !tokens[0].Is("CREATE") || !tokens[1].Is("VIRTUAL")) return nullptr;
  for (size_t i = 4; i < tokens.size(); ++i) {
    if (tokens[i - 2].Is("CONTENT") && IsPunctuation(tokens[i - 1], '=') &&
        IsLockstepName(tokens[i].Name())) {
      return NotAllowed("this content of a virtual table", "it is one of Lockstep's own tables");
    }
  }
  return nullptr;
}

FailurePtr CheckBytes(std::string_view sql, int64_t max_bytes) {
  if (static_cast<int64_t>(sql.size()) > max_bytes) {
    return MakeFailure(Reason::kLimitExceeded,
                       absl::StrCat("the SQL text has ", sql.size(), " bytes, more than ",
                                    max_bytes, " (max_sql_bytes of the node)"));
  }
  if (sql.find('\0') != std::string_view::npos) {
    return MakeFailure(Reason::kSqlInvalid, "the SQL text has a NUL in it; bind such values");
  }
  if (!IsValidUtf8(sql)) return MakeFailure(Reason::kSqlInvalid, "the SQL text is not UTF-8");
  return nullptr;
}

}  // namespace

// The bare word too: a virtual table of that name has its own tables behind it, lockstep_data and
// the like.
bool IsLockstepName(std::string_view name) {
  const std::string_view prefix = name.size() < kPrefix.size() ? kBareName : kPrefix;
  return absl::EqualsIgnoreCase(std::string(name.substr(0, kPrefix.size())), std::string(prefix));
}

bool IsPragmaName(std::string_view name) {
  return absl::EqualsIgnoreCase(std::string(name.substr(0, kPragmaTablePrefix.size())),
                                std::string(kPragmaTablePrefix));
}

bool IsAlterStatement(std::string_view sql) { return FirstToken(sql).Is("ALTER"); }

bool IsSchemaStatement(std::string_view sql) {
  const SqlToken first = FirstToken(sql);
  return first.Is("CREATE") || first.Is("DROP") || first.Is("ALTER");
}

std::string TableFilledByCreate(std::string_view sql) {
  const std::vector<SqlToken> tokens = TokensOf(sql);
  const auto is = [&](size_t index, std::string_view keyword) {
    return index < tokens.size() && tokens[index].Is(keyword);
  };
  if (!is(0, "CREATE") || !is(1, "TABLE")) return "";
  size_t name = is(2, "IF") && is(3, "NOT") ? 5 : 2;
  if (name + 2 < tokens.size() && IsPunctuation(tokens[name + 1], '.')) name += 2;
  return is(name + 1, "AS") ? tokens[name].Name() : "";
}

FailurePtr CheckStatementText(std::string_view sql, int64_t max_bytes) {
  if (FailurePtr failure = CheckBytes(sql, max_bytes)) return failure;
  const std::vector<SqlToken> tokens = TokensOf(sql);
  if (tokens.empty()) {
    return MakeFailure(Reason::kSqlInvalid, "there is no statement in the SQL text");
  }
  if (FailurePtr failure = CheckFirstWord(tokens)) return failure;
  if (FailurePtr failure = CheckRollbackClauses(tokens)) return failure;
  if (FailurePtr failure = CheckReferences(tokens)) return failure;
  if (FailurePtr failure = CheckContent(tokens)) return failure;
  return CheckRename(tokens);
}

}  // namespace lockstep::participant
