// Why a statement of a client failed, as a caller sees it.
#ifndef LOCKSTEP_PARTICIPANT_EXECUTION_FAILURE_H_
#define LOCKSTEP_PARTICIPANT_EXECUTION_FAILURE_H_

#include <cstdint>
#include <memory>
#include <string>

#include "common/error.h"
#include "common/sqlite/error.h"
#include "common/value.h"

namespace lockstep::participant {

// Null means success, at the price of one pointer: an Error is large, and nearly always absent.
using FailurePtr = std::unique_ptr<Error>;

// `message` becomes valid UTF-8.
FailurePtr MakeFailure(Reason reason, const std::string& message);

// Null if the guard allows this number of rows, else GUARD_FAILED with both.
FailurePtr CheckGuard(const Guard& guard, int64_t rows);

// When SQLite failed: to tell names in its SQL from values of parameters in its message.
enum class Phase { kPrepare, kStep };

// Ends the process if the error says that the database is damaged: whatever is answered from it may
// be wrong (INVARIANT_BROKEN in the API). Any thread.
void StopIfDamaged(const sqlite::SqliteError& error);

// By the table of reasons in the API. Not for kInterrupt and kAuth, of which only others know why.
// StopIfDamaged comes first.
FailurePtr FailureOf(const sqlite::SqliteError& error, Phase phase);

}  // namespace lockstep::participant

#endif  // LOCKSTEP_PARTICIPANT_EXECUTION_FAILURE_H_
