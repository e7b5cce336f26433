// What the text of a statement tells before SQLite sees it.
#ifndef LOCKSTEP_PARTICIPANT_EXECUTION_STATEMENT_TEXT_H_
#define LOCKSTEP_PARTICIPANT_EXECUTION_STATEMENT_TEXT_H_

#include <cstdint>
#include <string>
#include <string_view>

#include "participant/execution/failure.h"

namespace lockstep::participant {

// Refuses what SQLite's authorizer does not see or would say less clearly: VACUUM, PRAGMA,
// transaction control, conflict clauses with ROLLBACK (which end the transaction of everybody in
// the round), renames and foreign keys to names of Lockstep's own, and text that is too long or not
// text. Comments, strings and quoted names are not mistaken for keywords.
FailurePtr CheckStatementText(std::string_view sql, int64_t max_bytes);

// Whether it begins with ALTER.
bool IsAlterStatement(std::string_view sql);

// Whether it may change the schema, by its text alone: whether it does depends on the schema, and
// that may have been another one when the statement was prepared.
bool IsSchemaStatement(std::string_view sql);

// The name of the table that CREATE TABLE … AS fills; empty for every other statement. Requires
// text that CheckStatementText passed and SQLite took.
std::string TableFilledByCreate(std::string_view sql);

// Whether a table or other object of this name is Lockstep's own: lockstep, or lockstep_ and more.
// In any case, as SQLite compares.
bool IsLockstepName(std::string_view name);

// Tables that SQLite itself makes of its PRAGMAs have such names; one of a client could not be told
// from them when it is read.
inline constexpr std::string_view kPragmaTablePrefix = "pragma_";
bool IsPragmaName(std::string_view name);

}  // namespace lockstep::participant

#endif  // LOCKSTEP_PARTICIPANT_EXECUTION_STATEMENT_TEXT_H_
