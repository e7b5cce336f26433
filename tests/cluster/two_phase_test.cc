// A participant's process under the coordinator's own calls, made by hand: what must hold whatever
// a coordinator, a network or a power switch does.
#include <gtest/gtest.h>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "tests/support/process_cluster.h"

namespace lockstep::testing_support {
namespace {

constexpr uint32_t kTerm = 7;
constexpr uint32_t kDataFormat = 1;

int64_t Round(int64_t number, uint32_t term = kTerm) { return (int64_t{term} << 43) | number; }

class TwoPhaseTest : public testing::Test {
 protected:
  TwoPhaseTest() : cluster_({{"solo-1", "solo", true}}) {}

  void SetUp() override {
    StartNode();
    ASSERT_TRUE(Fence(kTerm).ok());
    v1::ParticipantServiceExecuteRequest request;
    request.add_statements()->set_sql("CREATE TABLE t(a INTEGER PRIMARY KEY)");
    v1::ParticipantServiceExecuteResponse response;
    const grpc::Status status = node_->Execute(Soon().get(), request, &response);
    ASSERT_TRUE(status.ok()) << ToText(status);
  }

  void StartNode() {
    cluster_.participant(0).Start();
    protocol_ = cluster_.TwoPhaseCommit(0);
    node_ = cluster_.Participant(0);
  }

  void KillAndStart() {
    cluster_.participant(0).Kill();
    StartNode();
  }

  static std::unique_ptr<grpc::ClientContext> Soon() {
    return Within(absl::Seconds(20), /*wait_for_ready=*/true);
  }

  v1::Target Target(uint32_t term = kTerm) const {
    v1::Target target;
    target.set_cluster_id("test");
    target.set_node_id("solo-1");
    target.set_term(term);
    return target;
  }

  grpc::Status Fence(uint32_t term) {
    v1::FenceRequest request;
    *request.mutable_target() = Target(term);
    request.set_log_id("a log");
    request.set_database("solo");
    request.set_role(v1::ROLE_MASTER);
    request.set_replicas(1);
    request.set_data_format(kDataFormat);
    v1::FenceResponse response;
    const grpc::Status status = protocol_->Fence(Soon().get(), request, &response);
    report_ = response.report();
    return status;
  }

  // A round of one branch that inserts `value`.
  grpc::Status Prepare(int64_t round, int64_t value, uint32_t term = kTerm) {
    v1::PrepareRequest request;
    *request.mutable_target() = Target(term);
    request.set_round(round);
    v1::Branch* branch = request.add_branches();
    branch->set_transaction_id(absl::StrCat(term, "-", value));
    branch->mutable_clock()->set_seconds(absl::ToUnixSeconds(absl::Now()));
    branch->set_seed(value);
    v1::Statement* statement = branch->add_operations()->add_statements();
    statement->set_sql("INSERT INTO t VALUES (?)");
    statement->add_params()->set_int_value(value);
    prepared_.Clear();
    return protocol_->Prepare(Soon().get(), request, &prepared_);
  }

  void PrepareYes(int64_t round, int64_t value) {
    const grpc::Status status = Prepare(round, value);
    ASSERT_TRUE(status.ok()) << ToText(status);
    ASSERT_EQ(prepared_.votes_size(), 1);
    ASSERT_EQ(prepared_.votes(0).vote(), v1::VOTE_YES) << prepared_.ShortDebugString();
  }

  grpc::Status Commit(int64_t round, uint32_t term = kTerm) {
    v1::CommitRequest request;
    *request.mutable_target() = Target(term);
    request.set_round(round);
    v1::CommitResponse response;
    return protocol_->Commit(Soon().get(), request, &response);
  }

  grpc::Status Rollback(int64_t round) {
    v1::RollbackRequest request;
    *request.mutable_target() = Target();
    request.set_round(round);
    v1::RollbackResponse response;
    return protocol_->Rollback(Soon().get(), request, &response);
  }

  // The values in the table, as text.
  std::string Values() {
    v1::ParticipantServiceQueryRequest request;
    request.set_sql("SELECT a FROM t ORDER BY a");
    v1::ParticipantServiceQueryResponse response;
    const grpc::Status status = node_->Query(Soon().get(), request, &response);
    if (!status.ok()) return ToText(status);
    std::string text;
    for (const v1::Row& row : response.rows()) {
      absl::StrAppend(&text, text.empty() ? "" : " ", row.values(0).int_value());
    }
    return text;
  }

  v1::State State() {
    v1::CheckHealthResponse response;
    const grpc::Status status = node_->CheckHealth(Soon().get(), {}, &response);
    EXPECT_TRUE(status.ok()) << ToText(status);
    return response.state();
  }

  ProcessCluster cluster_;
  std::unique_ptr<v1::TwoPhaseCommitService::Stub> protocol_;
  std::unique_ptr<v1::ParticipantService::Stub> node_;
  v1::NodeReport report_;
  v1::PrepareResponse prepared_;
};

TEST_F(TwoPhaseTest, WhatIsPreparedIsSeenOnlyOnceItIsCommitted) {
  PrepareYes(Round(1), 1);
  EXPECT_EQ(Values(), "");
  EXPECT_TRUE(Commit(Round(1)).ok());
  EXPECT_EQ(Values(), "1");
}

// Rule R8. Vitess answered success here, and the transaction was lost (its PRs 16576 and 20016).
TEST_F(TwoPhaseTest, R8_CommitOfAnUnknownRoundIsAnErrorAndNeverSuccess) {
  const grpc::Status never = Commit(Round(5));
  EXPECT_EQ(DetailsOf(never).reason, "ROUND_UNKNOWN") << ToText(never);
  PrepareYes(Round(6), 6);
  const grpc::Status other = Commit(Round(5));
  EXPECT_EQ(DetailsOf(other).reason, "ROUND_UNKNOWN") << ToText(other);
  EXPECT_TRUE(Rollback(Round(6)).ok());
  const grpc::Status rolled_back = Commit(Round(6));
  EXPECT_EQ(DetailsOf(rolled_back).reason, "ROUND_UNKNOWN") << ToText(rolled_back);
  EXPECT_EQ(Values(), "");
}

TEST_F(TwoPhaseTest, R8_CommitOfAnAppliedRoundIsOkAsOftenAsItComes) {
  PrepareYes(Round(1), 1);
  EXPECT_TRUE(Commit(Round(1)).ok());
  EXPECT_TRUE(Commit(Round(1)).ok());
  KillAndStart();
  ASSERT_TRUE(Fence(kTerm).ok());
  EXPECT_EQ(Values(), "1");
}

// Rule R3. In Seata the branch stayed locked for ever (its issue 4073).
TEST_F(TwoPhaseTest, R3_APrepareThatItsRollbackOvertookIsRefusedAlsoAfterAKill) {
  EXPECT_TRUE(Rollback(Round(3)).ok());
  EXPECT_FALSE(Prepare(Round(3), 3).ok());
  KillAndStart();
  ASSERT_TRUE(Fence(kTerm).ok());
  const grpc::Status late = Prepare(Round(3), 3);
  EXPECT_FALSE(late.ok());
  PrepareYes(Round(4), 4);
  EXPECT_TRUE(Commit(Round(4)).ok());
  EXPECT_EQ(Values(), "4");
}

// Rules R5, R10: the promise outlives the process, and only the coordinator ends the doubt.
// Elsewhere what was prepared was in memory only.
TEST_F(TwoPhaseTest, R5_WhatWasPreparedIsInDoubtAfterAKillAndCanStillBeCommitted) {
  PrepareYes(Round(1), 1);
  KillAndStart();
  EXPECT_EQ(Values(), "");
  ASSERT_TRUE(Fence(kTerm + 1).ok());
  EXPECT_EQ(report_.prepared().round(), Round(1));
  EXPECT_TRUE(report_.prepared().in_doubt());
  EXPECT_TRUE(Commit(Round(1), kTerm + 1).ok());
  EXPECT_EQ(Values(), "1");
  KillAndStart();
  EXPECT_EQ(Values(), "1");
}

TEST_F(TwoPhaseTest, R5_WhatWasPreparedIsInDoubtAfterAKillAndCanStillBeRolledBack) {
  PrepareYes(Round(1), 1);
  KillAndStart();
  ASSERT_TRUE(Fence(kTerm).ok());
  EXPECT_TRUE(Rollback(Round(1)).ok());
  EXPECT_EQ(Values(), "");
  PrepareYes(Round(2), 2);
  EXPECT_TRUE(Commit(Round(2)).ok());
  EXPECT_EQ(Values(), "2");
}

// With Bitronix one transaction that nobody could resolve kept the whole node from starting.
TEST_F(TwoPhaseTest, R10_ANodeWithARoundInDoubtStartsAndServesReadsWithoutACoordinator) {
  PrepareYes(Round(1), 1);
  EXPECT_TRUE(Commit(Round(1)).ok());
  PrepareYes(Round(2), 2);
  for (int i = 0; i < 3; ++i) {
    KillAndStart();
    EXPECT_EQ(Values(), "1");
    EXPECT_EQ(State(), v1::STATE_RECOVERING);
  }
  v1::ParticipantServiceExecuteRequest request;
  request.add_statements()->set_sql("INSERT INTO t VALUES (9)");
  v1::ParticipantServiceExecuteResponse response;
  const grpc::Status status = node_->Execute(Soon().get(), request, &response);
  EXPECT_EQ(DetailsOf(status).reason, "NOT_READY") << ToText(status);
  EXPECT_EQ(DetailsOf(status)["outcome"], "NOT_STARTED");
}

// Rule R11: a vote is missing after a restart, and the round is not run again.
TEST_F(TwoPhaseTest, R11_AVoteIsGivenAgainOnlyByTheProcessThatMadeIt) {
  PrepareYes(Round(1), 1);
  const uint64_t digest = prepared_.votes(0).digest();
  PrepareYes(Round(1), 1);
  EXPECT_EQ(prepared_.votes(0).digest(), digest);
  KillAndStart();
  ASSERT_TRUE(Fence(kTerm).ok());
  EXPECT_FALSE(Prepare(Round(1), 1).ok());
}

TEST_F(TwoPhaseTest, R1_AnOlderTermIsRefusedAlsoAfterAKill) {
  ASSERT_TRUE(Fence(kTerm + 1).ok());
  EXPECT_EQ(DetailsOf(Prepare(Round(1), 1)).reason, "TERM_OUTDATED");
  KillAndStart();
  EXPECT_EQ(DetailsOf(Fence(kTerm)).reason, "TERM_OUTDATED");
  EXPECT_EQ(DetailsOf(Commit(Round(1))).reason, "TERM_OUTDATED");
}

TEST_F(TwoPhaseTest, R22_ACallForAnotherNodeIsRefusedWithBothNames) {
  v1::FenceRequest request;
  *request.mutable_target() = Target();
  request.mutable_target()->set_node_id("other-1");
  request.set_log_id("a log");
  request.set_database("solo");
  request.set_role(v1::ROLE_MASTER);
  request.set_replicas(1);
  request.set_data_format(kDataFormat);
  v1::FenceResponse response;
  const grpc::Status status = protocol_->Fence(Soon().get(), request, &response);
  EXPECT_FALSE(status.ok());
  EXPECT_NE(status.error_message().find("other-1"), std::string::npos) << ToText(status);
  EXPECT_NE(status.error_message().find("solo-1"), std::string::npos) << ToText(status);
}

TEST_F(TwoPhaseTest, R22_DataOfAnotherNodeIsRefusedAtStartWithBothNames) {
  cluster_.participant(0).Kill();
  std::vector<std::string> command = cluster_.ParticipantCommand(0);
  for (std::string& word : command) {
    if (word == "solo-1") word = "other-1";
  }
  Process stranger(command, cluster_.directory() / "stranger.log");
  stranger.Start();
  const auto exit = stranger.WaitForExit(absl::Seconds(20));
  ASSERT_TRUE(exit.has_value()) << "it serves another node's data";
  EXPECT_NE(*exit, 0);
  EXPECT_NE(stranger.LogTail().find("other-1"), std::string::npos) << stranger.LogTail();
  EXPECT_NE(stranger.LogTail().find("solo-1"), std::string::npos) << stranger.LogTail();
}

TEST_F(TwoPhaseTest, TheSameDataIsServedByOneProcessOnly) {
  std::vector<std::string> command = cluster_.ParticipantCommand(0);
  for (std::string& word : command) {
    if (word == cluster_.participant_address(0)) word = absl::StrCat("127.0.0.1:", FreePort());
  }
  Process second(command, cluster_.directory() / "second.log");
  second.Start();
  const auto exit = second.WaitForExit(absl::Seconds(20));
  ASSERT_TRUE(exit.has_value()) << "two processes serve the same data";
  EXPECT_NE(*exit, 0);
}

}  // namespace
}  // namespace lockstep::testing_support
