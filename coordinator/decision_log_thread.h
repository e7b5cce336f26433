// The thread that writes decisions, many with one sync.
#ifndef LOCKSTEP_COORDINATOR_DECISION_LOG_THREAD_H_
#define LOCKSTEP_COORDINATOR_DECISION_LOG_THREAD_H_

#include <cstdint>
#include <latch>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "absl/functional/any_invocable.h"
#include "absl/time/time.h"
#include "common/actor.h"
#include "common/clock.h"
#include "coordinator/decision_log.h"
#include "coordinator/log_clock.h"

namespace lockstep::coordinator {

// What the thread tells its owner, on its own thread: to be short and not to throw.
struct DecisionLogListener {
  // These decisions are durable (R13). One call per sync, in the order of Append.
  absl::AnyInvocable<void(std::vector<RoundId> rounds)> on_durable;
  // Whether new transactions must be refused from now on for want of space; told when it changes.
  absl::AnyInvocable<void(bool is_short)> on_space;
  // Whether the answers take all the space that they may; told when it changes.
  absl::AnyInvocable<void(bool are_full)> on_answers = [](bool) {};
  // These answers are not kept any more.
  absl::AnyInvocable<void(ForgottenAnswers)> on_forgotten = [](ForgottenAnswers) {};
};

struct DecisionLogThreadOptions {
  // Longer than the hour that is promised, by what a transaction may last: what was aborted at the
  // end of its life is told by the records of its neighbours, that were decided earlier.
  absl::Duration outcome_lifetime = absl::Minutes(65);
  // What the answers of request_ids may take.
  uint64_t most_answer_bytes = uint64_t{4} << 30;
  // How long what needs no sync of its own may wait for a decision to ride along with.
  absl::Duration lazy_delay = absl::Milliseconds(200);
};

// All decisions that wait become durable with one sync. What is forgotten, and the participants'
// durable rounds, ride along with a later one, or are written when nothing else is to do. Whatever
// the log refuses ends the process at once: nothing is sent or answered after it (R13).
//
// Every method but the constructor, Stop and the destructor may be called from every thread; after
// Stop has begun, what is given is lost.
class DecisionLogThread {
 public:
  // `log` has been recovered. `clock` outlives the object.
  DecisionLogThread(std::unique_ptr<DecisionLog> log, const Clock* clock, LogClock log_clock,
                    DecisionLogThreadOptions options, DecisionLogListener listener);

  void Append(std::vector<Decision> decisions);
  // For what is not in a hurry: LogBatch without decisions. Written in one piece.
  void WriteLater(LogBatch batch);
  // `answer` is called on the log's thread, after all that was given before is durable.
  void FindOutcome(TransactionId id,
                   absl::AnyInvocable<void(absl::StatusOr<LoggedOutcome>)> answer);
  // Marks the log (R22), and returns when that is durable. The process has to end then.
  void MarkSuperseded(const std::string& reason);

  // The same for the answer of a request_id; see DecisionLog::FindAnswer.
  void FindAnswer(std::string request_id, Rounds rounds, const Retention& retention,
                  absl::AnyInvocable<void(absl::StatusOr<std::optional<StoredAnswer>>)> answer);

  // Writes what was given, the lazy part too, and ends the thread.
  void Stop();

 private:
  struct OutcomeQuestion {
    TransactionId id;
    absl::AnyInvocable<void(absl::StatusOr<LoggedOutcome>)> answer;
  };
  struct AnswerQuestion {
    std::string request_id;
    Rounds rounds;
    Retention retention;
    absl::AnyInvocable<void(absl::StatusOr<std::optional<StoredAnswer>>)> answer;
  };
  struct Mark {
    std::string reason;
    std::latch* durable;
  };
  using Command =
      std::variant<std::vector<Decision>, LogBatch, OutcomeQuestion, AnswerQuestion, Mark>;

  void Push(Command command);
  void Handle(std::vector<Command>& commands);
  void Take(Command& command);
  void WriteDecisions();
  void WriteLazy();
  bool LazyIsDue() const;
  void Answer();
  void StoreMark(const Mark& mark);
  absl::Time LogNow() const { return log_clock_.At(clock_->MonotonicNow()); }
  void AskForSpace();
  void DropOld(bool space_is_short);
  void DropOldOutcomes(absl::Time keep_since);
  void DropOldAnswers(absl::Time now);
  void Idle();

  const std::unique_ptr<DecisionLog> log_;
  const Clock* const clock_;
  const LogClock log_clock_;
  const DecisionLogThreadOptions options_;

  // Only the thread touches what follows.
  DecisionLogListener listener_;
  LogBatch batch_;
  LogBatch lazy_;
  absl::Duration lazy_since_;
  absl::Duration space_asked_;
  uint64_t rounds_written_ = 0;  // since old ones were dropped
  bool space_is_short_ = false;
  bool answers_are_full_ = false;
  std::vector<OutcomeQuestion> questions_;
  std::vector<AnswerQuestion> answer_questions_;

  Actor<Command> actor_;
};

}  // namespace lockstep::coordinator

#endif  // LOCKSTEP_COORDINATOR_DECISION_LOG_THREAD_H_
