// How long the engine has answers and attempts kept, and what expires.
#include <gmock/gmock.h>

#include "tests/coordinator/engine_requests_fixture.h"

namespace lockstep::coordinator {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::SizeIs;

TEST_F(EngineRequestsTest, R18_AnAnswerIsKeptForAsLongAsAnyTryThatJoinedWantsIt) {
  nodes_[0].holds_votes = true;
  Start();
  Try();
  Try(Expiring(absl::Hours(20)));
  nodes_[0].Release();
  Pump();
  ASSERT_THAT(decisions_.waiting, SizeIs(1));
  const Retention kept = decisions_.waiting[0].answers.at(0).retention;
  EXPECT_EQ(kept.keep_until, LogNow() + absl::Hours(20) + kExpirySlack);
  EXPECT_EQ(kept.expires, clock_.WallNow() + absl::Hours(20));
  MakeDurable();
  EXPECT_THAT(answers_, SizeIs(2));
  EXPECT_THAT(decisions_.asked, IsEmpty());
}

TEST_F(EngineRequestsTest, R18_WhoJoinsWhenTheAnswerIsWrittenHasItKeptForLongerBeforeItIsTold) {
  Start();
  Try();
  ASSERT_THAT(decisions_.waiting, SizeIs(1));
  StoredAnswer stored = decisions_.waiting[0].answers.at(0);
  Try(Expiring(absl::Hours(20)));
  MakeDurable();
  EXPECT_THAT(answers_, SizeIs(1));
  ASSERT_THAT(decisions_.asked, SizeIs(1));
  const Retention asked = decisions_.asked[0].request.retention;
  EXPECT_EQ(asked.keep_until, LogNow() + absl::Hours(20) + kExpirySlack);
  EXPECT_EQ(asked.expires, clock_.WallNow() + absl::Hours(20));
  EXPECT_THAT(decisions_.asked[0].rounds, ElementsAre(stored.round));
  Answer(stored);
  ASSERT_THAT(answers_, SizeIs(2));
  EXPECT_TRUE(answers_[1].ok() && answers_[1].value().deduplicated());
  EXPECT_EQ(answers_[1].value().transaction_id(), answers_[0].value().transaction_id());
  EXPECT_THAT(nodes_[0].prepared, SizeIs(1));
}

TEST_F(EngineRequestsTest, AnAnswerIsKeptFromTheDecisionOnHoweverLongTheTransactionWaited) {
  nodes_[0].holds_votes = true;
  Start();
  Try(Expiring(absl::Minutes(10)), absl::Hours(2));
  clock_.Advance(absl::Minutes(59));
  nodes_[0].Release();
  Pump();
  ASSERT_THAT(decisions_.waiting, SizeIs(1));
  EXPECT_GE(decisions_.waiting[0].answers.at(0).retention.keep_until, LogNow() + absl::Hours(1));
}

TEST_F(EngineRequestsTest, R18_AnAnswerIsKeptByTheTimeThatPassesWhateverTheWallClockIsSetTo) {
  nodes_[0].holds_votes = true;
  Start();
  Try();
  clock_.SetWall(clock_.WallNow() - absl::Hours(3));
  nodes_[0].Release();
  Pump();
  ASSERT_THAT(decisions_.waiting, SizeIs(1));
  EXPECT_EQ(decisions_.waiting[0].log_time, LogNow());
  EXPECT_EQ(decisions_.waiting[0].answers.at(0).retention.keep_until, LogNow() + kAnswerLifetime);
}

TEST_F(EngineRequestsTest, R19_AnAttemptIsRememberedAlthoughTheClockIsSetForward) {
  nodes_[0].vote = [](const v1::Branch&) { return No(Reason::kConstraintViolation, "no"); };
  Start();
  Try(/*attempt=*/2);
  EXPECT_EQ(LastReason(), Reason::kConstraintViolation);
  clock_.SetWall(clock_.WallNow() + absl::Hours(2));
  Advance(absl::Seconds(1));
  Try(/*attempt=*/1);
  EXPECT_EQ(LastReason(), Reason::kAttemptOutdated);
  Advance(kAnswerLifetime);
  Try(/*attempt=*/1);
  EXPECT_EQ(LastReason(), Reason::kConstraintViolation);
}

TEST_F(EngineRequestsTest, R19_AnAttemptThatWasOnlyAskedAboutIsRememberedForAsLong) {
  Start();
  Ask(/*attempt=*/2);
  Advance(kAnswerLifetime - absl::Seconds(1));
  Try(/*attempt=*/1);
  EXPECT_EQ(LastReason(), Reason::kAttemptOutdated);
}

// Its answer is kept for what was left of its time by the clock that was ahead, and leaves its
// expire_time behind.
TEST_F(EngineRequestsTest, R18_WhatExpiresIsNotRunAgainBecauseAClockThatWasAheadIsSetBack) {
  Start();
  const RequestTry its = Expiring(absl::Hours(5));
  clock_.SetWall(clock_.WallNow() + absl::Hours(3));
  Try(its);
  ASSERT_THAT(decisions_.waiting, SizeIs(1));
  const StoredAnswer stored = decisions_.waiting[0].answers.at(0);
  EXPECT_EQ(stored.retention.keep_until, LogNow() + absl::Hours(2) + kExpirySlack);
  EXPECT_EQ(stored.retention.expires, its.expires);
  MakeDurable();
  clock_.SetWall(clock_.WallNow() - absl::Hours(3));
  Advance(stored.retention.keep_until - LogNow());
  mailbox_.push_back(ForgottenAnswers{stored.round, {kKey}, stored.retention.expires});
  EXPECT_LT(clock_.WallNow(), its.expires);
  Try(its);
  EXPECT_EQ(LastReason(), Reason::kRequestExpired);
  EXPECT_THAT(answers_.back().error().message, HasSubstr("because a clock was ahead"));
  EXPECT_THAT(nodes_[0].prepared, SizeIs(1));
  // Others are taken, by the clock that is right again.
  Try(Expiring(absl::Hours(6)));
  EXPECT_THAT(nodes_[0].prepared, SizeIs(2));
}

TEST_F(EngineRequestsTest, R18_WhatIsGoneBeforeItIsLookedUpIsNotRunAgain) {
  committed_.Add(kKey, RoundId::Make(2, 5));
  Start();
  RequestTry its = Expiring(absl::Hours(1));
  its.attempt = 1;
  Try(its);
  mailbox_.push_back(ForgottenAnswers{RoundId::Make(2, 5), {kKey}, its.expires});
  Answer(std::nullopt);
  EXPECT_EQ(LastReason(), Reason::kRequestExpired);
  EXPECT_THAT(nodes_[0].prepared, IsEmpty());
  bool has_room = false;
  EXPECT_FALSE(engine_->AskForRequest(&its, &has_room).aborted) << "it was committed";
}

// That the other one is kept for longer does not help: its expire_time is what is left of it.
TEST_F(EngineRequestsTest, R18_WhoJoinsWithALaterExpireTimeIsToldWhenThatIsDurable) {
  Start();
  clock_.SetWall(clock_.WallNow() - absl::Hours(10));
  Try(Expiring(absl::Hours(20)));
  ASSERT_THAT(decisions_.waiting, SizeIs(1));
  clock_.SetWall(clock_.WallNow() + absl::Hours(15));
  const RequestTry later = Expiring(absl::Hours(10));
  Try(later);
  MakeDurable();
  EXPECT_THAT(answers_, SizeIs(1));
  ASSERT_THAT(decisions_.asked, SizeIs(1));
  EXPECT_EQ(decisions_.asked[0].request.retention.expires, later.expires);
}

}  // namespace
}  // namespace lockstep::coordinator
