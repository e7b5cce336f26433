#include "coordinator/protocol/request_table.h"

#include <algorithm>
#include <utility>

#include "common/check.h"

namespace lockstep::coordinator {
namespace {

constexpr int kForgottenAtOnce = 1000;

}  // namespace

void RequestIndex::Add(RequestKey key, RoundId round) {
  const bool added = rounds_.try_emplace(key, round).second;
  if (added) return;
  const Rounds there = Find(key);
  if (std::find(there.begin(), there.end(), round) == there.end()) shared_.emplace(key, round);
}

void RequestIndex::Remove(RequestKey key, RoundId round) {
  const auto first = rounds_.find(key);
  if (first == rounds_.end()) return;
  auto [other, end] = shared_.equal_range(key);
  if (first->second == round) {
    if (other == end) {
      rounds_.erase(first);
    } else {
      first->second = other->second;
      shared_.erase(other);
    }
    return;
  }
  while (other != end && other->second != round) ++other;
  if (other != end) shared_.erase(other);
}

Rounds RequestIndex::Find(RequestKey key) const {
  Rounds rounds;
  const auto first = rounds_.find(key);
  if (first == rounds_.end()) return rounds;
  rounds.push_back(first->second);
  auto [other, end] = shared_.equal_range(key);
  for (; other != end; ++other) rounds.push_back(other->second);
  return rounds;
}

void Retention::Extend(const Retention& other) {
  keep_until = std::max(keep_until, other.keep_until);
  expires = std::max(expires, other.expires);
}

RequestTable::RequestTable(CommittedRequests committed, const RequestTableOptions& options)
    : options_(options),
      committed_(std::move(committed.index)),
      forgotten_expiry_(committed.forgotten_expiry) {}

Retention RequestTable::RetentionOf(const RequestTry& its, const RequestTime& now) const {
  if (its.expires == absl::InfiniteFuture()) return {.keep_until = now.log + options_.lifetime};
  const absl::Duration left = its.expires - now.wall + options_.expiry_slack;
  return {.keep_until = now.log + std::max(options_.lifetime, left), .expires = its.expires};
}

RequestTable::Admission RequestTable::Admit(const RequestTry& its, TransactionHandle handle,
                                            const RequestTime& now) {
  Admission admission;
  admission.rounds = committed_.Find(its.key);
  const bool may_be_known = !admission.rounds.empty() || in_flight_.contains(its.id);
  if (may_be_known ? its.expires <= now.wall : IsExpired(its, now)) {
    admission.verdict = Verdict::kExpired;
    return admission;
  }
  admission.seen_attempt = SeenAttemptOf(its.id);
  if (its.attempt < admission.seen_attempt && admission.rounds.empty()) {
    admission.verdict = Verdict::kOutdated;
    return admission;
  }
  const bool is_first = !in_flight_.contains(its.id);
  if (!Remember(its) && (!is_first || admission.rounds.empty())) {
    admission.verdict = Verdict::kNoRoom;
    return admission;
  }
  const auto running = in_flight_.try_emplace(its.id).first;
  if (is_first) {
    running->second.body = its.body;
    running->second.first = handle;
    running->second.retention = its.retention;
    // Its answer stands for those earlier attempts too, and they are forgotten when it is there.
    running->second.retention.Extend(SeenRetentionOf(its.id));
    admission.verdict = admission.rounds.empty() ? Verdict::kRun : Verdict::kLookUp;
  } else if (running->second.body == its.body) {
    running->second.joined.push_back(handle);
    running->second.retention.Extend(its.retention);
    admission.verdict = Verdict::kJoin;
  } else {
    admission.verdict = Verdict::kReused;
  }
  return admission;
}

RequestTable::Admission RequestTable::AdmitUnknown(const RequestTry& its,
                                                   const RequestTime& now) const {
  Admission admission;
  admission.seen_attempt = SeenAttemptOf(its.id);
  if (IsExpired(its, now)) {
    admission.verdict = Verdict::kExpired;
  } else if (its.attempt < admission.seen_attempt) {
    admission.verdict = Verdict::kOutdated;
  } else if (its.attempt > admission.seen_attempt) {
    admission.verdict = Verdict::kNoRoom;
  }
  return admission;
}

Retention RequestTable::RetentionOfAnswer(const std::string& id, const RequestTime& now) const {
  Retention retention = in_flight_.at(id).retention;
  retention.Extend({.keep_until = now.log + options_.lifetime});
  return retention;
}

void RequestTable::Leave(const std::string& id, TransactionHandle handle) {
  if (const auto running = in_flight_.find(id); running != in_flight_.end()) {
    std::erase(running->second.joined, handle);
  }
}

std::vector<TransactionHandle> RequestTable::End(const RequestTry& its, RoundId round) {
  const auto running = in_flight_.find(its.id);
  LOCKSTEP_CHECK(running != in_flight_.end(), "a try ends that was not in flight");
  if (round.is_none()) {
    if (const auto seen = attempts_.find(its.id); seen != attempts_.end()) {
      seen->second.aborted = true;
    }
  } else {
    committed_.Add(its.key, round);
    // Every later try is told the answer, whatever its attempt.
    ForgetAttempt(its.id);
  }
  return EndUnknown(its);
}

std::vector<TransactionHandle> RequestTable::EndUnknown(const RequestTry& its) {
  const auto running = in_flight_.find(its.id);
  LOCKSTEP_CHECK(running != in_flight_.end(), "a try ends that was not in flight");
  std::vector<TransactionHandle> joined = std::move(running->second.joined);
  in_flight_.erase(running);
  return joined;
}

RequestTable::Standing RequestTable::Ask(const RequestTry& its, bool* has_room) {
  Standing standing;
  const auto running = in_flight_.find(its.id);
  standing.in_flight = running != in_flight_.end();
  if (standing.in_flight) standing.first = running->second.first;
  standing.rounds = committed_.Find(its.key);
  const auto seen = attempts_.find(its.id);
  standing.aborted = !standing.in_flight && seen != attempts_.end() && seen->second.aborted;
  *has_room = its.attempt <= SeenAttemptOf(its.id) || Remember(its);
  return standing;
}

void RequestTable::Forget(RoundId round, const std::vector<RequestKey>& keys, absl::Time expires) {
  for (const RequestKey key : keys) committed_.Remove(key, round);
  forgotten_expiry_ = std::max(forgotten_expiry_, expires);
}

void RequestTable::Expire(const RequestTime& now) {
  for (int i = 0; i < kForgottenAtOnce && !attempts_by_time_.empty(); ++i) {
    if (attempts_by_time_.begin()->first > now.log) return;
    const std::string id = attempts_by_time_.begin()->second;
    forgotten_expiry_ = std::max(forgotten_expiry_, attempts_.at(id).expires);
    ForgetAttempt(id);
  }
}

uint32_t RequestTable::SeenAttemptOf(const std::string& id) const {
  const auto seen = attempts_.find(id);
  return seen == attempts_.end() ? 0 : seen->second.attempt;
}

Retention RequestTable::SeenRetentionOf(const std::string& id) const {
  const auto seen = attempts_.find(id);
  if (seen == attempts_.end()) return {};
  return {.keep_until = seen->second.place->first, .expires = seen->second.expires};
}

bool RequestTable::Remember(const RequestTry& its) {
  if (its.attempt == 0) return true;
  SeenAttempt remembered;
  remembered.attempt = its.attempt;
  Retention asked = its.retention;
  asked.Extend(SeenRetentionOf(its.id));
  if (const auto seen = attempts_.find(its.id); seen != attempts_.end()) {
    remembered.attempt = std::max(remembered.attempt, seen->second.attempt);
    remembered.aborted = seen->second.aborted;
    ForgetAttempt(its.id);
  } else if (attempts_.size() >= options_.attempts) {
    return false;
  }
  remembered.expires = asked.expires;
  remembered.place = attempts_by_time_.emplace(asked.keep_until, its.id);
  attempts_.emplace(its.id, remembered);
  return true;
}

void RequestTable::ForgetAttempt(const std::string& id) {
  const auto seen = attempts_.find(id);
  if (seen == attempts_.end()) return;
  attempts_by_time_.erase(seen->second.place);
  attempts_.erase(seen);
}

}  // namespace lockstep::coordinator
