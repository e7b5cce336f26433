// Which logs a coordinator may start on, and with which members.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <set>
#include <string>
#include <vector>

#include "common/sqlite/connection.h"
#include "tests/coordinator/decision_log_fixture.h"

namespace {

// What this program has synced with fsync, by path.
std::set<std::string>& SyncedPaths() {
  static std::set<std::string> paths;
  return paths;
}

}  // namespace

// Stands before the C library's.
extern "C" int fsync(int descriptor) {
  std::error_code error;
  const auto path =
      std::filesystem::read_symlink("/proc/self/fd/" + std::to_string(descriptor), error);
  SyncedPaths().insert(path.string());
  return static_cast<int>(syscall(SYS_fsync, descriptor));
}

namespace lockstep::coordinator {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

TEST_F(SqliteDecisionLogTest, ADatabaseMayBeAddedToAUsedCluster) {
  Start()->Write(BatchOf({DecisionOf(RoundId::Make(1, 1), {1})})).IgnoreError();
  std::vector<Member> members = ThreeMembers();
  members.insert(members.begin(), {"orders-1", "orders", MemberRole::kMaster});
  auto log = Open();
  ASSERT_TRUE(log->SetMembers(members).ok());
  absl::StatusOr<RecoveredState> state = log->Recover();
  ASSERT_TRUE(state.ok());
  // The record names nodes, so it is right whatever their places are now.
  EXPECT_THAT(state->open[0].kept, ElementsAre(KeptBranches{1, kKeepAll}, KeptBranches{2, kKeepAll},
                                               KeptBranches{3, 3}));
}

TEST_F(SqliteDecisionLogTest, AReplicaCannotBeAddedToADatabaseWithRounds) {
  Start()->Write(BatchOf({DecisionOf(RoundId::Make(1, 1), {1})})).IgnoreError();
  std::vector<Member> members = ThreeMembers();
  members.push_back({"stock-2", "stock", MemberRole::kBackup});
  const absl::Status status = Open()->SetMembers(members);
  EXPECT_EQ(status.code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_THAT(std::string(status.message()), HasSubstr("stock-1 (MASTER), stock-2 (BACKUP)"));
  EXPECT_TRUE(Open()->SetMembers(ThreeMembers()).ok());
}

TEST_F(SqliteDecisionLogTest, ANodeCannotBeTakenFromADatabaseWithRoundsEvenWhenForgotten) {
  {
    auto log = Start();
    log->Write(BatchOf({DecisionOf(RoundId::Make(1, 1), {1})})).IgnoreError();
    LogBatch batch = BatchThatForgets({RoundId::Make(1, 1)});
    batch.durable_rounds = {{0, RoundId::Make(1, 1)}};
    log->Write(batch).IgnoreError();
  }
  std::vector<Member> members = ThreeMembers();
  members.erase(members.begin() + 1);
  const absl::Status status = Open()->SetMembers(members);
  EXPECT_THAT(std::string(status.message()),
              HasSubstr("the replicas of database bank cannot change"));
}

TEST_F(SqliteDecisionLogTest, AReplicaMayBeAddedWhileNothingWasDecided) {
  Start();
  std::vector<Member> members = ThreeMembers();
  members.push_back({"stock-2", "stock", MemberRole::kBackup});
  EXPECT_TRUE(Open()->SetMembers(members).ok());
}

TEST_F(SqliteDecisionLogTest, ASecondCoordinatorIsRefused) {
  auto log = Open();
  absl::StatusOr<std::unique_ptr<SqliteDecisionLog>> second = SqliteDecisionLog::Open(Options());
  EXPECT_EQ(second.status().code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_THAT(std::string(second.status().message()), HasSubstr("in use by another process"));
}

TEST_F(SqliteDecisionLogTest, AnotherClustersLogIsRefusedWithBothNames) {
  Open();
  SqliteDecisionLogOptions options = Options();
  options.cluster_id = "other";
  const absl::Status status = SqliteDecisionLog::Open(options).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_THAT(std::string(status.message()), HasSubstr("cluster demo"));
  EXPECT_THAT(std::string(status.message()), HasSubstr("other"));
}

TEST_F(SqliteDecisionLogTest, ANewerFormatIsRefusedWithBothNumbers) {
  Open();
  Tamper("UPDATE head SET format = 5; ALTER TABLE head RENAME horizon TO h");
  const absl::Status status = SqliteDecisionLog::Open(Options()).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_THAT(std::string(status.message()),
              HasSubstr("has format 5, and this program knows format 4"));
}

TEST_F(SqliteDecisionLogTest, DirectoriesThatAreMadeForItAreDurable) {
  SqliteDecisionLogOptions options = Options();
  options.directory = directory_.path() + "/a/b";
  SyncedPaths().clear();
  ASSERT_TRUE(SqliteDecisionLog::Open(options).ok());
  EXPECT_THAT(SyncedPaths(), testing::IsSupersetOf({directory_.path(), directory_.path() + "/a"}));
}

TEST_F(SqliteDecisionLogTest, ADirectoryThatCannotBeMadeIsNamed) {
  std::ofstream(directory_.path() + "/file") << "x";
  SqliteDecisionLogOptions options = Options();
  options.directory = directory_.path() + "/file/log";
  const absl::Status status = SqliteDecisionLog::Open(options).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_THAT(std::string(status.message()), HasSubstr(directory_.path() + "/file"));
}

TEST_F(SqliteDecisionLogTest, ASupersededLogIsRefusedWithTheReasonAndTakesNoTerm) {  // R22
  {
    auto log = Start();
    ASSERT_TRUE(log->MarkSuperseded("bank-1 has seen term 9, above our 1", kNow).ok());
  }
  for (int start = 0; start < 3; ++start) {
    const absl::Status status = SqliteDecisionLog::Open(Options()).status();
    EXPECT_EQ(status.code(), absl::StatusCode::kFailedPrecondition);
    EXPECT_THAT(
        std::string(status.message()),
        testing::AllOf(HasSubstr(path() + " is an older copy"), HasSubstr("2026-01-01T00:00:00Z"),
                       HasSubstr("bank-1 has seen term 9, above our 1"),
                       HasSubstr("put the newest decision log")));
  }
  auto file = LogFile::Open(path(), /*vfs=*/"");
  ASSERT_TRUE(file.ok()) << file.status();
  absl::StatusOr<sqlite::Statement> term = (*file)->connection().Prepare("SELECT term FROM head");
  ASSERT_EQ(term->Step(), sqlite::StepResult::kRow);
  EXPECT_EQ(term->ColumnInt(0), 1);
}

TEST_F(SqliteDecisionLogTest, AFileThatIsNoLogIsRefused) {
  std::ofstream(path()) << std::string(8192, 'x');
  EXPECT_EQ(SqliteDecisionLog::Open(Options()).status().code(), absl::StatusCode::kDataLoss);
}

}  // namespace
}  // namespace lockstep::coordinator
