// A decision log that does nothing, and tells what it was asked to do.
#ifndef LOCKSTEP_TESTS_COORDINATOR_FAKE_LOG_H_
#define LOCKSTEP_TESTS_COORDINATOR_FAKE_LOG_H_

#include <algorithm>
#include <condition_variable>
#include <latch>
#include <mutex>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/functional/any_invocable.h"
#include "coordinator/decision_log.h"

namespace lockstep::coordinator {

inline const absl::Time kLogStart = absl::FromUnixSeconds(1'000'000'000);
inline constexpr int kDroppedAtOnce = 500;

// What the fake log was asked to do, and a gate that holds it inside Write.
class LogJournal {
 public:
  void Wrote(LogBatch batch) {
    std::unique_lock lock(mutex_);
    batches_.push_back(std::move(batch));
    changed_.notify_all();
    changed_.wait(lock, [this] { return open_; });
  }
  void CloseGate() {
    std::lock_guard lock(mutex_);
    open_ = false;
  }
  void OpenGate() {
    std::lock_guard lock(mutex_);
    open_ = true;
    changed_.notify_all();
  }
  std::vector<LogBatch> WaitForBatches(size_t count) {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [&] { return batches_.size() >= count; });
    return batches_;
  }
  void WroteDurable(std::vector<RoundId> rounds) {
    std::lock_guard lock(mutex_);
    durable_.push_back(std::move(rounds));
    changed_.notify_all();
  }
  std::vector<std::vector<RoundId>> WaitForDurable(size_t count) {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [&] { return durable_.size() >= count; });
    return durable_;
  }
  // What has grown old in the log.
  void SetOld(int outcomes, std::vector<ForgottenAnswers> answers) {
    std::lock_guard lock(mutex_);
    old_outcomes_ = outcomes;
    old_answers_ = std::move(answers);
  }
  int DropOutcomes(absl::Time keep_since) {
    std::lock_guard lock(mutex_);
    kept_since_ = keep_since;
    const int dropped = std::min(old_outcomes_, kDroppedAtOnce);
    old_outcomes_ -= dropped;
    return dropped;
  }
  std::vector<ForgottenAnswers> DropAnswers(absl::Time now) {
    std::lock_guard lock(mutex_);
    answers_dropped_at_ = now;
    return std::exchange(old_answers_, {});
  }
  void RecordedTime(absl::Time now, bool at_once) {
    std::lock_guard lock(mutex_);
    (at_once ? recorded_at_once_ : recorded_) = now;
  }
  absl::Time recorded(bool at_once) {
    std::lock_guard lock(mutex_);
    return at_once ? recorded_at_once_ : recorded_;
  }
  void AskedFor(const Retention& retention) {
    std::lock_guard lock(mutex_);
    asked_for_ = retention;
  }
  Retention asked_for() {
    std::lock_guard lock(mutex_);
    return asked_for_;
  }
  void ToldForgotten(RoundId round) {
    std::lock_guard lock(mutex_);
    forgotten_.push_back(round);
  }
  int old_outcomes() {
    std::lock_guard lock(mutex_);
    return old_outcomes_;
  }
  absl::Time kept_since() {
    std::lock_guard lock(mutex_);
    return kept_since_;
  }
  absl::Time answers_dropped_at() {
    std::lock_guard lock(mutex_);
    return answers_dropped_at_;
  }
  std::vector<RoundId> forgotten() {
    std::lock_guard lock(mutex_);
    return forgotten_;
  }
  void Marked(const std::string& reason) {
    std::lock_guard lock(mutex_);
    mark_ = reason;
  }
  std::string mark() {
    std::lock_guard lock(mutex_);
    return mark_;
  }
  void SetSpace(bool is_short) {
    std::lock_guard lock(mutex_);
    short_ = is_short;
  }
  bool SpaceIsShort() {
    std::lock_guard lock(mutex_);
    return short_;
  }
  void ToldSpace(bool is_short) {
    std::lock_guard lock(mutex_);
    told_.push_back(is_short);
    changed_.notify_all();
  }
  std::vector<bool> WaitForTold(size_t count) {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [&] { return told_.size() >= count; });
    return told_;
  }

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  bool open_ = true;
  bool short_ = false;
  std::vector<LogBatch> batches_;
  std::vector<std::vector<RoundId>> durable_;
  std::vector<bool> told_;
  int old_outcomes_ = 0;
  std::vector<ForgottenAnswers> old_answers_;
  absl::Time kept_since_;
  absl::Time answers_dropped_at_;
  std::vector<RoundId> forgotten_;
  absl::Time recorded_;
  absl::Time recorded_at_once_;
  Retention asked_for_;
  std::string mark_;
};

// Whose answer holds the log's thread.
class Question {
 public:
  absl::AnyInvocable<void(absl::StatusOr<LoggedOutcome>)> Answer() {
    return [this](const absl::StatusOr<LoggedOutcome>&) {
      taken_.count_down();
      go_on_.wait();
    };
  }
  void WaitUntilTaken() { taken_.wait(); }
  void LetGo() { go_on_.count_down(); }

 private:
  std::latch taken_{1};
  std::latch go_on_{1};
};

class FakeLog final : public DecisionLog {
 public:
  FakeLog(LogJournal* journal, absl::Status status) : journal_(journal), status_(status) {}
  const std::string& log_id() const override { return id_; }
  absl::StatusOr<Term> NewTerm() override { return Term{1}; }
  absl::Status MarkSuperseded(const std::string& reason, absl::Time) override {
    journal_->Marked(reason);
    return status_;
  }
  absl::Status SetMembers(const std::vector<Member>&) override { return absl::OkStatus(); }
  absl::StatusOr<RecoveredState> Recover() override { return RecoveredState(); }
  absl::Status Write(const LogBatch& batch) override {
    journal_->Wrote(batch);
    return status_;
  }
  absl::StatusOr<LoggedOutcome> FindOutcome(TransactionId) override { return LoggedOutcome(); }
  absl::StatusOr<std::optional<StoredAnswer>> FindAnswer(const std::string&, const Rounds&,
                                                         const Retention& retention) override {
    journal_->AskedFor(retention);
    return std::optional<StoredAnswer>();
  }
  absl::StatusOr<std::vector<ForgottenAnswers>> PruneAnswers(absl::Time now) override {
    return journal_->DropAnswers(now);
  }
  uint64_t answer_bytes() const override { return 0; }
  absl::StatusOr<int> Prune(absl::Time keep_since) override {
    return journal_->DropOutcomes(keep_since);
  }
  absl::Status RecordTime(absl::Time now, bool at_once) override {
    journal_->RecordedTime(now, at_once);
    return absl::OkStatus();
  }
  absl::Status Tidy(bool) override { return absl::OkStatus(); }
  bool SpaceIsShort() override { return journal_->SpaceIsShort(); }

 private:
  LogJournal* const journal_;
  const absl::Status status_;
  const std::string id_ = "log";
};

}  // namespace lockstep::coordinator

#endif  // LOCKSTEP_TESTS_COORDINATOR_FAKE_LOG_H_
