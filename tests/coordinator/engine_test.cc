#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

#include "coordinator/cluster_status.h"
#include "tests/coordinator/engine_fixture.h"

namespace lockstep::coordinator {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::SizeIs;

TEST_F(EngineTest, EveryParticipantIsFencedWithWhatItMustBe) {  // R15, R22
  Start();
  EXPECT_TRUE(engine_->all_asked());
  ASSERT_THAT(nodes_[1].fenced, SizeIs(1));
  const v1::FenceRequest& fence = nodes_[1].fenced[0];
  EXPECT_EQ(fence.target().cluster_id(), "demo");
  EXPECT_EQ(fence.target().node_id(), "bank-2");
  EXPECT_EQ(fence.target().term(), 3u);
  EXPECT_EQ(fence.log_id(), "log");
  EXPECT_EQ(fence.database(), "bank");
  EXPECT_EQ(fence.role(), v1::ROLE_BACKUP);
  EXPECT_EQ(fence.replicas(), 2u);
  EXPECT_EQ(fence.boot_id(), 30u);
  EXPECT_THAT(fence.earlier_boot_ids(), ElementsAre(10u, 20u));
}

TEST_F(EngineTest, NothingIsAnsweredOrCommittedBeforeTheDecisionIsDurable) {  // R13
  Start();
  Submit({"bank"});
  Pump();
  ASSERT_THAT(decisions_.waiting, SizeIs(1));
  EXPECT_THAT(answers_, IsEmpty());
  EXPECT_THAT(nodes_[0].committed, IsEmpty());
  MakeDurable();
  ASSERT_THAT(answers_, SizeIs(1));
  EXPECT_TRUE(answers_[0].ok());
  EXPECT_THAT(nodes_[0].committed, SizeIs(1));
  EXPECT_THAT(nodes_[1].committed, SizeIs(1));
  EXPECT_THAT(nodes_[2].committed, IsEmpty());
}

TEST_F(EngineTest, ALoneClientIsAnsweredBeforeTheCommitsGoOutAndManyAfter) {
  Start();
  std::vector<size_t> commits_before_answer;
  const auto submit = [&] {
    Submit({"bank"});
    std::get<std::unique_ptr<Transaction>>(mailbox_.back())->done =
        [&](const Result<v1::ExecuteResponse>&) {
          commits_before_answer.push_back(nodes_[0].committed.size());
        };
  };
  submit();
  Pump();
  MakeDurable();
  EXPECT_THAT(commits_before_answer, ElementsAre(0));
  for (int i = 0; i < 3; ++i) submit();
  Pump();
  MakeDurable();
  EXPECT_THAT(commits_before_answer, ElementsAre(0, 2, 2, 2));
}

TEST_F(EngineTest, ResultsStandInTheRequestsOrderAlsoForADatabaseNamedTwice) {
  for (FakeParticipant& node : nodes_) node.vote = YesWithResults;
  Start();
  Execute({"bank", "stock", "bank"});
  ASSERT_THAT(answers_, SizeIs(1));
  const v1::ExecuteResponse& response = answers_[0].value();
  EXPECT_EQ(response.transaction_id(), "3-1");
  ASSERT_EQ(response.results_size(), 3);
  EXPECT_EQ(response.results(0).database(), "bank");
  EXPECT_EQ(response.results(1).database(), "stock");
  EXPECT_EQ(response.results(2).database(), "bank");
  for (int i = 0; i < 3; ++i) {
    EXPECT_EQ(response.results(i).statements(0).rows_affected(), 100u + static_cast<uint32_t>(i));
  }
  EXPECT_EQ(response.versions().at("bank"), nodes_[0].applied);
  EXPECT_EQ(response.versions().at("stock"), nodes_[2].applied);
  EXPECT_EQ(response.participants_size(), 3);
  EXPECT_EQ(response.participants(0).sync_time().nanos(), 1000);
}

TEST_F(EngineTest, ReplicasGetTheSameBranchesAndOnlyTheMasterIsAskedForRows) {
  Start();
  Execute({"bank"});
  ASSERT_THAT(nodes_[0].prepared, SizeIs(1));
  ASSERT_THAT(nodes_[1].prepared, SizeIs(1));
  const v1::PrepareRequest& master = nodes_[0].prepared[0];
  const v1::PrepareRequest& backup = nodes_[1].prepared[0];
  EXPECT_EQ(master.branches(0).SerializeAsString(), backup.branches(0).SerializeAsString());
  EXPECT_EQ(master.branches(0).transaction_id(), "3-1");
  EXPECT_TRUE(master.want_rows());
  EXPECT_FALSE(backup.want_rows());
  EXPECT_EQ(backup.target().node_id(), "bank-2");
}

TEST_F(EngineTest, ANoVoteBecomesTheClientsError) {
  nodes_[2].vote = [](const v1::Branch&) { return No(Reason::kConstraintViolation, "taken"); };
  Start();
  Execute({"bank", "stock"});
  const Error& error = OnlyError();
  EXPECT_EQ(error.reason, Reason::kConstraintViolation);
  EXPECT_EQ(error.message, "taken");
  EXPECT_EQ(error.outcome, FailureOutcome::kAborted);
  EXPECT_EQ(error.transaction_id, "3-1");
  EXPECT_EQ(error.database, "stock");
  EXPECT_EQ(error.node_id, "stock-1");
  EXPECT_EQ(error.statement, 0);
  EXPECT_THAT(decisions_.later, IsEmpty());
}

// Each branch is below the limit of its participant; together they are above that of the answer.
TEST_F(EngineTest, ATransactionWhoseResultsAreTooLargeTogetherIsAbortedEverywhere) {
  for (FakeParticipant& node : nodes_) {
    node.vote = [](const v1::Branch& branch) {
      v1::BranchVote vote = YesWithResults(branch);
      for (v1::BranchResult& result : *vote.mutable_results()) {
        v1::Row* row = result.mutable_statements(0)->add_rows();
        row->add_values()->set_text_value(std::string(600, 'x'));
      }
      return vote;
    };
  }
  Start();
  Execute({"stock"});
  ASSERT_THAT(answers_, SizeIs(1));
  EXPECT_TRUE(answers_[0].ok());
  const int64_t committed = nodes_[2].applied;
  answers_.clear();
  Execute({"bank", "stock"});
  const Error& error = OnlyError();
  EXPECT_EQ(error.reason, Reason::kLimitExceeded);
  EXPECT_EQ(error.outcome, FailureOutcome::kAborted);
  EXPECT_THAT(error.message, HasSubstr("more than the limit of 1000 bytes"));
  EXPECT_THAT(error.message, testing::ContainsRegex("its results take 12[0-9][0-9] bytes"));
  EXPECT_THAT(error.message, HasSubstr("max_result_bytes"));
  EXPECT_EQ(error.transaction_id, "3-2");
  for (const FakeParticipant& node : nodes_) {
    EXPECT_THAT(node.rolled_back, SizeIs(1));
    EXPECT_THAT(node.committed, SizeIs(&node == &nodes_[2] ? 1 : 0));
  }
  EXPECT_EQ(nodes_[2].applied, committed);
  // What a replica sends is not answered, and not counted: each replica had 600 bytes too.
  answers_.clear();
  Execute({"bank"});
  EXPECT_TRUE(answers_.at(0).ok());
}

TEST_F(EngineTest, ReplicasThatDisagreeAreNamedWithTheirDigests) {
  for (int i = 0; i < 2; ++i) {
    nodes_[static_cast<size_t>(i)].vote = [i](const v1::Branch&) {
      v1::BranchVote vote;
      vote.set_vote(v1::VOTE_YES);
      vote.set_digest(0xab0 + static_cast<uint64_t>(i));
      return vote;
    };
  }
  Start();
  Execute({"bank"});
  const Error& error = OnlyError();
  EXPECT_EQ(error.reason, Reason::kReplicasDisagree);
  EXPECT_THAT(error.message, HasSubstr("bank-1 0000000000000ab0 bank-2 0000000000000ab1"));
  EXPECT_EQ(error.database, "bank");
  EXPECT_EQ(error.outcome, FailureOutcome::kAborted);
}

TEST_F(EngineTest, AParticipantThatIsDownIsNamedAndTheOthersGoOn) {
  nodes_[2].is_down = true;
  Start();
  Execute({"stock"});
  const Error error = OnlyError();
  EXPECT_EQ(error.reason, Reason::kParticipantUnavailable);
  EXPECT_EQ(error.node_id, "stock-1");
  EXPECT_EQ(error.outcome, FailureOutcome::kAborted);
  EXPECT_THAT(error.message, HasSubstr("takes no part now: cannot be reached; try again"));
  Execute({"bank"});
  ASSERT_THAT(answers_, SizeIs(2));
  EXPECT_TRUE(answers_[1].ok());
}

TEST_F(EngineTest, AnAnswerWithTooFewVotesIsNoVote) {  // R12
  nodes_[2].missing_votes = 1;
  Start();
  Execute({"stock", "bank"});
  EXPECT_EQ(OnlyError().reason, Reason::kParticipantUnavailable);
  EXPECT_EQ(OnlyError().node_id, "stock-1");
}

TEST_F(EngineTest, AVoteOfNoWithoutAReasonIsSaidToBeOne) {
  nodes_[0].vote = [](const v1::Branch&) { return v1::BranchVote(); };
  Start();
  Execute({"bank"});
  EXPECT_EQ(OnlyError().reason, Reason::kInvariantBroken);
  EXPECT_EQ(OnlyError().outcome, FailureOutcome::kAborted);
}

TEST_F(EngineTest, ADeferredTransactionIsSentAgainAndAnsweredOnce) {
  int votes = 0;
  nodes_[2].vote = [&votes](const v1::Branch& branch) {
    v1::BranchVote vote = YesWithResults(branch);
    if (votes++ == 0) vote.set_vote(v1::VOTE_DEFER);
    return vote;
  };
  nodes_[0].vote = YesWithResults;
  Start();
  Execute({"bank", "stock"});
  Pump();
  MakeDurable();
  ASSERT_THAT(answers_, SizeIs(1));
  ASSERT_TRUE(answers_[0].ok());
  EXPECT_THAT(nodes_[2].prepared, SizeIs(2));
  EXPECT_NE(nodes_[2].prepared[0].round(), nodes_[2].prepared[1].round());
  // Nothing is left of the round that deferred it.
  EXPECT_EQ(answers_[0].value().participants_size(), 3);
}

TEST_F(EngineTest, ATransactionThatWaitsTooLongIsAbortedWithTimeout) {
  nodes_[0].holds_votes = true;
  Start();
  Submit({"bank"});
  Pump();
  Submit({"bank"});
  Pump();
  Advance(absl::Milliseconds(10100));
  ASSERT_THAT(answers_, testing::Not(IsEmpty()));
  EXPECT_EQ(answers_[0].error().reason, Reason::kTimeout);
  EXPECT_EQ(answers_[0].error().outcome, FailureOutcome::kAborted);
  EXPECT_EQ(answers_[0].error().transaction_id, "3-2");
}

TEST_F(EngineTest, AFullDiskRefusesWhatIsNewAndFinishesWhatIsNot) {
  Start();
  Submit({"bank"});
  Pump();
  mailbox_.push_back(SpaceChanged{true});
  Submit({"bank"});
  Pump();
  EXPECT_EQ(OnlyError().reason, Reason::kDiskFull);
  EXPECT_EQ(OnlyError().outcome, FailureOutcome::kNotStarted);
  EXPECT_THAT(OnlyError().message, HasSubstr("3000 bytes free (least_free_bytes"));
  MakeDurable();
  ASSERT_THAT(answers_, SizeIs(2));
  EXPECT_TRUE(answers_[1].ok());
  mailbox_.push_back(SpaceChanged{false});
  Execute({"bank"});
  EXPECT_TRUE(answers_[2].ok());
}

TEST_F(EngineTest, WhatIsLargerThanTheWholeQueueIsNotToldToTryAgain) {
  queue_caps_.bytes = 30;
  Start();
  Execute({"bank"});
  const Error& error = OnlyError();
  EXPECT_EQ(error.reason, Reason::kLimitExceeded);
  EXPECT_EQ(error.outcome, FailureOutcome::kNotStarted);
  EXPECT_FALSE(error.retry_delay.has_value());
  EXPECT_THAT(error.message, HasSubstr("more than the limit of 30 bytes"));
  EXPECT_THAT(error.message, HasSubstr("queue_bytes"));
  EXPECT_THAT(nodes_[0].prepared, IsEmpty());
}

TEST_F(EngineTest, AFullQueueRefuses) {
  queue_caps_.transactions = 1;
  nodes_[0].holds_votes = true;
  Start();
  for (int i = 0; i < 4; ++i) {
    Submit({"bank"});
    Pump();
  }
  ASSERT_THAT(answers_, testing::Not(IsEmpty()));
  EXPECT_EQ(answers_[0].error().reason, Reason::kQueueFull);
  EXPECT_EQ(answers_[0].error().outcome, FailureOutcome::kNotStarted);
  EXPECT_THAT(answers_[0].error().message, HasSubstr("takes 1 transactions (queue_transactions"));
}

TEST_F(EngineTest, ShutdownRefusesWhatIsNewAndEndsWhenWhatRunsIsDone) {
  Start();
  Submit({"bank"});
  Pump();
  mailbox_.push_back(Event(Shutdown{}));
  Submit({"bank"});
  Pump();
  EXPECT_EQ(OnlyError().reason, Reason::kShuttingDown);
  EXPECT_FALSE(idle_);
  MakeDurable();
  ASSERT_THAT(answers_, SizeIs(2));
  EXPECT_TRUE(answers_[1].ok());
  EXPECT_TRUE(idle_);
}

TEST_F(EngineTest, WhoCannotBeAnsweredIsToldThatNothingIsKnown) {
  nodes_[0].holds_votes = true;
  Start();
  Submit({"bank"});
  Pump();
  engine_->AbandonAll();
  EXPECT_EQ(OnlyError().reason, Reason::kOutcomeUnknown);
  EXPECT_EQ(OnlyError().outcome, FailureOutcome::kUnknown);
  EXPECT_EQ(OnlyError().transaction_id, "3-1");
}

TEST_F(EngineTest, ADecisionIsForgottenWithItsDurableRounds) {  // R17, R22
  Start();
  Execute({"bank"});
  Advance(absl::Seconds(2));  // a Status call tells what is durable
  ASSERT_THAT(decisions_.later, testing::Not(IsEmpty()));
  const LogBatch& last = decisions_.later.back();
  EXPECT_THAT(last.forget, ElementsAre(RoundId::FromValue(nodes_[0].applied)));
}

TEST_F(EngineTest, AnotherNodeInThePlaceOfOursIsRefusedWithItsReason) {  // R22
  Error error;
  error.reason = Reason::kRequestInvalid;
  error.message = "this is node x, not stock-1";
  nodes_[2].fence_error = error;
  Start();
  const v1::GetClusterStatusResponse status = ClusterStatusOf(*engine_, clock_.WallNow());
  EXPECT_EQ(status.participants(2).state(), v1::STATE_REFUSED);
  EXPECT_THAT(status.participants(2).state_reason(), HasSubstr("this is node x, not stock-1"));
  EXPECT_EQ(status.participants(0).state(), v1::STATE_READY);
  Execute({"stock"});
  EXPECT_THAT(OnlyError().message, HasSubstr("this is node x"));
}

TEST_F(EngineTest, AnAnswerThatDidNotComeFromTheNodeDoesNotMakeItRefused) {
  Error error;
  error.reason = Reason::kInvariantBroken;
  error.message = "participant stock-1 answered with code 13 and no reason: a broken stream";
  nodes_[2].fence_error = error;
  Start();
  const v1::GetClusterStatusResponse status = ClusterStatusOf(*engine_, clock_.WallNow());
  EXPECT_EQ(status.participants(2).state(), v1::STATE_RECOVERING);
  EXPECT_THAT(status.participants(2).state_reason(), HasSubstr("a broken stream"));
  nodes_[2].fence_error.reset();
  Advance(kFirstRetry);
  Execute({"stock"});
  EXPECT_TRUE(answers_.at(0).ok());
}

TEST_F(EngineTest, RunningTransactionsAreKnownAndEndedOnesAreNot) {
  nodes_[0].holds_votes = true;
  Start();
  Submit({"bank"});
  Pump();
  EXPECT_TRUE(engine_->IsRunning({3, 1}));
  EXPECT_FALSE(engine_->IsRunning({3, 2}));
  nodes_[0].Release();
  Pump();
  MakeDurable();
  EXPECT_FALSE(engine_->IsRunning({3, 1}));
  EXPECT_EQ(engine_->last_sequence(), 1u);
}

TEST(MakeTransactionTest, AnUnknownDatabaseIsNamedWithItsOperation) {
  const Cluster cluster = *Cluster::Make("demo", {{"a", "bank", MemberRole::kMaster, "a:1"}});
  v1::ExecuteRequest request;
  request.add_operations()->set_database("bank");
  request.add_operations()->set_database("shop");
  const auto transaction = MakeTransaction(request, cluster);
  ASSERT_FALSE(transaction.ok());
  EXPECT_EQ(transaction.error().reason, Reason::kDatabaseUnknown);
  EXPECT_EQ(transaction.error().database, "shop");
  EXPECT_EQ(transaction.error().operation, 1);
  EXPECT_EQ(transaction.error().outcome, FailureOutcome::kNotStarted);
}

TEST(ClusterTest, WhatCannotBeAClusterIsRefusedByName) {
  const ClusterNode master{"a", "bank", MemberRole::kMaster, "h:1"};
  const ClusterNode backup{"b", "bank", MemberRole::kBackup, "h:2"};
  EXPECT_TRUE(Cluster::Make("demo", {backup, master}).ok());
  EXPECT_EQ(Cluster::Make("demo", {backup, master})->database(0).replicas.front(), 1u);
  EXPECT_THAT(std::string(Cluster::Make("demo", {backup}).status().message()),
              HasSubstr("bank has 0 nodes with role MASTER"));
  EXPECT_THAT(std::string(Cluster::Make("demo", {master, master}).status().message()),
              HasSubstr("node id a stands twice"));
  EXPECT_FALSE(Cluster::Make("demo", {}).ok());
  EXPECT_FALSE(Cluster::Make("", {master}).ok());
}

}  // namespace
}  // namespace lockstep::coordinator
