// Local transactions beside rounds.
#include <gtest/gtest.h>

#include "participant/engine.h"
#include "tests/participant/engine_fixture.h"

namespace lockstep::participant {
namespace {

TEST_F(ParticipantEngineTest, ALocalTransactionWaitsForThePreparedRoundAndRunsRightAfterIt) {
  node_->Prepare(Round(1), {Insert(1)});
  const auto answer = node_->Execute(Insert(2));
  EXPECT_FALSE(answer->result.has_value());
  EXPECT_TRUE(node_->Commit(Round(1)).ok());
  EXPECT_TRUE(answer->ok());
  EXPECT_EQ(node_->Read(kCount), "2");
  EXPECT_EQ(node_->Report().applied, Round(1));
}

TEST_F(ParticipantEngineTest, ALocalTransactionWhoseTimeEndsWhileItWaitsWasNotStarted) {
  node_->Prepare(Round(1), {Insert(1)});
  const auto answer = node_->Execute(Insert(2), absl::Seconds(3));
  EXPECT_EQ(node_->engine().NextWake(), absl::Seconds(3));
  node_->clock().Advance(absl::Seconds(3));
  node_->engine().Idle();
  ASSERT_EQ(answer->reason(), Reason::kTimeout);
  EXPECT_EQ(answer->result->error().outcome, FailureOutcome::kNotStarted);
  EXPECT_TRUE(node_->Commit(Round(1)).ok());
  EXPECT_EQ(node_->Read(kCount), "1");
}

TEST_F(ParticipantEngineTest, LocalTransactionsThatWaitTogetherShareOneSync) {
  const int64_t before = node_->Report().syncs;
  const auto answers = node_->ExecuteAll({Insert(1), Insert(2), Insert(2), Insert(3)});
  EXPECT_TRUE(answers[0]->ok());
  EXPECT_TRUE(answers[1]->ok());
  ASSERT_EQ(answers[2]->reason(), Reason::kConstraintViolation);
  EXPECT_EQ(answers[2]->result->error().outcome, FailureOutcome::kAborted);
  EXPECT_TRUE(answers[3]->ok());
  EXPECT_EQ(node_->Read(kCount), "3");
  EXPECT_EQ(node_->Report().syncs, before + 1);
}

TEST_F(ParticipantEngineTest, ALocalTransactionIsDurableWhenAnswered) {
  EXPECT_TRUE(node_->Execute(Insert(1))->ok());
  EXPECT_EQ(StartAfterKill()->Read(kCount), "1");
}

TEST_F(LostTransactionTest, ALocalTransactionThatDestroysTheSharedOneFailsAlone) {
  const auto answers = node_->ExecuteAll({Insert(1), kDestroyer, Insert(3), kDestroyer});
  EXPECT_TRUE(answers[0]->ok());
  EXPECT_EQ(answers[1]->reason(), Reason::kLimitExceeded);
  EXPECT_TRUE(answers[2]->ok());
  EXPECT_EQ(answers[3]->reason(), Reason::kLimitExceeded);
  EXPECT_EQ(node_->Read("SELECT group_concat(k) FROM t"), "1,3");
}

}  // namespace
}  // namespace lockstep::participant
