// The decision log on a disk that fails at each of its operations in turn.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdio>
#include <map>
#include <memory>
#include <optional>
#include <random>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "coordinator/decision_keys.h"
#include "tests/coordinator/decision_log_fixture.h"
#include "tests/support/fail_at_n.h"

namespace lockstep::coordinator {
namespace {

using testing::HasSubstr;

// It is seldom that a sync that failed is noticed.
constexpr int kImagesOfAFailedSync = 10;

const absl::Time kExpires = kNow + absl::Hours(1);  // of every request

// What the log has told its user, and what it may have done without telling.
struct Told {
  Term term = 0;
  std::map<RoundId, Decision> decisions;
  std::vector<Decision> in_flight;  // written together, all or none
  std::set<RoundId> forgotten;      // or on the way to it
  std::set<RoundId> dropped;        // their outcomes and answers, or on the way to it
  absl::Time log_time;
};

// A coordinator's life with its log, until the first error, which ends its process (R13).
class LogLife {
 public:
  LogLife(SqliteDecisionLogOptions options, Told* told)
      : options_(std::move(options)), told_(*told) {}

  absl::Status Run() {
    if (absl::Status status = StartAnew(); !status.ok()) return status;
    if (absl::Status status = Decide(1, 2); !status.ok()) return status;
    if (absl::Status status = Decide(3, 1); !status.ok()) return status;
    if (absl::Status status = KeepAnswerLonger(); !status.ok()) return status;
    if (absl::Status status = ForgetAndDrop(RoundId::Make(told_.term, 1)); !status.ok()) {
      return status;
    }
    // Enough for a checkpoint, and little to write.
    if (absl::Status status = Decide(10, 130); !status.ok()) return status;
    if (absl::Status status = log_->Tidy(/*idle=*/true); !status.ok()) return status;
    if (absl::Status status = Decide(200, 1); !status.ok()) return status;
    log_.reset();
    // A log that was not read to its end leaves its WAL to the next start.
    if (absl::Status status = TakeTerm(); !status.ok()) return status;
    log_.reset();
    if (absl::Status status = StartAnew(); !status.ok()) return status;
    return Decide(1, 1);
  }

  absl::Status StartAnew() {
    if (absl::Status status = TakeTerm(); !status.ok()) return status;
    return log_->Recover().status();
  }

  absl::Status TakeTerm() {
    absl::StatusOr<std::unique_ptr<SqliteDecisionLog>> opened = SqliteDecisionLog::Open(options_);
    if (!opened.ok()) {
      EXPECT_THAT(std::string(opened.status().message()),
                  HasSubstr(options_.directory + "/decisions.db"));
      return opened.status();
    }
    log_ = *std::move(opened);
    if (absl::Status status = log_->SetMembers(ThreeMembers()); !status.ok()) return status;
    absl::StatusOr<Term> term = log_->NewTerm();
    if (!term.ok()) return term.status();
    EXPECT_GT(*term, told_.term);
    told_.term = *term;
    return absl::OkStatus();
  }

  absl::Status Decide(uint64_t first, uint64_t count) {
    for (uint64_t number = first; number < first + count; ++number) {
      Decision decision = DecisionOf(RoundId::Make(told_.term, number), {number});
      const std::string id = "request-" + std::to_string(decision.round.value());
      decision.answers.push_back({.request_id = id,
                                  .key = RequestKeyOf(log_->log_id(), id),
                                  .body = {1, 2},
                                  .retention = {kNow + absl::Hours(1), kExpires},
                                  .round = {},
                                  .answer = "answer of " + id});
      told_.in_flight.push_back(std::move(decision));
    }
    if (absl::Status status = log_->Write(BatchOf(told_.in_flight)); !status.ok()) return status;
    for (Decision& decision : told_.in_flight) {
      told_.log_time = std::max(told_.log_time, decision.log_time);
      told_.decisions.emplace(decision.round, std::move(decision));
    }
    told_.in_flight.clear();
    return absl::OkStatus();
  }

 private:
  absl::Status KeepAnswerLonger() {
    const Decision& decision = told_.decisions.begin()->second;
    return log_
        ->FindAnswer(decision.answers[0].request_id, {decision.round},
                     {kNow + absl::Hours(3), kExpires + absl::Hours(1)})
        .status();
  }

  absl::Status ForgetAndDrop(RoundId round) {
    told_.forgotten.insert(round);
    LogBatch batch = BatchThatForgets({round});
    batch.durable_rounds = {{0, round}};
    if (absl::Status status = log_->Write(batch); !status.ok()) return status;
    told_.dropped.insert(round);
    if (auto pruned = log_->Prune(kNow + absl::Hours(1)); !pruned.ok()) return pruned.status();
    // Of all rounds but this one, whose answers are kept longer.
    for (const auto& [other, decision] : told_.decisions) {
      if (other != round) told_.dropped.insert(other);
    }
    auto answers = log_->PruneAnswers(kNow + absl::Hours(2));
    if (!answers.ok()) return answers.status();
    const absl::Time log_time = kNow + absl::Hours(3);
    absl::Status recorded = log_->RecordTime(log_time, /*at_once=*/true);
    if (recorded.ok()) told_.log_time = log_time;
    return recorded;
  }

  const SqliteDecisionLogOptions options_;
  Told& told_;
  std::unique_ptr<SqliteDecisionLog> log_;
};

class LogFailAtNTest : public SqliteDecisionLogTest {
 protected:
  SqliteDecisionLogOptions OptionsOn(const SimDisk& disk) const {
    SqliteDecisionLogOptions options = Options();
    options.vfs = disk.vfs_name();
    return options;
  }

  // Adds what the check itself writes. Ends as a process that is killed then.
  void Check(SimDisk* disk, Told* told) {
    CheckLog(disk, told);
    CheckFile(*disk);
    disk->KillProcess();
  }

  void CheckLog(SimDisk* disk, Told* told) {
    absl::StatusOr<std::unique_ptr<SqliteDecisionLog>> log =
        SqliteDecisionLog::Open(OptionsOn(*disk));
    ASSERT_TRUE(log.ok()) << log.status();
    ASSERT_TRUE((*log)->SetMembers(ThreeMembers()).ok());
    const absl::StatusOr<Term> term = (*log)->NewTerm();
    ASSERT_TRUE(term.ok()) << term.status();
    EXPECT_GT(*term, told->term);
    told->term = *term;
    const absl::StatusOr<RecoveredState> state = (*log)->Recover();
    ASSERT_TRUE(state.ok()) << state.status();
    EXPECT_EQ(state->boot_ids.size(), *term);
    EXPECT_GE(state->log_time, told->log_time);
    CheckDecisions(log->get(), *state, told);
    Decision decision = DecisionOf(RoundId::Make(*term, 1), {1});
    EXPECT_TRUE((*log)->Write(BatchOf({decision})).ok());
    told->decisions.emplace(decision.round, std::move(decision));
    disk->CrashNow();
  }

  void CheckFile(const SimDisk& disk) {
    absl::StatusOr<std::unique_ptr<LogFile>> file =
        LogFile::Open(directory_.path() + "/decisions.db", disk.vfs_name());
    ASSERT_TRUE(file.ok()) << file.status();
    absl::StatusOr<sqlite::Statement> check =
        (*file)->connection().Prepare("PRAGMA integrity_check");
    ASSERT_TRUE(check.ok()) << check.status();
    ASSERT_EQ(check->Step(), sqlite::StepResult::kRow);
    EXPECT_EQ(std::string(check->ColumnView(0).bytes), "ok");
  }

  static void CheckDecisions(SqliteDecisionLog* log, const RecoveredState& state, Told* told) {
    std::map<RoundId, std::vector<KeptBranches>> open;
    for (const KeptDecision& decision : state.open) open[decision.round] = decision.kept;
    for (const auto& [round, decision] : told->decisions) {
      if (!told->forgotten.contains(round)) {
        ASSERT_TRUE(open.contains(round)) << "round " << round.value() << " is lost";
        EXPECT_EQ(open[round], decision.kept);
      }
      CheckOutcome(log, round, decision, told->dropped.contains(round));
      CheckAnswer(log, state, decision, told->dropped.contains(round));
      open.erase(round);
    }
    // The batch that was not answered is there or not, as a whole.
    EXPECT_TRUE(open.empty() || open.size() == told->in_flight.size()) << open.size();
    for (Decision& decision : std::exchange(told->in_flight, {})) {
      if (open.empty()) continue;
      EXPECT_EQ(open[decision.round], decision.kept);
      CheckOutcome(log, decision.round, decision, /*may_be_dropped=*/false);
      CheckAnswer(log, state, decision, /*may_be_dropped=*/false);
      told->decisions.emplace(decision.round, std::move(decision));
    }
    EXPECT_EQ(log->FindOutcome({told->term, 9})->kind, LoggedOutcome::Kind::kNoRecord);
  }

  static void CheckOutcome(SqliteDecisionLog* log, RoundId round, const Decision& decision,
                           bool may_be_dropped) {
    const absl::StatusOr<LoggedOutcome> outcome =
        log->FindOutcome({round.term(), decision.transactions[0].sequence});
    ASSERT_TRUE(outcome.ok()) << outcome.status();
    if (outcome->kind == LoggedOutcome::Kind::kCommitted) {
      EXPECT_EQ(outcome->databases, (std::vector<std::string>{"bank", "stock"}));
    } else {
      EXPECT_TRUE(may_be_dropped && outcome->kind == LoggedOutcome::Kind::kForgotten);
    }
  }

  static void CheckAnswer(SqliteDecisionLog* log, const RecoveredState& state,
                          const Decision& decision, bool may_be_dropped) {
    if (decision.answers.empty()) return;
    const StoredAnswer& given = decision.answers[0];
    const RoundId round = decision.round;
    const auto answer = log->FindAnswer(given.request_id, {round}, Retention());
    ASSERT_TRUE(answer.ok()) << answer.status();
    EXPECT_TRUE(answer->has_value() || may_be_dropped);
    if (answer->has_value()) {
      EXPECT_EQ((*answer)->answer, given.answer);
    } else {
      EXPECT_GE(state.requests.forgotten_expiry, given.retention.expires);
    }
  }
};

TEST_F(LogFailAtNTest, R13_WhereverTheDiskFailsWhatWasToldIsThereAndNothingIsHalfDone) {
  int64_t refused = 0;
  int64_t checks = 0;
  const int64_t faults = FailAtEach([&](const DiskFault& fault) {
    for (const bool power_loss : {false, true}) {
      SimDisk disk(512);
      disk.Fail(fault);
      Told told;
      absl::Status ended;
      {
        LogLife life(OptionsOn(disk), &told);
        ended = life.Run();
        if (!disk.failed()) {
          EXPECT_TRUE(ended.ok()) << ended;
          return false;
        }
        // What the process does on its way out is not done by one that has ended.
        disk.CrashNow();
      }
      refused += ended.ok() ? 0 : 1;
      EXPECT_TRUE(ended.ok() || !ended.message().empty());
      disk.Heal();
      std::mt19937_64 random(static_cast<uint64_t>(fault.nth));
      power_loss ? disk.LosePower(random) : disk.KillProcess();
      SCOPED_TRACE(power_loss ? "and the power was lost" : "and the process ended");
      Check(&disk, &told);
      ++checks;
      if (power_loss) continue;
      // What was read after a sync that failed is only known to be in the page cache.
      SCOPED_TRACE("and the next one's power was lost");
      const int images = fault.operation == DiskFault::Operation::kSync ? kImagesOfAFailedSync : 1;
      for (int i = 0; i < images; ++i, ++checks) {
        SimDisk later(512);
        later.Put(disk.ImageAfterPowerLoss(random));
        Told told_later = told;
        Check(&later, &told_later);
      }
    }
    return true;
  });
  std::printf("%ld faults of the decision log's disk, %ld recoveries, %ld errors told\n",
              static_cast<long>(faults), static_cast<long>(checks), static_cast<long>(refused));
  EXPECT_GT(faults, 500);
  EXPECT_GT(refused, faults);  // two lives for each
}

TEST_F(LogFailAtNTest, R9_AStartAfterASyncThatFailedCanBeCutOffAnywhere) {
  int64_t cut_off = 0;
  for (int64_t nth = 1;; ++nth) {
    SimDisk disk(512);
    Told told;
    {
      LogLife life(OptionsOn(disk), &told);
      ASSERT_TRUE(life.StartAnew().ok());
      ASSERT_TRUE(life.Decide(1, 2).ok());
      disk.FailNextSync();
      EXPECT_FALSE(life.Decide(3, 1).ok());
      disk.CrashNow();
    }
    disk.KillProcess();
    disk.CrashBefore(nth);
    Told told_by_a_ghost = told;
    LogLife(OptionsOn(disk), &told_by_a_ghost).StartAnew().IgnoreError();
    if (!disk.crashed()) break;
    ++cut_off;
    std::mt19937_64 random(static_cast<uint64_t>(nth));
    disk.LosePower(random);
    SCOPED_TRACE("before operation " + std::to_string(nth));
    Check(&disk, &told);
  }
  EXPECT_GT(cut_off, 5);
}

}  // namespace
}  // namespace lockstep::coordinator
