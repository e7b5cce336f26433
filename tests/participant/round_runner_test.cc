// What a round makes of a storage that fails in the middle of it.
#include "participant/round_runner.h"

#include <gtest/gtest.h>

#include "common/rpc/convert.h"
#include "lockstep/v1/two_phase_commit.pb.h"
#include "tests/participant/engine_fixture.h"

namespace lockstep::participant {
namespace {

// A real store whose nth Begin fails.
class StoreThatFailsToBegin final : public PrepareStore {
 public:
  StoreThatFailsToBegin(PrepareStore* real, int nth) : real_(*real), begins_left_(nth) {}

  Term term() const override { return real_.term(); }
  RoundId tombstone() const override { return real_.tombstone(); }
  RoundId applied() const override { return real_.applied(); }
  RoundId durable() const override { return real_.durable(); }
  const std::optional<HeldRound>& held() const override { return real_.held(); }
  const std::optional<Redo>& redo() const override { return real_.redo(); }
  const Identity& identity() const override { return real_.identity(); }
  absl::Time latest_instant() const override { return real_.latest_instant(); }
  uint64_t coordinator() const override { return real_.coordinator(); }
  const OpenTimes& open_times() const override { return real_.open_times(); }
  sqlite::Connection& writer() override { return real_.writer(); }
  sqlite::FrozenClock& frozen_clock() override { return real_.frozen_clock(); }
  absl::StatusOr<std::unique_ptr<sqlite::Connection>> OpenReader() override {
    return real_.OpenReader();
  }
  absl::Status PersistTerm(Term term, uint64_t coordinator) override {
    return real_.PersistTerm(term, coordinator);
  }
  absl::Status PersistTombstone(RoundId round) override { return real_.PersistTombstone(round); }
  absl::Status SetIdentity(const std::string& log_id, int role, uint32_t replicas) override {
    return real_.SetIdentity(log_id, role, replicas);
  }
  absl::Status Begin() override {
    if (--begins_left_ == 0) return absl::UnavailableError("no begin today");
    return real_.Begin();
  }
  absl::Status RollbackTransaction() override { return real_.RollbackTransaction(); }
  absl::Status Prepare(RoundId round, absl::Time latest, std::string_view body) override {
    return real_.Prepare(round, latest, body);
  }
  absl::Status Commit() override { return real_.Commit(); }
  absl::Status Forget() override { return real_.Forget(); }
  absl::Status WriteRedo(RoundId round, std::string_view body) override {
    return real_.WriteRedo(round, body);
  }
  absl::Status CommitRedone(absl::Time latest) override { return real_.CommitRedone(latest); }
  absl::Status CommitLocal(absl::Time latest) override { return real_.CommitLocal(latest); }
  absl::Status CommitInDoubt() override { return real_.CommitInDoubt(); }
  absl::Status Checkpoint() override { return real_.Checkpoint(); }
  absl::Status SyncIdle() override { return real_.SyncIdle(); }
  int64_t wal_bytes() const override { return real_.wal_bytes(); }
  int64_t checkpoint_backlog_bytes() const override { return real_.checkpoint_backlog_bytes(); }
  int64_t syncs() const override { return real_.syncs(); }

 private:
  PrepareStore& real_;
  int begins_left_;
};

class RoundRunnerTest : public StoreTest {
 protected:
  // The votes as letters; a NO without its error is a question mark.
  std::string Run(const std::vector<Sql>& branches, PrepareStore* store) {
    v1::PrepareRequest request;
    for (const Sql& statements : branches) {
      v1::BranchOperation* operation = request.add_branches()->add_operations();
      for (const std::string& sql : statements) operation->add_statements()->set_sql(sql);
    }
    RoundBody body = RoundBody::Encode("test", "node-1", request, options_.round.record_bytes);
    std::vector<BranchVote> votes;
    RoundRunner runner(store, executor_.get(), options_.round, options_.name);
    const absl::Status run =
        runner.Run(rpc::BranchesOf(&request), clock_.MonotonicNow(), &body, &votes);
    EXPECT_TRUE(run.ok()) << run;
    std::string letters;
    for (const BranchVote& vote : votes) {
      letters += vote.kind == VoteKind::kYes ? 'Y' : vote.kind == VoteKind::kDefer ? 'D' : 'N';
      if (vote.kind == VoteKind::kNo && !vote.error) letters.back() = '?';
    }
    return letters;
  }
};

TEST_F(RoundRunnerTest, WhatALostTransactionLeavesOpenIsDeferredIfItCannotBeBegunAnew) {
  const Sql wrong = {"INSERT INTO nowhere VALUES(1)"};
  StoreThatFailsToBegin first(store_.get(), 2);
  // Nothing was lost but the branch itself: what it and the one before found is true.
  EXPECT_EQ(Run({wrong, kDestroyer, Insert(3), wrong}, &first), "NNDD");
  EXPECT_TRUE(store_->writer().autocommit());
  StoreThatFailsToBegin second(store_.get(), 2);
  EXPECT_EQ(Run({wrong, Insert(2), wrong, kDestroyer, Insert(5)}, &second), "NDDDD");
  EXPECT_TRUE(store_->writer().autocommit());
  StoreThatFailsToBegin last(store_.get(), 2);
  EXPECT_EQ(Run({kDestroyer}, &last), "N");
}

TEST_F(RoundRunnerTest, R7_WhatIsPromisedAndComesOutOtherwiseStopsTheNodeAndSaysWhatToSave) {
  const auto run_again = [this](const char* sql, uint64_t digest) {
    RecordedBranch recorded;
    recorded.branch.transaction_id = "7-1";
    recorded.branch.operations.push_back({0, {{sql, {}, {}}}});
    recorded.vote = VoteKind::kYes;
    recorded.digest = digest;
    RoundRunner runner(store_.get(), executor_.get(), options_.round, options_.name);
    const absl::Status run = runner.RunAgain({recorded});
    EXPECT_TRUE(run.ok()) << run;
    EXPECT_TRUE(store_->RollbackTransaction().ok());
  };
  constexpr uint64_t kOfNoChange = 0x2d06800538d394c2;  // XXH3 of nothing
  run_again("SELECT 1", kOfNoChange);
  EXPECT_DEATH(run_again("SELECT 1", 0xab1),
               "\"critical\".*transaction 7-1 was promised.*the digest was 0000000000000ab1 and is "
               "2d06800538d394c2; keep a copy of the whole data_dir");
  EXPECT_DEATH(
      run_again("INSERT INTO nowhere VALUES(1)", kOfNoChange),
      "\"critical\".*transaction 7-1 was promised.*it fails: no such table.*keep a copy of "
      "the whole data_dir");
}

}  // namespace
}  // namespace lockstep::participant
