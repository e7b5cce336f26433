// What goes through a participant's mailbox.
#ifndef LOCKSTEP_PARTICIPANT_MESSAGES_H_
#define LOCKSTEP_PARTICIPANT_MESSAGES_H_

#include <variant>
#include <vector>

#include "absl/time/time.h"
#include "common/value.h"
#include "participant/calls.h"
#include "participant/places.h"

namespace lockstep::participant {

// `arrived` and `deadline` are instants of the monotonic clock.
struct PrepareMessage {
  PrepareCall call;
  absl::Duration arrived;
  Done<Votes> done;
};
struct CommitMessage {
  CommitCall call;
  Done<Ok> done;
};
struct RollbackMessage {
  RollbackCall call;
  Done<Ok> done;
};
struct FenceMessage {
  FenceCall call;
  Done<Ok> done;
};
// A Read that the board alone does not admit: a higher term becomes durable first (rule R1).
struct ReadTermMessage {
  Term term = 0;
  RoundId least_round;
  Done<Ok> done;
};
// A client's; `place` is given back when it begins to run.
struct LocalMessage {
  std::vector<Statement> statements;
  absl::Duration deadline;
  Done<std::vector<StatementResult>> done;
  Places::Place place = nullptr;
};
struct HealthMessage {
  Done<Ok> done;
  Places::Place place = nullptr;
};

using Message = std::variant<PrepareMessage, CommitMessage, RollbackMessage, FenceMessage,
                             ReadTermMessage, LocalMessage, HealthMessage>;

}  // namespace lockstep::participant

#endif  // LOCKSTEP_PARTICIPANT_MESSAGES_H_
