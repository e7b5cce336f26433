#include "coordinator/sqlite_decision_log.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <filesystem>
#include <string>
#include <vector>

#include "common/sqlite/connection.h"
#include "tests/coordinator/decision_log_fixture.h"
#include "tests/coordinator/failing_vfs.h"

namespace lockstep::coordinator {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

TEST_F(SqliteDecisionLogTest, TermsGrowAcrossStartsAndTheLogKeepsItsId) {  // R1, R22
  std::string log_id;
  {
    auto log = Open();
    log_id = log->log_id();
    EXPECT_EQ(log_id.size(), 32u);
    EXPECT_EQ(log->NewTerm().value_or(0), 1u);
    EXPECT_EQ(log->NewTerm().value_or(0), 2u);
  }
  auto log = Open();
  EXPECT_EQ(log->log_id(), log_id);
  EXPECT_EQ(log->NewTerm().value_or(0), 3u);
}

TEST_F(SqliteDecisionLogTest, EachTermHasARunOfItsOwnThatTheLogRemembers) {  // R22
  std::vector<uint64_t> before;
  for (size_t starts = 1; starts <= 3; ++starts) {
    auto log = Start();
    const std::vector<uint64_t> runs = log->Recover()->boot_ids;
    ASSERT_EQ(runs.size(), starts);
    EXPECT_EQ(std::vector<uint64_t>(runs.begin(), std::prev(runs.end())), before);
    EXPECT_THAT(before, testing::Not(testing::Contains(runs.back())));
    EXPECT_NE(runs.back(), 0u);
    before = runs;
  }
}

// Whatever filled the disk: the term and the decisions of a start have to find room.
TEST_F(SqliteDecisionLogTest, AReserveIsGivenUpBeforeAStartOnAFullDiskWritesAnything) {
  RegisterFailingVfs();
  Start();
  SqliteDecisionLogOptions options = Options();
  options.vfs = kFailingVfs;
  options.reserve_bytes = 1 << 20;
  const std::string reserve = directory_.path() + "/reserve";
  ASSERT_TRUE(SqliteDecisionLog::Open(options).ok());
  ASSERT_TRUE(std::filesystem::exists(reserve));
  int writes = 0;
  OnEachWrite([&] {
    ++writes;
    EXPECT_FALSE(std::filesystem::exists(reserve));
  });
  options.least_free_bytes = uint64_t{1} << 62;  // as if the disk were full
  auto log = *SqliteDecisionLog::Open(options);
  ASSERT_TRUE(log->NewTerm().ok());
  OnEachWrite(nullptr);
  EXPECT_GT(writes, 0);
}

TEST_F(SqliteDecisionLogTest, TwoLogsHaveDifferentIds) {  // R22
  const TempDirectory other;
  SqliteDecisionLogOptions options = Options();
  options.directory = other.path();
  absl::StatusOr<std::unique_ptr<SqliteDecisionLog>> log = SqliteDecisionLog::Open(options);
  ASSERT_TRUE(log.ok());
  EXPECT_NE((*log)->log_id(), Open()->log_id());
}

TEST_F(SqliteDecisionLogTest, DecisionsComeBackWithWhatEachParticipantKeeps) {  // R12, R16
  {
    auto log = Start();
    ASSERT_TRUE(log->Write(BatchOf({DecisionOf(RoundId::Make(1, 7), {5}),
                                    DecisionOf(RoundId::Make(1, 3), {1, 2})}))
                    .ok());
  }
  auto log = Start();
  absl::StatusOr<RecoveredState> state = log->Recover();
  ASSERT_TRUE(state.ok()) << state.status();
  ASSERT_EQ(state->open.size(), 2u);
  EXPECT_EQ(state->open[0].round, RoundId::Make(1, 3));
  EXPECT_EQ(state->open[1].round, RoundId::Make(1, 7));
  EXPECT_THAT(state->open[0].kept, ElementsAre(KeptBranches{0, kKeepAll}, KeptBranches{1, kKeepAll},
                                               KeptBranches{2, 3}));
  EXPECT_EQ(state->clock_floor, kNow);
}

TEST_F(SqliteDecisionLogTest, AForgottenDecisionIsNotRecoveredButItsOutcomeStays) {  // R17
  {
    auto log = Start();
    ASSERT_TRUE(log->Write(BatchOf({DecisionOf(RoundId::Make(1, 1), {1}),
                                    DecisionOf(RoundId::Make(1, 2), {2})}))
                    .ok());
    ASSERT_TRUE(log->Write(BatchThatForgets({RoundId::Make(1, 1)})).ok());
  }
  auto log = Start();
  absl::StatusOr<RecoveredState> state = log->Recover();
  ASSERT_TRUE(state.ok());
  ASSERT_EQ(state->open.size(), 1u);
  EXPECT_EQ(state->open[0].round, RoundId::Make(1, 2));
  absl::StatusOr<LoggedOutcome> outcome = log->FindOutcome({1, 1});
  ASSERT_TRUE(outcome.ok());
  EXPECT_EQ(outcome->kind, LoggedOutcome::Kind::kCommitted);
}

TEST_F(SqliteDecisionLogTest, ARoundDecidedAfterLaterOnesWereForgottenIsRecovered) {  // R16, R17
  {
    auto log = Start();
    ASSERT_TRUE(log->Write(BatchOf({DecisionOf(RoundId::Make(1, 8), {1}),
                                    DecisionOf(RoundId::Make(1, 9), {2})}))
                    .ok());
    // From here on the lowest that is open is 9.
    ASSERT_TRUE(log->Write(BatchThatForgets({RoundId::Make(1, 8)})).ok());
    ASSERT_TRUE(log->Write(BatchOf({DecisionOf(RoundId::Make(1, 4), {3})})).ok());
  }
  auto log = Start();
  absl::StatusOr<RecoveredState> state = log->Recover();
  ASSERT_TRUE(state.ok());
  ASSERT_EQ(state->open.size(), 2u);
  EXPECT_EQ(state->open[0].round, RoundId::Make(1, 4));
  EXPECT_EQ(state->open[1].round, RoundId::Make(1, 9));
}

TEST_F(SqliteDecisionLogTest, InstantsDoNotDecreaseWhenTheDecisionsAreForgotten) {  // R23
  {
    auto log = Start();
    ASSERT_TRUE(log->Write(BatchOf({DecisionOf(RoundId::Make(1, 1), {1})})).ok());
    ASSERT_TRUE(log->Write(BatchThatForgets({RoundId::Make(1, 1)})).ok());
    ASSERT_TRUE(log->Prune(kNow + absl::Hours(2)).ok());
  }
  absl::StatusOr<RecoveredState> state = Start()->Recover();
  ASSERT_TRUE(state.ok());
  EXPECT_THAT(state->open, IsEmpty());
  EXPECT_EQ(state->clock_floor, kNow);
}

TEST_F(SqliteDecisionLogTest, DurableRoundsOfMembersAreKept) {  // R22
  {
    auto log = Start();
    LogBatch batch;
    batch.durable_rounds = {{1, RoundId::Make(1, 5)}, {2, RoundId::Make(1, 6)}};
    ASSERT_TRUE(log->Write(batch).ok());
  }
  absl::StatusOr<RecoveredState> state = Start()->Recover();
  ASSERT_TRUE(state.ok());
  EXPECT_THAT(state->durable_rounds,
              ElementsAre(RoundId(), RoundId::Make(1, 5), RoundId::Make(1, 6)));
}

TEST_F(SqliteDecisionLogTest, OutcomesAreFoundByTransactionId) {
  auto log = Start();
  ASSERT_TRUE(log->Write(BatchOf({DecisionOf(RoundId::Make(1, 1), {3, 255, 256, 5000})})).ok());
  for (const uint64_t committed : {3, 255, 256, 5000}) {
    absl::StatusOr<LoggedOutcome> outcome = log->FindOutcome({1, committed});
    ASSERT_TRUE(outcome.ok());
    EXPECT_EQ(outcome->kind, LoggedOutcome::Kind::kCommitted) << committed;
    EXPECT_EQ(outcome->decide_time, kNow);
    EXPECT_THAT(outcome->databases, ElementsAre("bank", "stock"));
  }
  for (const uint64_t aborted : {2, 4, 257, 4999}) {
    EXPECT_EQ(log->FindOutcome({1, aborted})->kind, LoggedOutcome::Kind::kNoRecord) << aborted;
  }
}

TEST_F(SqliteDecisionLogTest, WhatIsOlderThanTheHorizonIsNotCalledAborted) {
  {
    auto log = Start();
    ASSERT_TRUE(log->Write(BatchOf({DecisionOf(RoundId::Make(1, 1), {2, 300}),
                                    DecisionOf(RoundId::Make(1, 2), {299}, kNow + absl::Hours(2)),
                                    DecisionOf(RoundId::Make(1, 3), {301}, kNow)}))
                    .ok());
    ASSERT_TRUE(log->Write(BatchThatForgets({RoundId::Make(1, 1), RoundId::Make(1, 2)})).ok());
    EXPECT_EQ(*log->Prune(kNow + absl::Hours(1)), 1);
  }
  auto log = Start();
  EXPECT_EQ(log->FindOutcome({1, 2})->kind, LoggedOutcome::Kind::kForgotten);
  EXPECT_EQ(log->FindOutcome({1, 1})->kind, LoggedOutcome::Kind::kForgotten);
  EXPECT_EQ(log->FindOutcome({1, 300})->kind, LoggedOutcome::Kind::kForgotten);
  EXPECT_EQ(log->FindOutcome({1, 299})->kind, LoggedOutcome::Kind::kCommitted);
  EXPECT_EQ(log->FindOutcome({1, 301})->kind, LoggedOutcome::Kind::kCommitted);
  EXPECT_EQ(log->FindOutcome({1, 302})->kind, LoggedOutcome::Kind::kNoRecord);
}

// Elsewhere a record expired while a participant still needed it.
TEST_F(SqliteDecisionLogTest, ADecisionThatIsNotForgottenIsNeverPruned) {  // R17
  {
    auto log = Start();
    ASSERT_TRUE(log->Write(BatchOf({DecisionOf(RoundId::Make(1, 1), {1})})).ok());
    EXPECT_EQ(*log->Prune(kNow + absl::Hours(24)), 0);
  }
  EXPECT_EQ(Start()->Recover()->open.size(), 1u);
}

TEST_F(SqliteDecisionLogTest, ADamagedRecordIsNotTakenForAnother) {  // R16
  Start()->Write(BatchOf({DecisionOf(RoundId::Make(1, 1), {1})})).IgnoreError();
  Tamper("UPDATE decision SET round = round + 1");
  auto log = Open();
  // Also the check of the members reads it.
  const absl::Status status = log->SetMembers(ThreeMembers());
  EXPECT_EQ(status.code(), absl::StatusCode::kDataLoss);
  EXPECT_THAT(std::string(status.message()), HasSubstr("is damaged"));
}

TEST_F(SqliteDecisionLogTest, OneSyncPerWriteWhateverItHolds) {
  RegisterFailingVfs();
  SqliteDecisionLogOptions options = Options();
  options.vfs = kFailingVfs;
  auto log = *SqliteDecisionLog::Open(options);
  ASSERT_TRUE(log->SetMembers(ThreeMembers()).ok());
  const int before = VfsSyncs();
  std::vector<Decision> decisions;
  for (uint64_t i = 1; i <= 50; ++i) decisions.push_back(DecisionOf(RoundId::Make(1, i), {i}));
  ASSERT_TRUE(log->Write(BatchOf(std::move(decisions))).ok());
  EXPECT_EQ(VfsSyncs() - before, 1);
}

TEST_F(SqliteDecisionLogTest, EveryErrorOfADiskIsReportedAndLeavesAReadableLog) {  // R13
  RegisterFailingVfs();
  SqliteDecisionLogOptions options = Options();
  options.vfs = kFailingVfs;
  bool wrote = false;
  uint64_t number = 0;
  for (int after = 0; !wrote; ++after) {
    ++number;
    {
      auto log = *SqliteDecisionLog::Open(options);
      ASSERT_TRUE(log->SetMembers(ThreeMembers()).ok());
      FailWritesAfter(after);
      wrote = log->Write(BatchOf({DecisionOf(RoundId::Make(1, number), {number})})).ok();
      FailWritesAfter(-1);
    }
    auto log = Open();
    ASSERT_TRUE(log->SetMembers(ThreeMembers()).ok());
    absl::StatusOr<RecoveredState> state = log->Recover();
    ASSERT_TRUE(state.ok()) << state.status();
    const bool is_there = !state->open.empty() && state->open.back().round.number() == number;
    if (wrote) {
      EXPECT_TRUE(is_there);
    }
    ASSERT_LT(after, 100);
  }
}

// Narayana took a log that it could not read for one without the transaction (JBTM-2885).
TEST_F(SqliteDecisionLogTest, ALogThatCannotBeReadToItsEndIsAnErrorAndNotAShorterLog) {  // R16
  RegisterFailingVfs();
  constexpr uint64_t kDecisions = 60;  // more than a page of them
  {
    auto log = Start();
    for (uint64_t i = 1; i <= kDecisions; ++i) {
      ASSERT_TRUE(log->Write(BatchOf({DecisionOf(RoundId::Make(1, i), {i})})).ok());
    }
  }
  SqliteDecisionLogOptions options = Options();
  options.vfs = kFailingVfs;
  // On a copy of its own: what a try leaves behind would be read by the next.
  const auto recover = [&options](const std::string& directory) -> absl::StatusOr<RecoveredState> {
    options.directory = directory;
    auto log = SqliteDecisionLog::Open(options);
    if (!log.ok()) return log.status();
    if (absl::Status status = (*log)->SetMembers(ThreeMembers()); !status.ok()) return status;
    return (*log)->Recover();
  };
  int refused = 0;
  bool failed = true;
  for (int after = 0; failed; ++after) {
    const TempDirectory copy;
    std::filesystem::copy(directory_.path(), copy.path(),
                          std::filesystem::copy_options::recursive |
                              std::filesystem::copy_options::overwrite_existing);
    const int failures = VfsFailures();
    FailReadsAfter(after);
    const absl::StatusOr<RecoveredState> state = recover(copy.path());
    FailReadsAfter(-1);
    failed = VfsFailures() > failures;
    refused += state.ok() ? 0 : 1;
    ASSERT_TRUE(failed || state.ok()) << state.status();
    // What fails may be a read that was not needed.
    EXPECT_EQ(state.ok() ? state->open.size() : kDecisions, kDecisions) << "after " << after;
  }
  std::printf("%d of the starts were refused\n", refused);
  EXPECT_GT(refused, 10);
}

TEST_F(SqliteDecisionLogTest, AFailedSyncIsAnError) {  // R13
  RegisterFailingVfs();
  SqliteDecisionLogOptions options = Options();
  options.vfs = kFailingVfs;
  auto log = *SqliteDecisionLog::Open(options);
  ASSERT_TRUE(log->SetMembers(ThreeMembers()).ok());
  FailSyncsAfter(0);
  EXPECT_FALSE(log->Write(BatchOf({DecisionOf(RoundId::Make(1, 1), {1})})).ok());
  FailSyncsAfter(-1);
}

// The child writes decisions, and tells of each through the pipe after it is durable, until it is
// killed in the middle of whatever it does.
TEST_F(SqliteDecisionLogTest, WhatWasReportedDurableSurvivesAKill) {  // R13
  for (int run = 0; run < 5; ++run) {
    int ends[2];
    ASSERT_EQ(pipe(ends), 0);
    const pid_t child = fork();
    if (child == 0) {
      close(ends[0]);
      auto log = *SqliteDecisionLog::Open(Options());
      if (!log->SetMembers(ThreeMembers()).ok()) _exit(1);
      const Term term = *log->NewTerm();
      if (!log->Recover().ok()) _exit(1);
      for (uint64_t i = 1;; ++i) {
        if (!log->Write(BatchOf({DecisionOf(RoundId::Make(term, i), {i})})).ok()) _exit(1);
        const int64_t durable = RoundId::Make(term, i).value();
        if (write(ends[1], &durable, sizeof(durable)) != sizeof(durable)) _exit(1);
      }
    }
    close(ends[1]);
    int64_t last = 0;
    for (int told = 0; told < 40 + run * 13; ++told) {
      ASSERT_EQ(read(ends[0], &last, sizeof(last)), static_cast<ssize_t>(sizeof(last)));
    }
    kill(child, SIGKILL);
    waitpid(child, nullptr, 0);
    int64_t value = 0;
    while (read(ends[0], &value, sizeof(value)) == static_cast<ssize_t>(sizeof(value)))
      last = value;
    close(ends[0]);
    auto log = Start();
    absl::StatusOr<RecoveredState> state = log->Recover();
    ASSERT_TRUE(state.ok()) << state.status();
    const RoundId told = RoundId::FromValue(last);
    uint64_t found = 0;
    for (const KeptDecision& decision : state->open) found += decision.round.term() == told.term();
    // One more may be durable that the child had not told of yet.
    EXPECT_GE(found, told.number());
    EXPECT_LE(found, told.number() + 1);
  }
}

TEST_F(SqliteDecisionLogTest, ShortSpaceIsSeen) {
  SqliteDecisionLogOptions options = Options();
  options.least_free_bytes = uint64_t{1} << 62;
  EXPECT_TRUE((*SqliteDecisionLog::Open(options))->SpaceIsShort());
  EXPECT_FALSE(Open()->SpaceIsShort());
}

TEST_F(SqliteDecisionLogTest, CheckpointsKeepTheWalSmall) {
  auto log = Start();
  for (uint64_t i = 1; i <= 1200; ++i) {
    ASSERT_TRUE(log->Write(BatchOf({DecisionOf(RoundId::Make(1, i), {i})})).ok());
    ASSERT_TRUE(log->Tidy(/*idle=*/false).ok());
  }
  EXPECT_LT(std::filesystem::file_size(sqlite::ChecksumVfs::WalPath(path())), 16u << 20);
  EXPECT_EQ(log->FindOutcome({1, 1})->kind, LoggedOutcome::Kind::kCommitted);
}

}  // namespace
}  // namespace lockstep::coordinator
