// Local transactions that wait for their turn at the writer's connection.
#ifndef LOCKSTEP_PARTICIPANT_LOCAL_QUEUE_H_
#define LOCKSTEP_PARTICIPANT_LOCAL_QUEUE_H_

#include <cstddef>
#include <deque>
#include <optional>
#include <random>
#include <utility>
#include <vector>

#include "absl/time/time.h"
#include "common/clock.h"
#include "participant/engine_options.h"
#include "participant/execution/branch_executor.h"
#include "participant/messages.h"
#include "participant/storage/prepare_store.h"

namespace lockstep::participant {

// Several that wait at once share one SQLite transaction, each in its savepoint, and so one sync.
// Every message is answered exactly once, on what is durable by then. Thread: the actor's.
class LocalQueue {
 public:
  // `seed`: of the seeds that the transactions get.
  LocalQueue(const EngineOptions& options, const Clock& clock, uint64_t seed)
      : options_(options), clock_(clock), seeds_(seed) {}

  void Add(LocalMessage message) { waiting_.push_back(std::move(message)); }
  bool empty() const { return waiting_.empty(); }
  // Answers those whose time is over.
  void Expire();
  // Answers all.
  void RefuseAll(const Error& error);
  // When the next one's time is over, on the monotonic clock.
  std::optional<absl::Duration> NextDeadline() const;
  // Runs what waits, until kLocalTurn is over; what runs then ends first. Requires that the store
  // holds nothing. After an answer OK the changes are visible and durable.
  void Run(PrepareStore* store, BranchExecutor* executor);

 private:
  using Group = std::vector<LocalMessage>;
  Group TakeGroup();
  void RunGroup(Group group, absl::Duration until, PrepareStore* store, BranchExecutor* executor);
  void Answer(LocalMessage* message, BranchVote* vote) const;
  void Requeue(size_t first, Group* group, std::vector<Branch>* branches);
  Branch MakeBranch(LocalMessage* message, absl::Time clock);
  Error Complete(Error error) const;

  const EngineOptions& options_;
  const Clock& clock_;
  std::mt19937_64 seeds_;
  std::deque<LocalMessage> waiting_;
  // So many from the front run alone: one of them took a shared transaction with it.
  size_t alone_ = 0;
};

}  // namespace lockstep::participant

#endif  // LOCKSTEP_PARTICIPANT_LOCAL_QUEUE_H_
