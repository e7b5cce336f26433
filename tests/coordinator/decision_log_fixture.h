// A decision log in a directory of the test's own.
#ifndef LOCKSTEP_TESTS_COORDINATOR_DECISION_LOG_FIXTURE_H_
#define LOCKSTEP_TESTS_COORDINATOR_DECISION_LOG_FIXTURE_H_

#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "coordinator/sqlite_decision_log.h"
#include "tests/coordinator/temp_directory.h"

namespace lockstep::coordinator {

inline const absl::Time kNow = absl::FromUnixSeconds(1'767'225'600);

inline std::vector<Member> ThreeMembers() {
  return {{"bank-1", "bank", MemberRole::kMaster},
          {"bank-2", "bank", MemberRole::kBackup},
          {"stock-1", "stock", MemberRole::kMaster}};
}

inline Decision DecisionOf(RoundId round, std::vector<uint64_t> sequences, absl::Time time = kNow) {
  Decision decision;
  decision.round = round;
  decision.kept = {{0, kKeepAll}, {1, kKeepAll}, {2, 3}};
  for (const uint64_t sequence : sequences) decision.transactions.push_back({sequence, {0, 1}});
  decision.decide_time = time;
  decision.latest_clock = time;
  decision.log_time = time;
  return decision;
}

inline LogBatch BatchOf(std::vector<Decision> decisions) {
  LogBatch batch;
  batch.decisions = std::move(decisions);
  return batch;
}

inline LogBatch BatchThatForgets(std::vector<RoundId> rounds) {
  LogBatch batch;
  batch.forget = std::move(rounds);
  return batch;
}

class SqliteDecisionLogTest : public testing::Test {
 protected:
  SqliteDecisionLogOptions Options() const {
    SqliteDecisionLogOptions options;
    options.directory = directory_.path();
    options.cluster_id = "demo";
    options.reserve_bytes = 0;
    return options;
  }
  std::unique_ptr<SqliteDecisionLog> Open() {
    absl::StatusOr<std::unique_ptr<SqliteDecisionLog>> log = SqliteDecisionLog::Open(Options());
    EXPECT_TRUE(log.ok()) << log.status();
    return log.ok() ? *std::move(log) : nullptr;
  }
  // Opened, with its members set and a new term.
  std::unique_ptr<SqliteDecisionLog> Start() {
    std::unique_ptr<SqliteDecisionLog> log = Open();
    EXPECT_TRUE(log->SetMembers(ThreeMembers()).ok());
    EXPECT_TRUE(log->NewTerm().ok());
    return log;
  }
  // What only a bug could write: pages bear their checksums afterwards.
  void Tamper(const std::string& sql) {
    absl::StatusOr<std::unique_ptr<LogFile>> file = LogFile::Open(path(), /*vfs=*/"");
    ASSERT_TRUE(file.ok()) << file.status();
    const absl::Status status = (*file)->connection().Exec(sql + "; COMMIT");
    ASSERT_TRUE(status.ok()) << status;
  }
  std::string path() const { return directory_.path() + "/decisions.db"; }

  TempDirectory directory_;
};

}  // namespace lockstep::coordinator

#endif  // LOCKSTEP_TESTS_COORDINATOR_DECISION_LOG_FIXTURE_H_
