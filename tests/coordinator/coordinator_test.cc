// The coordinator's threads, its log and its reads, over fake participants.
#include "coordinator/coordinator.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <condition_variable>
#include <future>
#include <memory>
#include <mutex>
#include <string>
#include <utility>
#include <vector>

#include "common/clock.h"
#include "coordinator/reader.h"
#include "coordinator/sqlite_decision_log.h"
#include "tests/coordinator/fake_link.h"
#include "tests/coordinator/temp_directory.h"

namespace lockstep::coordinator {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::SizeIs;

// Node 0 is the master of bank, node 1 its backup.
class CoordinatorTest : public testing::Test {
 protected:
  CoordinatorTest()
      : cluster_(*Cluster::Make("demo", {{"bank-1", "bank", MemberRole::kMaster, "a:1"},
                                         {"bank-2", "bank", MemberRole::kBackup, "b:1"}})),
        nodes_(2) {
    for (size_t i = 0; i < nodes_.size(); ++i) {
      nodes_[i].read = [this, i](const v1::ReadRequest& request) {
        return ReadAt(request, nodes_[i]);
      };
    }
  }

  void Start() {
    SqliteDecisionLogOptions options;
    options.directory = directory_.path();
    options.cluster_id = "demo";
    options.reserve_bytes = 0;
    auto log = *SqliteDecisionLog::Open(options);
    ASSERT_TRUE(log->SetMembers(cluster_.Members()).ok());
    ParticipantLinks links;
    for (FakeParticipant& node : nodes_) links.push_back(std::make_unique<FakeLink>(&node));
    coordinator_ = *Coordinator::Make(&cluster_, &clock_, std::move(links), std::move(log), {});
    coordinator_->Start();
    coordinator_->WaitUntilAllAsked(absl::Seconds(60));
  }
  void Stop() {
    coordinator_->Refuse();
    coordinator_->Shutdown(absl::Seconds(60));
    coordinator_.reset();
  }

  Result<v1::ExecuteResponse> Execute() {
    v1::ExecuteRequest request;
    request.add_operations()->set_database("bank");
    auto transaction = std::move(MakeTransaction(request, cluster_)).value();
    transaction->arrived = clock_.MonotonicNow();
    transaction->deadline = transaction->arrived + absl::Seconds(60);
    std::promise<Result<v1::ExecuteResponse>> promise;
    transaction->done = [&](Result<v1::ExecuteResponse> r) { promise.set_value(std::move(r)); };
    coordinator_->Execute(std::move(transaction));
    return promise.get_future().get();
  }
  LoggedOutcome FindOutcome(TransactionId id) {
    std::promise<LoggedOutcome> promise;
    coordinator_->FindOutcome(
        id, [&](absl::StatusOr<LoggedOutcome> outcome) { promise.set_value(*outcome); });
    return promise.get_future().get();
  }
  Result<ReadAnswer> Read(int64_t min_version = 0) {
    v1::ReadRequest request;
    request.set_sql("SELECT 1");
    request.set_least_round(min_version);
    std::promise<Result<ReadAnswer>> promise;
    ReadFromOne(coordinator_.get(), 0, request, absl::Seconds(60),
                [&](Result<ReadAnswer> r) { promise.set_value(std::move(r)); });
    return promise.get_future().get();
  }
  Result<v1::GetTableVersionResponse> TableVersions() {
    std::promise<Result<v1::GetTableVersionResponse>> promise;
    ReadTableVersions(
        coordinator_.get(), 0, "t", absl::Seconds(60),
        [&](Result<v1::GetTableVersionResponse> r) { promise.set_value(std::move(r)); });
    return promise.get_future().get();
  }

  // What a participant that works answers: the table's version is always 9.
  Answered<v1::ReadResponse> ReadAt(const v1::ReadRequest& request, const FakeParticipant& node) {
    reads_.push_back(request);
    Answered<v1::ReadResponse> answer;
    answer.response.set_round(node.applied);
    answer.response.add_rows()->add_values()->set_int_value(9);
    return answer;
  }
  static Answered<v1::ReadResponse> Refusal(CallFailure failure, Reason reason) {
    Answered<v1::ReadResponse> answer;
    answer.failed.emplace();
    answer.failed->failure = failure;
    answer.failed->error.reason = reason;
    answer.failed->error.message = "no";
    return answer;
  }

  const SystemClock clock_;
  const TempDirectory directory_;
  const Cluster cluster_;
  std::vector<FakeParticipant> nodes_;
  std::vector<v1::ReadRequest> reads_;  // in tests that read one at a time
  std::unique_ptr<Coordinator> coordinator_;
};

TEST_F(CoordinatorTest, AnAnsweredTransactionIsInTheLogAndAnotherTermFindsIt) {  // R1, R13
  Start();
  ASSERT_TRUE(Execute().ok());
  EXPECT_EQ(FindOutcome({1, 1}).kind, LoggedOutcome::Kind::kCommitted);
  EXPECT_EQ(FindOutcome({1, 2}).kind, LoggedOutcome::Kind::kNoRecord);
  Stop();
  Start();
  EXPECT_EQ(coordinator_->term(), 2u);
  const LoggedOutcome outcome = FindOutcome({1, 1});
  EXPECT_EQ(outcome.kind, LoggedOutcome::Kind::kCommitted);
  EXPECT_THAT(outcome.databases, ElementsAre("bank"));
  EXPECT_EQ(Execute().value().transaction_id(), "2-1");
  Stop();
}

TEST_F(CoordinatorTest, AReadCarriesTheLastDecidedRoundAndGoesToTheMaster) {  // R21
  Start();
  const int64_t version = Execute().value().versions().at("bank");
  Result<ReadAnswer> answer = Read();
  ASSERT_TRUE(answer.ok());
  EXPECT_EQ(answer->participant, 0u);
  ASSERT_THAT(reads_, SizeIs(1));
  EXPECT_EQ(reads_[0].least_round(), version);
  EXPECT_EQ(reads_[0].target().term(), 1u);
  ASSERT_TRUE(Read(version + 5).ok());
  EXPECT_EQ(reads_[1].least_round(), version + 5);
  Stop();
}

TEST_F(CoordinatorTest, AReadThatTheMasterCannotServeGoesToAnotherReplica) {
  Start();
  nodes_[0].read = [](const v1::ReadRequest&) {
    return Refusal(CallFailure::kUnavailable, Reason::kParticipantUnavailable);
  };
  Result<ReadAnswer> answer = Read();
  ASSERT_TRUE(answer.ok());
  EXPECT_EQ(answer->participant, 1u);
  Stop();
}

TEST_F(CoordinatorTest, AReadIsTriedOnceAtEachReplica) {
  Start();
  for (FakeParticipant& node : nodes_) {
    node.read = [](const v1::ReadRequest&) {
      return Refusal(CallFailure::kRefused, Reason::kNotReady);
    };
  }
  Result<ReadAnswer> answer = Read();
  ASSERT_FALSE(answer.ok());
  EXPECT_EQ(answer.error().reason, Reason::kNotReady);
  EXPECT_EQ(answer.error().node_id, "bank-2");
  Stop();
}

// To a client it is a coordinator that cannot read now.
TEST_F(CoordinatorTest, AReadThatIsRefusedForItsTermGoesToAnotherReplicaOrIsNotReady) {
  Start();
  nodes_[0].read = [](const v1::ReadRequest&) {
    return Refusal(CallFailure::kTermOutdated, Reason::kTermOutdated);
  };
  Result<ReadAnswer> answer = Read();
  ASSERT_TRUE(answer.ok());
  EXPECT_EQ(answer->participant, 1u);
  nodes_[1].read = nodes_[0].read;
  answer = Read();
  ASSERT_FALSE(answer.ok());
  EXPECT_EQ(answer.error().reason, Reason::kNotReady);
  Result<v1::GetTableVersionResponse> versions = TableVersions();
  ASSERT_FALSE(versions.ok());
  EXPECT_EQ(versions.error().reason, Reason::kNotReady);
  Stop();
}

TEST_F(CoordinatorTest, AnErrorInTheStatementIsNotTriedElsewhere) {
  Start();
  nodes_[0].read = [](const v1::ReadRequest&) {
    return Refusal(CallFailure::kRefused, Reason::kSqlInvalid);
  };
  Result<ReadAnswer> answer = Read();
  ASSERT_FALSE(answer.ok());
  EXPECT_EQ(answer.error().reason, Reason::kSqlInvalid);
  EXPECT_EQ(answer.error().node_id, "bank-1");
  EXPECT_EQ(answer.error().database, "bank");
  Stop();
}

TEST_F(CoordinatorTest, WithNoReplicaThereAReadSaysWhich) {
  for (FakeParticipant& node : nodes_) node.is_down = true;
  Start();
  Result<ReadAnswer> answer = Read();
  ASSERT_FALSE(answer.ok());
  EXPECT_EQ(answer.error().reason, Reason::kParticipantUnavailable);
  EXPECT_THAT(answer.error().message, HasSubstr("bank-1"));
  EXPECT_THAT(answer.error().message, HasSubstr("bank-2"));
  Stop();
}

TEST_F(CoordinatorTest, TableVersionsAgreeOnlyAtTheSameRound) {
  Start();
  ASSERT_TRUE(Execute().ok());
  Result<v1::GetTableVersionResponse> versions = TableVersions();
  ASSERT_TRUE(versions.ok());
  EXPECT_EQ(versions->participants_size(), 2);
  EXPECT_TRUE(versions->has_replicas_agree());
  EXPECT_TRUE(versions->replicas_agree());
  Stop();
}

// Whatever the one that answers first says: it may do so while the others are being asked.
TEST_F(CoordinatorTest, EveryReplicaIsAskedForTheSameRoundInOneTry) {
  Start();
  for (FakeParticipant& node : nodes_) {
    node.read = [this, &node](const v1::ReadRequest& request) {
      Answered<v1::ReadResponse> answer = ReadAt(request, node);
      answer.response.set_round(5);
      return answer;
    };
  }
  ASSERT_TRUE(TableVersions().ok());
  ASSERT_THAT(reads_, SizeIs(2));
  EXPECT_EQ(reads_[0].least_round(), 0);
  EXPECT_EQ(reads_[1].least_round(), 0);
  Stop();
}

TEST_F(CoordinatorTest, ReplicasAtDifferentRoundsAreAskedAgain) {
  Start();
  int asked = 0;
  nodes_[1].read = [this, &asked](const v1::ReadRequest& request) {
    Answered<v1::ReadResponse> answer = ReadAt(request, nodes_[1]);
    // Behind the master at first; then it waits for the round that it is asked for.
    answer.response.set_round(++asked < 3 ? 1 : 5);
    return answer;
  };
  nodes_[0].read = [this](const v1::ReadRequest& request) {
    Answered<v1::ReadResponse> answer = ReadAt(request, nodes_[0]);
    answer.response.set_round(5);
    return answer;
  };
  Result<v1::GetTableVersionResponse> versions = TableVersions();
  ASSERT_TRUE(versions.ok());
  EXPECT_EQ(asked, 3);
  EXPECT_EQ(reads_.back().least_round(), 5);
  EXPECT_TRUE(versions->replicas_agree());
  Stop();
}

TEST_F(CoordinatorTest, WithAReplicaMissingNothingIsSaidAboutAgreement) {
  nodes_[1].is_down = true;
  Start();
  Result<v1::GetTableVersionResponse> versions = TableVersions();
  ASSERT_TRUE(versions.ok());
  EXPECT_EQ(versions->participants_size(), 1);
  EXPECT_FALSE(versions->has_replicas_agree());
  Stop();
}

}  // namespace
}  // namespace lockstep::coordinator
