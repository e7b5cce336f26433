#include "participant/local_queue.h"

#include <algorithm>
#include <iterator>
#include <utility>

#include "common/check.h"
#include "participant/errors.h"

namespace lockstep::participant {

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
    RunGroup(TakeGroup(), until, store, executor);
    if (clock_.MonotonicNow() >= until) return;
  }
}

LocalQueue::Group LocalQueue::TakeGroup() {
  const size_t size = alone_ > 0 ? 1 : std::min(kLocalGroup, waiting_.size());
  alone_ -= alone_ > 0 ? 1 : 0;
  const auto end = waiting_.begin() + static_cast<std::ptrdiff_t>(size);
  Group group(std::make_move_iterator(waiting_.begin()), std::make_move_iterator(end));
  waiting_.erase(waiting_.begin(), end);
  for (LocalMessage& message : group) message.place.reset();
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

void LocalQueue::Answer(LocalMessage* message, BranchVote* vote) const {
  if (vote->kind == VoteKind::kYes) {
    message->done(std::move(vote->results[0].statements));
  } else {
    message->done(Complete(std::move(*vote->error)));
  }
}

void LocalQueue::RunGroup(Group group, absl::Duration until, PrepareStore* store,
                          BranchExecutor* executor) {
  const auto fail = [&](size_t from, size_t to, const absl::Status& status, const char* what) {
    const Error error = Complete(FromStorage(status, what, options_.name));
    for (size_t i = from; i < to; ++i) group[i].done(error);
  };
  if (absl::Status begun = store->Begin(); !begun.ok()) {
    return fail(0, group.size(), begun, "begin a transaction");
  }
  const absl::Time now = std::max(clock_.WallNow(), store->latest_instant());
  std::vector<Branch> branches;
  std::vector<BranchVote> votes;
  size_t first_yes = group.size();
  bool lost = false;
  while (!lost && votes.size() < group.size()) {
    if (!votes.empty() && clock_.MonotonicNow() >= until) break;
    branches.push_back(MakeBranch(&group[votes.size()], now));
    ExecutedBranch executed = executor->Execute(branches.back(), ExecutionMode::kFirst);
    lost = executed.transaction_lost;
    if (executed.vote.kind == VoteKind::kYes) first_yes = std::min(first_yes, votes.size());
    votes.push_back(std::move(executed.vote));
  }
  const size_t ran = votes.size();
  const bool commits = !lost && first_yes < ran;
  const absl::Status ended = commits ? store->CommitLocal(now) : store->RollbackTransaction();
  LOCKSTEP_CHECK(commits || ended.ok(), std::string(ended.message()));
  // What came after a YES was judged with it in place: that is told once the YES is durable.
  const size_t known = commits && ended.ok() ? ran : std::min(first_yes, ran);
  for (size_t i = 0; i < known; ++i) Answer(&group[i], &votes[i]);
  if (lost) {
    Requeue(known, &group, &branches);
    alone_ = ran - known;
  } else {
    if (!ended.ok()) fail(known, ran, ended, "commit a transaction");
    Requeue(ran, &group, &branches);
  }
}

// Those from `first` on go back to the front.
void LocalQueue::Requeue(size_t first, Group* group, std::vector<Branch>* branches) {
  for (size_t i = group->size(); i-- > first;) {
    LocalMessage& message = (*group)[i];
    if (i < branches->size()) {
      message.statements = std::move((*branches)[i].operations[0].statements);
    }
    waiting_.push_front(std::move(message));
  }
}

}  // namespace lockstep::participant
