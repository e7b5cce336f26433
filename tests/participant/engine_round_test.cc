// Rounds at one engine on a real store: votes, commits, rollbacks, limits.
#include <gtest/gtest.h>

#include "participant/engine.h"
#include "tests/participant/engine_fixture.h"

namespace lockstep::participant {
namespace {

TEST_F(ParticipantEngineTest, APreparedRoundIsInvisibleUntilItsCommit) {
  EXPECT_EQ(TestNode::Letters(node_->Prepare(Round(1), {Insert(1), Insert(2)})), "YY");
  EXPECT_EQ(node_->Read(kCount), "0");
  EXPECT_EQ(node_->Report().held->round, Round(1));
  EXPECT_TRUE(node_->Commit(Round(1)).ok());
  EXPECT_EQ(node_->Read(kCount), "2");
  EXPECT_EQ(node_->Report().applied, Round(1));
  EXPECT_FALSE(node_->Report().held.has_value());
}

TEST_F(ParticipantEngineTest, EachBranchHasItsOwnVoteAndANoLeavesNothing) {
  const Answer<Votes> votes = node_->Prepare(
      Round(1), {Insert(1), {"INSERT INTO t VALUES(2,2)", "INSERT INTO t VALUES(1,0)"}, Insert(3)});
  EXPECT_EQ(TestNode::Letters(votes), "YNY");
  EXPECT_EQ((*votes.result->value().votes)[1].error->reason, Reason::kConstraintViolation);
  EXPECT_TRUE(node_->Commit(Round(1)).ok());
  EXPECT_EQ(node_->Read("SELECT group_concat(k) FROM t"), "1,3");
}

TEST_F(ParticipantEngineTest, ABranchHasItsTimeFromTheArrivalOfThePrepare) {
  const auto after = [this](uint64_t round, absl::Duration waited) {
    return node_->Prepare(Round(round), {Insert(1), Insert(2)}, true, waited);
  };
  const Answer<Votes> late = after(1, absl::Seconds(10));
  ASSERT_EQ(TestNode::Letters(late), "NN");
  EXPECT_EQ((*late.result->value().votes)[1].error->reason, Reason::kTimeout);
  EXPECT_EQ(late.result->value().queue_time, absl::Seconds(10));
  EXPECT_EQ(TestNode::Letters(after(2, absl::Milliseconds(9999))), "YY");
}

// Power loss may bring the mask back, and the next round's frames overwrite the record: nobody
// could tell then that this cut keeps everything.
TEST_F(ParticipantEngineTest, R7_ACutThatDropsNoYesIsDurableWhenAnswered) {
  node_->Prepare(Round(1), {Insert(1), {"INSERT INTO nowhere VALUES(1)"}, Insert(3)});
  EXPECT_TRUE(node_->Commit(Round(1), 3).ok());
  EXPECT_EQ(node_->Report().durable, Round(1));
  EXPECT_EQ(node_->Read(kCount), "2");
  node_->Prepare(Round(2), {Insert(4)});
  EXPECT_TRUE(node_->Commit(Round(2)).ok());
  EXPECT_EQ(node_->Report().durable, Round(1));  // without a cut the next sync is soon enough
}

TEST_F(ParticipantEngineTest, R11_ARepeatedPrepareGetsTheSameVotesAndRunsNothing) {
  const Answer<Votes> first = node_->Prepare(Round(1), {Insert(1)});
  const Answer<Votes> second = node_->Prepare(Round(1), {Insert(1)});
  ASSERT_TRUE(second.ok());
  EXPECT_EQ((*second.result->value().votes)[0].digest, (*first.result->value().votes)[0].digest);
  EXPECT_TRUE(node_->Commit(Round(1)).ok());
  EXPECT_EQ(node_->Read(kCount), "1");
}

TEST_F(ParticipantEngineTest, R14_ARoundOfNothingButNoHoldsNothing) {
  EXPECT_EQ(TestNode::Letters(node_->Prepare(Round(1), {{"INSERT INTO nowhere VALUES(1)"}})), "N");
  EXPECT_FALSE(node_->Report().held.has_value());
  EXPECT_EQ(TestNode::Letters(node_->Prepare(Round(1), {Insert(1)})), "N");
  EXPECT_EQ(node_->Commit(Round(1)).reason(), Reason::kRoundUnknown);
  EXPECT_EQ(TestNode::Letters(node_->Prepare(Round(2), {Insert(1)})), "Y");
}

TEST_F(ParticipantEngineTest, R3_RollbackThatOvertookItsPrepareHoldsAfterARestartToo) {
  EXPECT_TRUE(node_->Rollback(Round(3)).ok());
  EXPECT_EQ(node_->Prepare(Round(3), {Insert(1)}).reason(), Reason::kRoundUnknown);
  auto restarted = StartAfterKill();
  EXPECT_EQ(restarted->Prepare(Round(3), {Insert(1)}).reason(), Reason::kRoundUnknown);
  EXPECT_EQ(TestNode::Letters(restarted->Prepare(Round(4), {Insert(1)})), "Y");
}

TEST_F(ParticipantEngineTest, RollbackDropsThePreparedRoundAndTheNextOneFollows) {
  node_->Prepare(Round(1), {Insert(1)});
  EXPECT_TRUE(node_->Rollback(Round(1)).ok());
  EXPECT_TRUE(node_->Rollback(Round(1)).ok());
  EXPECT_EQ(node_->Commit(Round(1)).reason(), Reason::kRoundUnknown);
  EXPECT_EQ(TestNode::Letters(node_->Prepare(Round(2), {Insert(1, 7)})), "Y");
  EXPECT_TRUE(node_->Commit(Round(2)).ok());
  EXPECT_EQ(node_->Read(kSum), "7");
}

TEST_F(ParticipantEngineTest, R8_CommitOfWhatIsNotHeldIsAnError) {
  EXPECT_EQ(node_->Commit(Round(1)).reason(), Reason::kRoundUnknown);
  node_->Prepare(Round(1), {Insert(1)});
  EXPECT_EQ(node_->Commit(Round(2)).reason(), Reason::kRoundUnknown);
  EXPECT_TRUE(node_->Commit(Round(1)).ok());
  EXPECT_TRUE(node_->Commit(Round(1)).ok());
}

TEST_F(LostTransactionTest, ABranchThatDestroysTheTransactionCostsOnlyItself) {
  const Answer<Votes> votes = node_->Prepare(Round(1), {Insert(1), kDestroyer, Insert(3)});
  ASSERT_EQ(TestNode::Letters(votes), "YNY");
  EXPECT_EQ((*votes.result->value().votes)[1].error->reason, Reason::kLimitExceeded);
  EXPECT_TRUE(node_->Commit(Round(1)).ok());
  EXPECT_EQ(node_->Read("SELECT group_concat(k) FROM t"), "1,3");
}

TEST_F(LostTransactionTest, TheSecondLossDefersTheRest) {
  const Answer<Votes> votes =
      node_->Prepare(Round(1), {Insert(1), kDestroyer, Insert(3), kDestroyer, Insert(5)});
  EXPECT_EQ(TestNode::Letters(votes), "YNYND");
  EXPECT_TRUE(node_->Commit(Round(1)).ok());
  EXPECT_EQ(node_->Read("SELECT group_concat(k) FROM t"), "1,3");
}

TEST(EngineLimitsTest, WhatTheRecordHasNoRoomForIsDeferredAndRefusedIfItNeverFits) {
  TestDirectory directory;
  EngineOptions options = TestOptions(directory.path());
  options.execution.max_sql_bytes = int64_t{4} << 20;
  auto node = StartNode(options);
  const std::string large(400'000, 'x');
  const std::string huge(2'000'000, 'x');
  const auto insert = [](const std::string& text) {
    return Sql{"INSERT INTO t(v) VALUES('" + text + "')"};
  };
  EXPECT_EQ(TestNode::Letters(node->Prepare(
                Round(1), {insert(large), insert(large), insert(large), insert("small")})),
            "YYDD");
  EXPECT_TRUE(node->Rollback(Round(1)).ok());
  const Answer<Votes> votes = node->Prepare(Round(2), {insert("a"), insert(huge), insert("b")});
  EXPECT_EQ(TestNode::Letters(votes), "YNY");
  EXPECT_EQ((*votes.result->value().votes)[1].error->reason, Reason::kLimitExceeded);
}

TEST(EngineLimitsTest, RowsBeyondTheRoundsLimitDeferTheRest) {
  TestDirectory directory;
  EngineOptions options = TestOptions(directory.path());
  options.round.answer_bytes = 1000;
  auto node = StartNode(options);
  const Sql rows = {"SELECT hex(zeroblob(400))"};
  EXPECT_EQ(TestNode::Letters(node->Prepare(Round(1), {rows, rows, rows})), "YYD");
}

class SmallMemoryTest : public testing::Test {
 protected:
  // The table is larger than both limits, and nothing of it in memory.
  void Start(int64_t round_bytes, int64_t transaction_bytes) {
    EngineOptions options = TestOptions(directory_.path());
    {
      auto node = StartNode(options);
      for (int key = 1; key <= 20; ++key) ASSERT_TRUE(node->Execute({Filled(key)})->ok());
    }
    options.round.cache_bytes = round_bytes;
    options.execution.max_changed_bytes = transaction_bytes;
    node_ = std::make_unique<TestNode>(options);
    ASSERT_TRUE(node_->Open().ok());
  }
  static std::string Filled(int key) {
    return "INSERT INTO t VALUES(" + std::to_string(key) + ", zeroblob(200000))";
  }
  const Sql read_all_ = {"SELECT sum(instr(v, x'01')) FROM t"};

  TestDirectory directory_;
  std::unique_ptr<TestNode> node_;
};

TEST_F(SmallMemoryTest, WhatARoundOnlyReadsDoesNotCountAsChanged) {
  Start(int64_t{1} << 20, int64_t{256} << 20);
  EXPECT_EQ(
      TestNode::Letters(node_->Prepare(Round(1), {read_all_, Insert(101), read_all_, Insert(102)})),
      "YYYY");
  EXPECT_TRUE(node_->Commit(Round(1)).ok());
  Sql large = {Filled(201), Filled(202), Filled(203), Filled(204), Filled(205), Filled(206)};
  EXPECT_EQ(TestNode::Letters(node_->Prepare(Round(2), {Insert(103), large, Insert(104)})), "YYD");
}

TEST_F(SmallMemoryTest, WhatATransactionOnlyReadsDoesNotCountAsChanged) {
  Start(int64_t{64} << 20, int64_t{1} << 20);
  EXPECT_EQ(TestNode::Letters(node_->Prepare(Round(1), {read_all_})), "Y");
  EXPECT_TRUE(node_->Commit(Round(1)).ok());
  Sql large = {Filled(201), Filled(202), Filled(203), Filled(204), Filled(205),
               Filled(206), Filled(207), Filled(208), Filled(209)};
  const Answer<Votes> votes = node_->Prepare(Round(2), {large});
  ASSERT_EQ(TestNode::Letters(votes), "N");
  EXPECT_EQ((*votes.result->value().votes)[0].error->reason, Reason::kLimitExceeded);
}

}  // namespace
}  // namespace lockstep::participant
