// The handshake: terms and identity.
#include <gtest/gtest.h>

#include "participant/engine.h"
#include "tests/participant/engine_fixture.h"

namespace lockstep::participant {
namespace {

TEST_F(ParticipantEngineTest, R1_ATermIsDurableAndOlderOnesAreRefused) {
  EXPECT_TRUE(node_->Fence(5).ok());
  EXPECT_EQ(node_->Fence(4).reason(), Reason::kTermOutdated);
  EXPECT_EQ(node_->Prepare(Round(1, 4), {Insert(1)}).reason(), Reason::kTermOutdated);
  auto restarted = StartAfterKill();
  EXPECT_EQ(restarted->Report().term, 5u);
  EXPECT_EQ(restarted->Fence(4).reason(), Reason::kTermOutdated);
}

TEST_F(ParticipantEngineTest, R1_ANewTermIsTakenWhileARoundIsPrepared) {
  node_->Prepare(Round(1), {Insert(1)});
  EXPECT_TRUE(node_->Fence(2).ok());
  auto restarted = StartAfterKill();
  EXPECT_EQ(restarted->Report().term, 2u);
  EXPECT_EQ(restarted->Report().held->round, Round(1));
  EXPECT_TRUE(restarted->Commit(Round(1), std::nullopt, 2).ok());
  EXPECT_EQ(restarted->Read(kCount), "1");
}

TEST_F(ParticipantEngineTest, R22_ATermBelongsToOneRunAlsoAfterAKillAndTheRefusalNamesBoth) {
  EXPECT_TRUE(node_->FenceBy(5, 0xa5).ok());
  EXPECT_TRUE(node_->FenceBy(5, 0xa5).ok());
  EXPECT_EQ(node_->FenceBy(5, 0xb5).reason(), Reason::kTermOutdated);
  auto restarted = StartAfterKill();
  EXPECT_EQ(restarted->Report().coordinator, 0xa5u);
  const Answer<Ok> other = restarted->FenceBy(5, 0xb5);
  ASSERT_EQ(other.reason(), Reason::kTermOutdated);
  EXPECT_NE(other.result->error().message.find("00000000000000a5"), std::string::npos);
  EXPECT_NE(other.result->error().message.find("00000000000000b5"), std::string::npos);
  EXPECT_TRUE(restarted->FenceBy(5, 0xa5).ok());
}

TEST_F(ParticipantEngineTest, R22_AnOldCopyOfTheLogIsNotObeyedHoweverHighItsTermIs) {
  EXPECT_TRUE(node_->FenceBy(2, 0xa2, {0xa1}).ok());
  node_->Prepare(Round(1, 2), {Insert(1)});
  const Answer<Ok> copy = node_->FenceBy(4, 0xb4, {0xa1, 0xb2, 0xb3});
  ASSERT_EQ(copy.reason(), Reason::kRequestInvalid);
  EXPECT_EQ(copy.result->error().field, "earlier_boot_ids");
  EXPECT_EQ(node_->Report().term, 2u);
  EXPECT_EQ(node_->Rollback(Round(1, 2), 4).reason(), Reason::kNotReady);
  EXPECT_TRUE(node_->FenceBy(3, 0xa3, {0xa1, 0xa2}).ok());
  EXPECT_TRUE(node_->Commit(Round(1, 2), std::nullopt, 3).ok());
  EXPECT_EQ(node_->Read(kCount), "1");
}

TEST_F(ParticipantEngineTest, R1_ARoundOfATermThatWasNotFencedIsRefusedAndTheTermNotRaised) {
  EXPECT_EQ(node_->Prepare(Round(1, 2), {Insert(1)}).reason(), Reason::kNotReady);
  EXPECT_EQ(node_->Report().term, 1u);
}

TEST_F(ParticipantEngineTest, R22_ARollbackKeepsTheRunThatTheTermBelongsTo) {
  EXPECT_TRUE(node_->FenceBy(2, 0xa2).ok());
  EXPECT_TRUE(node_->Rollback(Round(7, 2)).ok());
  auto restarted = StartAfterKill();
  EXPECT_EQ(restarted->Report().tombstone, Round(7, 2));
  EXPECT_EQ(restarted->FenceBy(2, 0xb2).reason(), Reason::kTermOutdated);
  EXPECT_TRUE(restarted->FenceBy(2, 0xa2).ok());
}

TEST_F(ParticipantEngineTest,
       R22_AnotherLogOrAnotherShapeOfTheDatabaseIsRefusedAndItsTermNotObeyed) {
  EXPECT_EQ(node_->Fence(9, 1, "another log").reason(), Reason::kRequestInvalid);
  EXPECT_EQ(node_->Report().term, 1u);
  node_->Prepare(Round(1), {Insert(1)});
  node_->Commit(Round(1));
  EXPECT_EQ(node_->Fence(9, 2).reason(), Reason::kRequestInvalid);
  auto restarted = StartAfterKill();
  const Answer<Ok> refused = restarted->Fence(9, 1, "another log");
  ASSERT_EQ(refused.reason(), Reason::kRequestInvalid);
  EXPECT_EQ(refused.result->error().field, "log_id");
  EXPECT_NE(refused.result->error().message.find("another log"), std::string::npos);
  EXPECT_NE(refused.result->error().message.find("log-1"), std::string::npos);
  EXPECT_TRUE(restarted->Fence(9).ok());
}

TEST(EngineStartTest, ANodeThatNobodyFencedTakesNoTransactions) {
  TestDirectory directory;
  TestNode node(TestOptions(directory.path()));
  ASSERT_TRUE(node.Open().ok());
  EXPECT_FALSE(node.Report().ready);
  EXPECT_TRUE(node.Report().serving);
  EXPECT_EQ(node.Execute({"CREATE TABLE t(k)"})->reason(), Reason::kNotReady);
  EXPECT_EQ(node.Prepare(Round(1), {{"CREATE TABLE t(k)"}}).reason(), Reason::kNotReady);
  EXPECT_TRUE(node.Fence().ok());
  EXPECT_TRUE(node.Report().ready);
  EXPECT_TRUE(node.Execute({"CREATE TABLE t(k)"})->ok());
}

class StandaloneTest : public testing::Test {
 protected:
  StandaloneTest() : options_(TestOptions(directory_.path())) {
    options_.standalone = true;
    Start();
  }
  void Start() {
    node_.reset();
    node_ = std::make_unique<TestNode>(options_);
    ASSERT_TRUE(node_->Open().ok());
  }

  TestDirectory directory_;
  EngineOptions options_;
  std::unique_ptr<TestNode> node_;
};

TEST_F(StandaloneTest, LocalTransactionsRunAtOnceUntilTheDatabaseHasReplicas) {
  EXPECT_TRUE(node_->Execute({"SELECT 1"})->ok());
  EXPECT_TRUE(node_->Fence(1, 2).ok());
  EXPECT_EQ(node_->Execute({"CREATE TABLE t(k)"})->reason(), Reason::kNodeIsReplicated);
}

TEST_F(StandaloneTest, LocalDataIsRefusedAsOneOfSeveralReplicasAndKeptAsTheOnlyOne) {
  EXPECT_TRUE(node_->Execute({"CREATE TABLE t(k)", "INSERT INTO t VALUES(1)"})->ok());
  for (int start = 0; start < 2; ++start) {
    const Answer<Ok> refused = node_->Fence(9, 2);
    ASSERT_EQ(refused.reason(), Reason::kRequestInvalid);
    const Error& error = refused.result->error();
    EXPECT_EQ(error.field, "replicas");
    EXPECT_NE(error.message.find("node-1 has data of local transactions"), std::string::npos);
    EXPECT_NE(error.message.find("empty data directory"), std::string::npos);
    EXPECT_EQ(node_->Report().term, 0u);  // it is a stranger's
    EXPECT_FALSE(node_->Report().identified);
    Start();
  }
  EXPECT_TRUE(node_->Fence(1, 1).ok());
  EXPECT_EQ(node_->Read("SELECT k FROM t"), "1");
}

TEST_F(StandaloneTest, LocalDataBesideTheOnlyReplicaRefusesASecondOne) {
  EXPECT_TRUE(node_->Fence(1, 1).ok());
  EXPECT_TRUE(node_->Execute({"CREATE TABLE t(k)"})->ok());
  EXPECT_EQ(node_->Fence(2, 2).reason(), Reason::kRequestInvalid);
  EXPECT_TRUE(node_->Fence(2, 1).ok());
  EXPECT_TRUE(node_->Execute({"DROP TABLE t"})->ok());
  EXPECT_TRUE(node_->Fence(3, 2).ok());  // equal to an empty one again
}

TEST(EngineStartTest, AVolumeOfAnotherNodeIsRefusedWithBothNames) {
  TestDirectory directory;
  { StartNode(TestOptions(directory.path())); }
  EngineOptions options = TestOptions(directory.path());
  options.name.node_id = options.store.node_id = "node-2";
  TestNode other(options);
  const absl::Status refused = other.Open();
  EXPECT_NE(std::string(refused.message()).find("node-1"), std::string::npos) << refused;
  EXPECT_NE(std::string(refused.message()).find("node-2"), std::string::npos) << refused;
}

}  // namespace
}  // namespace lockstep::participant
