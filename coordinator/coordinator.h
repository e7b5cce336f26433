// The coordinator as the services see it: a thread that owns the protocol's state.
#ifndef LOCKSTEP_COORDINATOR_COORDINATOR_H_
#define LOCKSTEP_COORDINATOR_COORDINATOR_H_

#include <condition_variable>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "absl/time/time.h"
#include "common/actor.h"
#include "common/clock.h"
#include "coordinator/cluster.h"
#include "coordinator/decision_log.h"
#include "coordinator/decision_log_thread.h"
#include "coordinator/engine.h"
#include "coordinator/log_clock.h"
#include "coordinator/start_term.h"

namespace lockstep::coordinator {

struct CoordinatorOptions {
  // Calls that may wait for the coordinator's thread; those that wait for participants are bounded
  // by the protocol's queue.
  size_t mailbox_capacity = 20'000;
  RoundCaps round_caps;
  QueueCaps queue_caps;
  absl::Duration slow_transaction = absl::InfiniteDuration();
  uint64_t max_result_bytes = EngineOptions().max_result_bytes;
  DecisionLogThreadOptions log;
  // What the log refuses new transactions by.
  uint64_t least_free_bytes = 0;
  RequestTableOptions requests = {};
  uint64_t random_seed = 0;
  // Runs a task that answers calls; it may do so at once.
  std::function<void(absl::AnyInvocable<void()>)> answer = [](absl::AnyInvocable<void()> task) {
    task();
  };
};

// Use: construct, Start, at the end Refuse and Shutdown, then let the queues of the links drain,
// then destroy. What is not said to be otherwise may be called from every thread.
class Coordinator {
 public:
  // Takes `log` over, which has its members set. Draws a new term from it, and reads it to its end.
  // `cluster` and `clock` outlive the object.
  static absl::StatusOr<std::unique_ptr<Coordinator>> Make(const Cluster* cluster,
                                                           const Clock* clock,
                                                           ParticipantLinks links,
                                                           std::unique_ptr<DecisionLog> log,
                                                           CoordinatorOptions options);
  ~Coordinator();
  Coordinator(const Coordinator&) = delete;
  Coordinator& operator=(const Coordinator&) = delete;

  // Fences the participants. The owner, once.
  void Start();
  // Waits until each participant has answered, or failed to, once; at most `timeout`. The owner.
  void WaitUntilAllAsked(absl::Duration timeout);

  // Calls transaction->done in the end: within this call if there is no place for it.
  void Execute(std::unique_ptr<Transaction> transaction);

  // Runs `task` on the coordinator's thread. An error, and `task` is gone, if there is no place for
  // it or the coordinator is shut down.
  [[nodiscard]] std::optional<Error> Run(Task task);

  // What the log says, after everything that is decided so far; on the log's thread.
  void FindOutcome(TransactionId id,
                   absl::AnyInvocable<void(absl::StatusOr<LoggedOutcome>)> answer);

  // The same for the answer of a request_id, in these rounds.
  void FindAnswer(const RequestTry& request, Rounds rounds,
                  absl::AnyInvocable<void(absl::StatusOr<std::optional<StoredAnswer>>)> answer);

  // Refuses new transactions and those that wait; those in a round come to their end.
  void Refuse();
  // Waits until what was in a round is decided, answered and delivered, at most `grace`; then ends
  // the threads, cancels what calls to participants are still under way, and tells the clients
  // whose transactions did not end that nothing is known of them. After Refuse; the owner. Later
  // calls of Execute and Run are refused; none of FindOutcome may come.
  void Shutdown(absl::Duration grace);

  const Cluster& cluster() const { return *cluster_; }
  const Clock& clock() const { return *clock_; }
  Term term() const { return term_; }
  const std::string& log_id() const { return log_id_; }
  absl::Time start_time() const { return start_time_; }

 private:
  class Sink;

  Coordinator(const Cluster* cluster, const Clock* clock, ParticipantLinks links,
              std::unique_ptr<DecisionLog> log, const CoordinatorOptions& options, TermStart start);
  Error WhyRefused() const;
  void Post(Message message);
  void OnIdle();
  [[noreturn]] void End(const Fatal& fatal);

  const Cluster* const cluster_;
  const Clock* const clock_;
  const Term term_;
  const absl::Time start_time_;
  const std::string log_id_;
  const LogClock log_clock_;

  std::mutex mutex_;
  std::condition_variable idle_changed_;
  bool idle_ = false;  // guarded by mutex_

  ParticipantLinks links_;
  std::unique_ptr<DecisionLogThread> log_;
  std::unique_ptr<Sink> sink_;
  std::unique_ptr<Engine> engine_;  // the actor's thread only, once that runs
  std::unique_ptr<Actor<Message>> actor_;
};

}  // namespace lockstep::coordinator

#endif  // LOCKSTEP_COORDINATOR_COORDINATOR_H_
