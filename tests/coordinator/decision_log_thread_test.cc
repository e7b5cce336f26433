#include "coordinator/decision_log_thread.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <latch>
#include <string>

#include "tests/coordinator/fake_log.h"
#include "tests/support/manual_clock.h"

namespace lockstep::coordinator {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;
using testing::SizeIs;

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
  EXPECT_EQ(journal_.recorded(/*at_once=*/false), log_now);
  EXPECT_EQ(journal_.recorded(/*at_once=*/true), log_now) << "at the stop";
}

TEST_F(DecisionLogThreadTest, R18_HowLongAnAnswerIsToBeKeptThatIsAskedForComesToTheLog) {
  auto thread = Make();
  const Retention asked = {kLogStart + absl::Minutes(1), kLogStart + absl::Hours(9)};
  thread->FindAnswer("a", {}, asked, [](const auto&) {});
  thread->Stop();
  EXPECT_EQ(journal_.asked_for().keep_until, asked.keep_until);
  EXPECT_EQ(journal_.asked_for().expires, asked.expires);
}

TEST_F(DecisionLogThreadTest, TheTimeIsNotRecordedWhileSpaceIsShort) {
  journal_.SetSpace(true);
  auto thread = Make();
  clock_.Advance(absl::Minutes(10));
  thread->Append(Rounds({1}));
  thread->Stop();
  EXPECT_EQ(journal_.recorded(/*at_once=*/false), absl::Time());
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
  journal_.SetOld(
      0, {{RoundId::Make(1, 7), {1}, kLogStart}, {RoundId::Make(1, 9), {2, 3}, kLogStart}});
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
