#include "participant/local_queue.h"

#include <algorithm>
#include <iterator>
#include <utility>

#include "common/check.h"
#include "participant/errors.h"

namespace lockstep::participant {

void LocalQueue::Add(LocalMessage message) {
  if (waiting_.size() >= options_.waiting_locals) {
    message.done(QueueFull("queue of local transactions", options_.waiting_locals, options_.name));
    return;
  }
  waiting_.push_back(std::move(message));
}

void LocalQueue::Expire() {
  const absl::Duration now = clock_.MonotonicNow();
  const auto over = [now](const LocalMessage& message) { return message.deadline <= now; };
  if (std::none_of(waiting_.begin(), waiting_.end(), over)) return;
  std::deque<LocalMessage> rest;
  for (LocalMessage& message : waiting_) {
    if (over(message)) {
      message.done(WaitedTooLong("the prepared round to end", options_.name));
    } else {
      rest.push_back(std::move(message));
    }
  }
  alone_ = std::min(alone_, rest.size());
  waiting_ = std::move(rest);
}

void LocalQueue::RefuseAll(const Error& error) {
  alone_ = 0;
  for (LocalMessage& message : std::exchange(waiting_, {})) message.done(error);
}

std::optional<absl::Duration> LocalQueue::NextDeadline() const {
  if (waiting_.empty()) return std::nullopt;
  return std::min_element(waiting_.begin(), waiting_.end(),
                          [](const auto& a, const auto& b) { return a.deadline < b.deadline; })
      ->deadline;
}

void LocalQueue::Run(PrepareStore* store, BranchExecutor* executor) {
  const absl::Duration until = clock_.MonotonicNow() + kLocalTurn;
  while (!waiting_.empty()) {
    RunGroup(TakeGroup(), store, executor);
    if (clock_.MonotonicNow() >= until) return;
  }
}

LocalQueue::Group LocalQueue::TakeGroup() {
  const size_t size = alone_ > 0 ? 1 : std::min(kLocalGroup, waiting_.size());
  alone_ -= alone_ > 0 ? 1 : 0;
  const auto end = waiting_.begin() + static_cast<std::ptrdiff_t>(size);
  Group group(std::make_move_iterator(waiting_.begin()), std::make_move_iterator(end));
  waiting_.erase(waiting_.begin(), end);
  return group;
}

Branch LocalQueue::MakeBranch(LocalMessage* message, absl::Time clock) {
  Branch branch;
  branch.clock = clock;
  branch.seed = seeds_();
  branch.operations.emplace_back();
  branch.operations[0].statements = std::move(message->statements);
  branch.want_rows = true;
  branch.time_left = message->deadline - clock_.MonotonicNow();
  return branch;
}

Error LocalQueue::Complete(Error error) const {
  error.outcome = FailureOutcome::kAborted;
  error.node_id = options_.name.node_id;
  error.database = options_.name.database;
  return error;
}

void LocalQueue::RunGroup(Group group, PrepareStore* store, BranchExecutor* executor) {
  const auto fail_all = [&](const absl::Status& status, const std::string& what) {
    const Error error = Complete(FromStorage(status, what, options_.name));
    for (LocalMessage& message : group) {
      if (message.done != nullptr) std::exchange(message.done, nullptr)(error);
    }
  };
  if (absl::Status begun = store->Begin(); !begun.ok()) {
    fail_all(begun, "begin a transaction");
    return;
  }
  const absl::Time now = std::max(clock_.WallNow(), store->latest_instant());
  std::vector<Branch> branches;
  std::vector<BranchVote> votes;
  bool any_yes = false;
  for (size_t i = 0; i < group.size(); ++i) {
    branches.push_back(MakeBranch(&group[i], now));
    ExecutedBranch executed = executor->Execute(branches.back(), ExecutionMode::kFirst);
    votes.push_back(std::move(executed.vote));
    if (votes.back().kind != VoteKind::kYes) {
      std::exchange(group[i].done, nullptr)(Complete(std::move(*votes.back().error)));
    }
    if (executed.transaction_lost) {
      const absl::Status dropped = store->RollbackTransaction();
      LOCKSTEP_CHECK(dropped.ok(), std::string(dropped.message()));
      Requeue(&group, &branches);
      return;
    }
    any_yes = any_yes || votes.back().kind == VoteKind::kYes;
  }
  if (!any_yes) {
    const absl::Status dropped = store->RollbackTransaction();
    LOCKSTEP_CHECK(dropped.ok(), std::string(dropped.message()));
    return;
  }
  if (absl::Status committed = store->CommitLocal(now); !committed.ok()) {
    fail_all(committed, "commit a transaction");
    return;
  }
  for (size_t i = 0; i < group.size(); ++i) {
    if (votes[i].kind != VoteKind::kYes) continue;
    group[i].done(std::move(votes[i].results[0].statements));
  }
}

// Those that are not answered go back to the front, and run alone from now on.
void LocalQueue::Requeue(Group* group, std::vector<Branch>* branches) {
  for (size_t i = group->size(); i-- > 0;) {
    LocalMessage& message = (*group)[i];
    if (message.done == nullptr) continue;
    if (i < branches->size()) {
      message.statements = std::move((*branches)[i].operations[0].statements);
    }
    waiting_.push_front(std::move(message));
    ++alone_;
  }
}

}  // namespace lockstep::participant
