// Transactions that have a request_id, at the engine.
#include <gmock/gmock.h>

#include "tests/coordinator/engine_requests_fixture.h"

namespace lockstep::coordinator {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::SizeIs;

TEST_F(EngineRequestsTest, R18_TheAnswerIsInTheWriteOfTheDecision) {
  for (FakeParticipant& node : nodes_) node.vote = YesWithResults;
  Start();
  Try();
  ASSERT_THAT(decisions_.waiting, SizeIs(1));
  ASSERT_THAT(decisions_.waiting[0].answers, SizeIs(1));
  const StoredAnswer stored = decisions_.waiting[0].answers[0];
  EXPECT_EQ(stored.request_id, "a");
  EXPECT_EQ(stored.key, kKey);
  EXPECT_THAT(answers_, IsEmpty());
  MakeDurable();
  v1::ExecuteResponse kept;
  ASSERT_TRUE(kept.ParseFromString(stored.answer));
  v1::ExecuteResponse given = OnlyAnswer();
  EXPECT_EQ(given.results(0).statements(0).rows_affected(), 100u);
  EXPECT_FALSE(given.deduplicated());
  // Only known afterwards.
  given.clear_decision_time();
  EXPECT_EQ(kept.SerializeAsString(), given.SerializeAsString());
}

TEST_F(EngineRequestsTest, WithoutARequestIdNothingIsKept) {
  Start();
  Submit({"bank"});
  Pump();
  ASSERT_THAT(decisions_.waiting, SizeIs(1));
  EXPECT_THAT(decisions_.waiting[0].answers, IsEmpty());
}

TEST_F(EngineRequestsTest, R18_ConcurrentTriesRunOnceAndAllAreAnswered) {
  Start();
  Try();
  Try();
  Try();
  EXPECT_THAT(nodes_[0].prepared, SizeIs(1));
  EXPECT_EQ(nodes_[0].prepared[0].branches_size(), 1);
  MakeDurable();
  ASSERT_THAT(answers_, SizeIs(3));
  int deduplicated = 0;
  for (const auto& answer : answers_) {
    ASSERT_TRUE(answer.ok());
    EXPECT_EQ(answer.value().transaction_id(), "3-1");
    deduplicated += answer.value().deduplicated() ? 1 : 0;
  }
  EXPECT_EQ(deduplicated, 2);
}

TEST_F(EngineRequestsTest, R18_ACommittedIdGivesItsStoredAnswerAndDoesNotRunAgain) {
  Start();
  Try();
  StoredAnswer stored = decisions_.waiting.at(0).answers.at(0);
  MakeDurable();
  answers_.clear();
  Try();
  ASSERT_THAT(decisions_.asked, SizeIs(1));
  EXPECT_THAT(decisions_.asked[0].rounds, ElementsAre(stored.round));
  EXPECT_THAT(answers_, IsEmpty());
  Answer(stored);
  EXPECT_TRUE(OnlyAnswer().deduplicated());
  EXPECT_EQ(OnlyAnswer().transaction_id(), "3-1");
  EXPECT_THAT(nodes_[0].prepared, SizeIs(1));
}

TEST_F(EngineRequestsTest, R18_AnIdThatALaterTermFindsInTheLogIsLookedUp) {
  committed_.Add(kKey, RoundId::Make(2, 5));
  Start();
  Try();
  ASSERT_THAT(decisions_.asked, SizeIs(1));
  EXPECT_THAT(nodes_[0].prepared, IsEmpty());
  // The key was that of another id.
  Answer(std::nullopt);
  EXPECT_THAT(nodes_[0].prepared, SizeIs(1));
  MakeDurable();
  EXPECT_FALSE(OnlyAnswer().deduplicated());
}

TEST_F(EngineRequestsTest, ATryThatComesDuringALookUpIsAnsweredWithIt) {
  committed_.Add(kKey, RoundId::Make(2, 5));
  Start();
  Try();
  Try();
  ASSERT_THAT(decisions_.asked, SizeIs(1));
  StoredAnswer stored;
  stored.request_id = "a";
  stored.body = {1, 1};
  stored.round = RoundId::Make(2, 5);
  Answer(stored);
  EXPECT_THAT(answers_, SizeIs(2));
  for (const auto& answer : answers_) EXPECT_TRUE(answer.ok() && answer.value().deduplicated());
}

TEST_F(EngineRequestsTest, AnotherBodyIsRefusedInFlightAndStored) {
  Start();
  Try();
  Try(0, 2);
  EXPECT_EQ(LastReason(), Reason::kRequestIdReused);
  StoredAnswer stored = decisions_.waiting.at(0).answers.at(0);
  MakeDurable();
  Try(0, 2);
  Answer(stored);
  EXPECT_EQ(LastReason(), Reason::kRequestIdReused);
  EXPECT_EQ(answers_.back().error().outcome, FailureOutcome::kNotStarted);
  EXPECT_THAT(nodes_[0].prepared, SizeIs(1));
}

TEST_F(EngineRequestsTest, R18_AnAbortedIdRunsAfresh) {
  nodes_[0].vote = [](const v1::Branch&) { return No(Reason::kConstraintViolation, "no"); };
  Start();
  Try();
  EXPECT_EQ(LastReason(), Reason::kConstraintViolation);
  nodes_[0].vote = nullptr;
  Try();
  MakeDurable();
  EXPECT_TRUE(answers_.back().ok());
  EXPECT_FALSE(answers_.back().value().deduplicated());
}

TEST_F(EngineRequestsTest, R19_ALowerAttemptIsRefusedAndNothingIsStarted) {
  nodes_[0].vote = [](const v1::Branch&) { return No(Reason::kConstraintViolation, "no"); };
  Start();
  Try(2);
  answers_.clear();
  Try(1);
  EXPECT_EQ(LastReason(), Reason::kAttemptOutdated);
  EXPECT_EQ(answers_.back().error().outcome, FailureOutcome::kNotStarted);
  EXPECT_THAT(answers_.back().error().message, HasSubstr("attempt 2"));
  EXPECT_THAT(nodes_[0].prepared, SizeIs(1));
}

TEST_F(EngineRequestsTest, R19_ACommittedIdIsToldToAnAttemptBelowOneThatWasAskedAbout) {
  Start();
  Try(1);
  const StoredAnswer stored = decisions_.waiting.at(0).answers.at(0);
  MakeDurable();
  answers_.clear();
  Ask(5);
  Try(1);
  Answer(stored);
  EXPECT_TRUE(OnlyAnswer().deduplicated());
  EXPECT_THAT(nodes_[0].prepared, SizeIs(1));
}

// What has the key may be the answer of another id.
TEST_F(EngineRequestsTest, R19_ALowerAttemptWhoseAnswerIsNotFoundIsRefusedAndWhoJoinedItIsNot) {
  committed_.Add(kKey, RoundId::Make(2, 5));
  Start();
  Ask(5);
  Try(1);
  Try(5);
  Answer(std::nullopt);
  ASSERT_THAT(answers_, SizeIs(2));
  EXPECT_EQ(answers_[0].error().outcome, FailureOutcome::kUnknown);
  EXPECT_EQ(LastReason(), Reason::kAttemptOutdated);
  EXPECT_THAT(answers_.back().error().message, HasSubstr("attempt 5"));
  EXPECT_THAT(nodes_[0].prepared, IsEmpty());
  Try(5);
  Answer(std::nullopt);
  EXPECT_THAT(nodes_[0].prepared, SizeIs(1));
}

TEST_F(EngineRequestsTest, WhenAnswersTakeAllTheirSpaceOnlyKnownIdsAreAnswered) {
  committed_.Add(kKey, RoundId::Make(2, 5));
  Start();
  mailbox_.push_back(AnswersChanged{true});
  Try();
  Answer(std::nullopt);
  EXPECT_EQ(LastReason(), Reason::kLimitExceeded);
  EXPECT_THAT(answers_.back().error().message, HasSubstr("2000 bytes that they may (max_kept"));
  EXPECT_THAT(nodes_[0].prepared, IsEmpty());
  Try();
  StoredAnswer stored;
  stored.body = {1, 1};
  stored.round = RoundId::Make(2, 5);
  Answer(stored);
  EXPECT_TRUE(answers_.back().ok());
  mailbox_.push_back(AnswersChanged{false});
  Try();
  Answer(std::nullopt);
  EXPECT_THAT(nodes_[0].prepared, SizeIs(1));
}

TEST_F(EngineRequestsTest, WhoJoinedWaitsNoLongerThanItsOwnTimeAndIsToldTheOthersName) {
  nodes_[0].holds_votes = true;
  Start();
  Try();
  Try(Expiring(absl::Hours(1)), absl::Milliseconds(200));
  Try();
  Advance(absl::Seconds(1));
  ASSERT_THAT(answers_, SizeIs(1));
  EXPECT_EQ(answers_[0].error().reason, Reason::kOutcomeUnknown);
  EXPECT_EQ(answers_[0].error().outcome, FailureOutcome::kUnknown);
  EXPECT_EQ(answers_[0].error().transaction_id, "3-1");
  EXPECT_TRUE(engine_->IsRunning({3, 1}));
  nodes_[0].Release();
  Pump();
  MakeDurable();
  EXPECT_THAT(answers_, SizeIs(3));
  EXPECT_FALSE(engine_->IsRunning({3, 1}));
}

// Its own name would be one that no record has: a client would be told ABORTED.
TEST_F(EngineRequestsTest, WhoJoinedIsToldTheOthersNameWhenTheCoordinatorEnds) {
  nodes_[0].holds_votes = true;
  Start();
  Try();
  Try();
  engine_->AbandonAll();
  ASSERT_THAT(answers_, SizeIs(2));
  for (const auto& answer : answers_) EXPECT_EQ(answer.error().transaction_id, "3-1");
}

// The request may have been committed, under another name.
TEST_F(EngineRequestsTest, R18_NobodyIsToldANameWhileAnAnswerIsLookedUp) {
  committed_.Add(kKey, RoundId::Make(2, 5));
  Start();
  Try();
  Try(Expiring(absl::Hours(1)), absl::Milliseconds(200));
  Advance(absl::Seconds(1));
  EXPECT_THAT(answers_, SizeIs(1));
  engine_->AbandonAll();
  ASSERT_THAT(answers_, SizeIs(2));
  for (const auto& answer : answers_) {
    EXPECT_EQ(answer.error().reason, Reason::kOutcomeUnknown);
    EXPECT_EQ(answer.error().outcome, FailureOutcome::kUnknown);
    EXPECT_EQ(answer.error().transaction_id, "");
  }
  EXPECT_EQ(engine_->last_sequence(), 0u);
}

TEST_F(EngineRequestsTest, WhoJoinedALookUpHasTheNameOfWhatRunsThen) {
  committed_.Add(kKey, RoundId::Make(2, 5));
  nodes_[0].holds_votes = true;
  Start();
  Try();
  Try();
  Answer(std::nullopt);
  engine_->AbandonAll();
  ASSERT_THAT(answers_, SizeIs(2));
  for (const auto& answer : answers_) EXPECT_EQ(answer.error().transaction_id, "3-1");
}

TEST_F(EngineRequestsTest, ACommittedIdIsAnsweredThoughNoAttemptCanBeRemembered) {
  committed_.Add(kKey, RoundId::Make(2, 5));
  request_table_options_.attempts = 0;
  Start();
  StoredAnswer stored;
  stored.body = {1, 1};
  stored.round = RoundId::Make(2, 5);
  Try(1);
  Answer(stored);
  EXPECT_TRUE(OnlyAnswer().deduplicated());
  Try(1);
  Answer(std::nullopt);
  EXPECT_EQ(LastReason(), Reason::kLimitExceeded);
  EXPECT_THAT(nodes_[0].prepared, IsEmpty());
}

TEST_F(EngineRequestsTest, ACommittedIdIsAnsweredOnAFullDiskToo) {
  committed_.Add(kKey, RoundId::Make(2, 5));
  Start();
  mailbox_.push_back(SpaceChanged{true});
  Try();
  StoredAnswer stored;
  stored.body = {1, 1};
  stored.round = RoundId::Make(2, 5);
  Answer(stored);
  EXPECT_TRUE(OnlyAnswer().deduplicated());
  Try();
  Answer(std::nullopt);
  EXPECT_EQ(LastReason(), Reason::kDiskFull);
  EXPECT_EQ(answers_.back().error().outcome, FailureOutcome::kNotStarted);
  EXPECT_THAT(nodes_[0].prepared, IsEmpty());
}

TEST_F(EngineRequestsTest, R18_WhatExpiresOnItsWayIsNotTaken) {
  committed_.Add(kKey, RoundId::Make(2, 5));
  Start();
  // On its way to the engine.
  Try(Expiring(absl::ZeroDuration()));
  EXPECT_EQ(LastReason(), Reason::kRequestExpired);
  EXPECT_THAT(decisions_.asked, IsEmpty());
  // While the log looked: what it did not find may have been dropped.
  Try(Expiring(absl::Seconds(5)));
  clock_.Advance(absl::Seconds(5));
  Answer(std::nullopt);
  EXPECT_EQ(LastReason(), Reason::kRequestExpired);
  EXPECT_THAT(nodes_[0].prepared, IsEmpty());
}

// What all of them are given is on its way to the clients at once.
TEST_F(EngineRequestsTest, WhatTriesThatJoinedAreGivenIsBounded) {
  nodes_[0].vote = [](const v1::Branch& branch) {
    v1::BranchVote vote = YesWithResults(branch);
    auto* result = vote.mutable_results(0)->mutable_statements(0);
    result->add_rows()->add_values()->set_text_value(std::string(900, 'x'));
    return vote;
  };
  Start();
  Try();
  constexpr int kTries = 100'000;
  for (int i = 0; i < kTries; ++i) Try();
  MakeDurable();
  ASSERT_THAT(answers_, SizeIs(kTries + 1));
  EXPECT_TRUE(answers_.front().ok());
  EXPECT_EQ(answers_[kTries - 1].error().reason, Reason::kOutcomeUnknown);
  EXPECT_EQ(answers_[kTries - 1].error().transaction_id, "3-1");
  EXPECT_FALSE(answers_.back().value().deduplicated());
}

TEST_F(EngineRequestsTest, AnAnswerThatIsForgottenIsNotLookedForAnyMore) {
  committed_.Add(kKey, RoundId::Make(2, 5));
  Start();
  mailbox_.push_back(ForgottenAnswers{RoundId::Make(2, 5), {kKey}, absl::UnixEpoch()});
  Try();
  EXPECT_THAT(decisions_.asked, IsEmpty());
  EXPECT_THAT(nodes_[0].prepared, SizeIs(1));
}

}  // namespace
}  // namespace lockstep::coordinator
