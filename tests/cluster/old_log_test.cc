// Rule R22 with real processes: a coordinator on an old copy of its decision log.
#include <gtest/gtest.h>

#include <filesystem>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "tests/support/process_cluster.h"

namespace lockstep::testing_support {
namespace {

namespace fs = std::filesystem;

constexpr absl::Duration kSettled = absl::Seconds(30);
// More starts than the newest log is ahead of the copy: one term each would overtake it.
constexpr int kStarts = 5;

class OldLogTest : public testing::Test {
 protected:
  OldLogTest() : cluster_({{"bank-1", "bank", true}, {"stock-1", "stock", true}}) {}

  // Leaves the newest log, two runs ahead of the copy, with the coordinator down; both nodes have
  // the values 1 and 2, and bank-1 holds a round that only a coordinator can end.
  void SetUp() override {
    cluster_.StartAll();
    Settle();
    Execute("CREATE TABLE t(a INTEGER PRIMARY KEY)");
    Execute("INSERT INTO t VALUES (1)");
    StopCoordinator();
    fs::copy(log(), copy(), fs::copy_options::recursive);
    for (const char* sql : {"INSERT INTO t VALUES (2)", "UPDATE t SET a = 2 WHERE a = 2"}) {
      cluster_.coordinator().Start();
      Settle();
      Execute(sql);
      StopCoordinator();
    }
    fs::rename(log(), newest());
    PrepareByHand();
    for (size_t i = 0; i < cluster_.size(); ++i) reports_.push_back(Report(i));
    ASSERT_TRUE(reports_[0].has_prepared());
  }

  fs::path log() const { return cluster_.directory() / "coordinator"; }
  fs::path copy() const { return cluster_.directory() / "copy"; }
  fs::path newest() const { return cluster_.directory() / "newest"; }

  void UseLog(const fs::path& directory) {
    fs::remove_all(log());
    fs::copy(directory, log(), fs::copy_options::recursive);
  }

  void Settle() { ASSERT_EQ(cluster_.WaitUntilSettled(kSettled).value_or(""), ""); }

  void StopCoordinator() {
    cluster_.coordinator().Terminate();
    ASSERT_EQ(cluster_.coordinator().WaitForExit(absl::Seconds(20)).value_or(-1), 0);
  }

  // On both databases.
  void Execute(const std::string& sql) {
    v1::ExecuteRequest request;
    for (const char* database : {"bank", "stock"}) {
      v1::Operation* operation = request.add_operations();
      operation->set_database(database);
      operation->add_statements()->set_sql(sql);
    }
    v1::ExecuteResponse response;
    const grpc::Status status = cluster_.Coordinator()->Execute(Soon().get(), request, &response);
    ASSERT_TRUE(status.ok()) << ToText(status);
  }

  // As the run of the coordinator that has just ended would have.
  void PrepareByHand() {
    const uint32_t term = Report(0).term();
    v1::PrepareRequest request;
    *request.mutable_target() = Target(0, term);
    request.set_round((int64_t{term} << 43) | 1'000'000);
    v1::Branch* branch = request.add_branches();
    branch->set_transaction_id("by hand");
    branch->mutable_clock()->set_seconds(2'000'000'000);
    branch->add_operations()->add_statements()->set_sql("INSERT INTO t VALUES (99)");
    v1::PrepareResponse response;
    const grpc::Status status =
        cluster_.TwoPhaseCommit(0)->Prepare(Soon().get(), request, &response);
    ASSERT_TRUE(status.ok()) << ToText(status);
    ASSERT_EQ(response.votes(0).vote(), v1::VOTE_YES) << response.ShortDebugString();
  }

  v1::Target Target(size_t index, uint32_t term) const {
    v1::Target target;
    target.set_cluster_id("test");
    target.set_node_id(cluster_.node(index).node_id);
    target.set_term(term);
    return target;
  }

  v1::NodeReport Report(size_t index) {
    v1::StatusRequest request;
    *request.mutable_target() = Target(index, (1 << 20) - 1);
    v1::StatusResponse response;
    const grpc::Status status =
        cluster_.TwoPhaseCommit(index)->Status(Soon().get(), request, &response);
    EXPECT_TRUE(status.ok()) << ToText(status);
    return response.report();
  }

  // Nobody ended what is held, and nobody was obeyed.
  void ExpectUntouched() {
    for (size_t i = 0; i < cluster_.size(); ++i) {
      const v1::NodeReport now = Report(i);
      EXPECT_EQ(now.term(), reports_[i].term()) << now.ShortDebugString();
      EXPECT_EQ(now.coordinator_boot_id(), reports_[i].coordinator_boot_id());
      EXPECT_EQ(now.applied_round(), reports_[i].applied_round());
      EXPECT_EQ(now.prepared().round(), reports_[i].prepared().round());
    }
  }

  // The newest log ends what is held, and nothing that was answered is missing.
  void ExpectTheNewestLogToWork() {
    UseLog(newest());
    cluster_.coordinator().Start();
    Settle();
    EXPECT_FALSE(Report(0).has_prepared());
    Execute("INSERT INTO t VALUES (3)");
    for (const char* database : {"bank", "stock"}) {
      v1::QueryRequest request;
      request.set_database(database);
      request.set_sql("SELECT group_concat(a) FROM t");
      v1::QueryResponse response;
      const grpc::Status status = cluster_.Coordinator()->Query(Soon().get(), request, &response);
      ASSERT_TRUE(status.ok()) << ToText(status);
      EXPECT_EQ(response.rows(0).values(0).text_value(), "1,2,3") << database;
    }
  }

  static std::unique_ptr<grpc::ClientContext> Soon() {
    return Within(absl::Seconds(20), /*wait_for_ready=*/true);
  }

  ProcessCluster cluster_;
  std::vector<v1::NodeReport> reports_;
};

TEST_F(OldLogTest, R22_AnOldCopyEndsAtOnceSaysSoAtEveryStartAndTheNewestLogWorks) {
  UseLog(copy());
  for (int start = 0; start < kStarts; ++start) {
    cluster_.coordinator().Start();
    const auto exit = cluster_.coordinator().WaitForExit(absl::Seconds(20));
    ASSERT_TRUE(exit.has_value()) << "it lives on an old copy";
    EXPECT_EQ(*exit, 1);
    const std::string told = cluster_.coordinator().LogTail();
    EXPECT_NE(told.find("put the newest"), std::string::npos) << told;
    if (start == 0) continue;
    // The reason, from the mark.
    EXPECT_NE(told.find("is an older copy and must not be used any more"), std::string::npos)
        << told;
    EXPECT_NE(told.find("-1 refused our Fence"), std::string::npos) << told;
  }
  ExpectUntouched();
  ExpectTheNewestLogToWork();
}

// Each start takes a term that no participant hears of, until it is higher than theirs.
TEST_F(OldLogTest, R22_AnOldCopyThatClimbedInTheDarkIsRefusedByEveryNode) {
  for (size_t i = 0; i < cluster_.size(); ++i) cluster_.participant(i).Kill();
  UseLog(copy());
  uint32_t term = 0;
  for (int start = 0; start < kStarts; ++start) {
    cluster_.coordinator().Start();
    v1::GetClusterStatusResponse response;
    ASSERT_TRUE(cluster_.Coordinator()->GetClusterStatus(Soon().get(), {}, &response).ok());
    term = response.term();
    cluster_.coordinator().Kill();
  }
  ASSERT_GT(term, reports_[0].term());
  for (size_t i = 0; i < cluster_.size(); ++i) cluster_.participant(i).Start();
  cluster_.coordinator().Start();
  const auto stub = cluster_.Coordinator();
  v1::GetClusterStatusResponse status;
  EXPECT_TRUE(Eventually(kSettled, [&] {
    stub->GetClusterStatus(Within(absl::Seconds(1), true).get(), {}, &status);
    return status.participants_size() == 2 && status.participants(0).state() == v1::STATE_REFUSED &&
           status.participants(1).state() == v1::STATE_REFUSED;
  })) << status.ShortDebugString();
  EXPECT_NE(status.participants(0).state_reason().find("older copy"), std::string::npos)
      << status.ShortDebugString();
  ExpectUntouched();
  cluster_.coordinator().Kill();
  ExpectTheNewestLogToWork();
}

}  // namespace
}  // namespace lockstep::testing_support
