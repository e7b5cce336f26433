#include "coordinator/decision_log_thread.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <condition_variable>
#include <latch>
#include <mutex>
#include <string>
#include <utility>

#include "tests/support/manual_clock.h"

namespace lockstep::coordinator {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;
using testing::SizeIs;

const absl::Time kLogStart = absl::FromUnixSeconds(1'000'000'000);
constexpr int kDroppedAtOnce = 500;

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
  void KeptTime(absl::Time now, bool at_once) {
    std::lock_guard lock(mutex_);
    (at_once ? kept_at_once_ : kept_) = now;
  }
  absl::Time kept(bool at_once) {
    std::lock_guard lock(mutex_);
    return at_once ? kept_at_once_ : kept_;
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
  absl::Time kept_;
  absl::Time kept_at_once_;
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
                                                         absl::Time, const LogTimes&) override {
    return std::optional<StoredAnswer>();
  }
  absl::StatusOr<std::vector<ForgottenAnswers>> PruneAnswers(absl::Time now) override {
    return journal_->DropAnswers(now);
  }
  uint64_t answer_bytes() const override { return 0; }
  absl::StatusOr<int> Prune(absl::Time keep_since) override {
    return journal_->DropOutcomes(keep_since);
  }
  absl::Status KeepTime(absl::Time now, bool at_once) override {
    journal_->KeptTime(now, at_once);
    return absl::OkStatus();
  }
  absl::Status Tidy(bool) override { return absl::OkStatus(); }
  bool SpaceIsShort() override { return journal_->SpaceIsShort(); }

 private:
  LogJournal* const journal_;
  const absl::Status status_;
  const std::string id_ = "log";
};

class DecisionLogThreadTest : public testing::Test {
 protected:
  std::unique_ptr<DecisionLogThread> Make(absl::Status status = absl::OkStatus()) {
    DecisionLogListener listener;
    listener.on_durable = [this](std::vector<RoundId> r) { journal_.WroteDurable(std::move(r)); };
    listener.on_space = [this](bool is_short) { journal_.ToldSpace(is_short); };
    listener.on_forgotten = [this](const ForgottenAnswers& a) { journal_.ToldForgotten(a.round); };
    return std::make_unique<DecisionLogThread>(std::make_unique<FakeLog>(&journal_, status),
                                               &clock_, LogClock(kLogStart, clock_.MonotonicNow()),
                                               DecisionLogThreadOptions(), std::move(listener));
  }
  static std::vector<Decision> Rounds(std::vector<uint64_t> numbers) {
    std::vector<Decision> decisions;
    for (const uint64_t number : numbers) {
      decisions.emplace_back();
      decisions.back().round = RoundId::Make(1, number);
    }
    return decisions;
  }

  ManualClock clock_;
  LogJournal journal_;
};

TEST_F(DecisionLogThreadTest, DecisionsThatWaitShareOneWrite) {
  auto thread = Make();
  journal_.CloseGate();
  thread->Append(Rounds({1}));
  journal_.WaitForBatches(1);
  thread->Append(Rounds({2}));
  thread->Append(Rounds({3, 4}));
  EXPECT_THAT(journal_.WaitForDurable(0), IsEmpty());  // R13: not before Write has returned
  journal_.OpenGate();
  EXPECT_THAT(
      journal_.WaitForDurable(2),
      ElementsAre(ElementsAre(RoundId::Make(1, 1)),
                  ElementsAre(RoundId::Make(1, 2), RoundId::Make(1, 3), RoundId::Make(1, 4))));
  EXPECT_THAT(journal_.WaitForBatches(2), SizeIs(2));
}

TEST_F(DecisionLogThreadTest, WhatIsForgottenDoesNotRideWithTheNextDecisionAtOnce) {
  auto thread = Make();
  journal_.CloseGate();
  thread->Append(Rounds({1}));
  journal_.WaitForBatches(1);
  LogBatch later;
  later.forget = {RoundId::Make(1, 1)};
  thread->WriteLater(later);
  thread->Append(Rounds({2}));
  journal_.OpenGate();
  journal_.WaitForDurable(2);
  EXPECT_THAT(journal_.WaitForBatches(2)[1].forget, IsEmpty());
}

// A question holds the log's thread: while it does, what is given waits, and comes in one batch.
TEST_F(DecisionLogThreadTest, WhatHasWaitedRidesAlongWithTheNextDecision) {
  auto thread = Make();
  Question first;
  thread->FindOutcome({1, 1}, first.Answer());
  first.WaitUntilTaken();
  LogBatch later;
  later.forget = {RoundId::Make(1, 1)};
  later.durable_rounds = {{0, RoundId::Make(1, 1)}};
  thread->WriteLater(later);
  Question second;
  thread->FindOutcome({1, 1}, second.Answer());
  first.LetGo();
  second.WaitUntilTaken();  // so the thread has what is to be forgotten too
  clock_.Advance(DecisionLogThreadOptions().lazy_delay);
  thread->Append(Rounds({2}));
  second.LetGo();
  journal_.WaitForDurable(1);
  const std::vector<LogBatch> batches = journal_.WaitForBatches(1);
  ASSERT_THAT(batches, SizeIs(1));
  EXPECT_THAT(batches[0].decisions, SizeIs(1));
  EXPECT_THAT(batches[0].forget, ElementsAre(RoundId::Make(1, 1)));
  EXPECT_THAT(batches[0].durable_rounds, SizeIs(1));
}

TEST_F(DecisionLogThreadTest, AMarkIsDurableWhenItReturns) {  // R22
  auto thread = Make();
  thread->MarkSuperseded("bank-1 has seen term 9");
  EXPECT_EQ(journal_.mark(), "bank-1 has seen term 9");
}

TEST_F(DecisionLogThreadTest, WhatIsForgottenIsWrittenWhenNothingElseIsToDo) {
  auto thread = Make();
  LogBatch later;
  later.durable_rounds = {{0, RoundId::Make(1, 1)}};
  thread->WriteLater(later);
  EXPECT_THAT(journal_.WaitForBatches(1)[0].durable_rounds, SizeIs(1));
}

TEST_F(DecisionLogThreadTest, StopWritesWhatIsLeft) {
  auto thread = Make();
  journal_.CloseGate();
  thread->Append(Rounds({1}));
  journal_.WaitForBatches(1);
  LogBatch later;
  later.forget = {RoundId::Make(1, 1)};
  thread->WriteLater(later);
  thread->Append(Rounds({2}));
  journal_.OpenGate();
  thread->Stop();
  size_t forgotten = 0;
  for (const LogBatch& batch : journal_.WaitForBatches(0)) forgotten += batch.forget.size();
  EXPECT_EQ(forgotten, 1u);
  EXPECT_THAT(journal_.WaitForDurable(2), SizeIs(2));
}

TEST_F(DecisionLogThreadTest, SpaceIsToldWhenItChanges) {
  journal_.SetSpace(true);
  auto thread = Make();
  EXPECT_THAT(journal_.WaitForTold(1), ElementsAre(true));
  journal_.SetSpace(false);
  clock_.Advance(absl::Seconds(1));
  thread->Append(Rounds({1}));
  EXPECT_THAT(journal_.WaitForTold(2), ElementsAre(true, false));
}

TEST_F(DecisionLogThreadTest,
       WhatIsOldIsToldByTheTimeThatPassesWhateverTheWallClockIsSetTo) {  // R18
  auto thread = Make();
  clock_.SetWall(clock_.WallNow() + absl::Hours(100));
  clock_.Advance(absl::Minutes(10));
  thread->Append(Rounds({1}));
  thread->Stop();
  const absl::Time log_now = kLogStart + absl::Minutes(10);
  EXPECT_EQ(journal_.answers_dropped_at(), log_now);
  EXPECT_EQ(journal_.kept_since(), log_now - DecisionLogThreadOptions().outcome_lifetime);
  EXPECT_EQ(journal_.kept(/*at_once=*/false), log_now);
  EXPECT_EQ(journal_.kept(/*at_once=*/true), log_now) << "at the stop";
}

TEST_F(DecisionLogThreadTest, AboutTwiceAsManyOldOutcomesAreDroppedAsRoundsWereWritten) {
  auto thread = Make();
  constexpr int kOld = 100 * kDroppedAtOnce;
  constexpr int kWritten = 4 * kDroppedAtOnce;
  journal_.SetOld(kOld, {});
  std::vector<uint64_t> numbers(kWritten);
  for (int i = 0; i < kWritten; ++i) numbers[static_cast<size_t>(i)] = static_cast<uint64_t>(i + 1);
  thread->Append(Rounds(numbers));
  clock_.Advance(absl::Seconds(1));
  // It looks for old ones no more than ten times a second.
  thread->Append(Rounds({kWritten + 1}));
  thread->Stop();
  EXPECT_LE(journal_.old_outcomes(), kOld - 2 * kWritten);
  // What it drops when it has nothing to do, and for the last round, comes on top.
  EXPECT_GE(journal_.old_outcomes(), kOld - 2 * kWritten - 4 * kDroppedAtOnce);
}

TEST_F(DecisionLogThreadTest, AnswersThatAreDroppedAreTold) {
  auto thread = Make();
  journal_.SetOld(0, {{RoundId::Make(1, 7), {1}}, {RoundId::Make(1, 9), {2, 3}}});
  clock_.Advance(absl::Seconds(1));
  thread->Append(Rounds({1}));
  thread->Stop();
  EXPECT_THAT(journal_.forgotten(), ElementsAre(RoundId::Make(1, 7), RoundId::Make(1, 9)));
}

using DecisionLogThreadDeathTest = DecisionLogThreadTest;

TEST_F(DecisionLogThreadDeathTest, AFailedWriteEndsTheProcess) {  // R13
  GTEST_FLAG_SET(death_test_style, "threadsafe");
  EXPECT_DEATH(
      {
        auto thread = Make(absl::DataLossError("the disk is gone"));
        thread->Append(Rounds({1}));
        journal_.WaitForDurable(1);
      },
      "cannot write decisions.*the disk is gone");
}

}  // namespace
}  // namespace lockstep::coordinator
