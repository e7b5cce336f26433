// A disk without space, at every write of a round and of a cut, and one that is damaged.
#include <gtest/gtest.h>

#include <random>
#include <vector>

#include "participant/engine.h"
#include "tests/participant/engine_fixture.h"
#include "tests/support/sim_disk.h"

namespace lockstep::participant {
namespace {

class EngineDiskTest : public testing::Test {
 protected:
  EngineDiskTest() : options_(TestOptions("/volume")) {
    options_.store.base_vfs = disk_.vfs_name();
    options_.store.take_ownership = false;
    options_.readers = 0;  // the simulated disk knows one thread
    node_ = StartNode(options_);
  }
  // With nothing in memory.
  void Restart() {
    node_.reset();
    node_ = std::make_unique<TestNode>(options_);
    ASSERT_TRUE(node_->Open().ok());
  }
  // The keys in the table, by a local transaction.
  std::string Keys() {
    const auto answer = node_->Execute({"SELECT group_concat(k) FROM t"});
    if (!answer->ok()) return "error";
    const Value& keys = answer->result->value()[0].rows[0][0];
    return std::holds_alternative<std::string>(keys) ? std::get<std::string>(keys) : "none";
  }
  static Sql Large(int key) {
    return {"INSERT INTO t VALUES(" + std::to_string(key) + ", zeroblob(40000))"};
  }

  SimDisk disk_{512};
  EngineOptions options_;
  std::unique_ptr<TestNode> node_;
};

TEST_F(EngineDiskTest, APrepareWithoutSpaceIsANoThatHoldsNothing) {
  uint64_t number = 0;
  for (int64_t nth = 1;; ++nth) {
    disk_.FailWrite(nth);
    const Answer<Votes> votes = node_->Prepare(Round(++number), {Large(1), Insert(2)});
    ASSERT_TRUE(votes.ok());
    if (!disk_.failed()) {
      EXPECT_EQ(TestNode::Letters(votes), "YY");
      break;
    }
    // What came after the lost YES was judged with it in place, so it is not judged at all.
    ASSERT_EQ(TestNode::Letters(votes), "ND") << "write " << nth;
    EXPECT_EQ((*votes.result->value().votes)[0].error->reason, Reason::kDiskFull);
    EXPECT_FALSE(node_->Report().held.has_value());
    EXPECT_EQ(node_->Commit(Round(number)).reason(), Reason::kRoundUnknown);
  }
  disk_.FailWrite(0);
  EXPECT_GT(number, 2u);  // the frames, and the record
  EXPECT_TRUE(node_->Commit(Round(number)).ok());
  EXPECT_EQ(Keys(), "1,2");
}

TEST_F(EngineDiskTest, R7_ACutWithoutSpaceIsVisibleAndTriedAgainUntilItIsDone) {
  int64_t waited = 0;
  for (int64_t nth = 1;; ++nth) {
    const uint64_t number = static_cast<uint64_t>(nth);
    const int key = static_cast<int>(10 * nth);
    ASSERT_EQ(TestNode::Letters(node_->Prepare(Round(number), {Large(key), Insert(key + 1)})),
              "YY");
    disk_.FailWrite(nth);
    const Answer<Ok> commit = node_->Commit(Round(number), 1);
    if (!disk_.failed()) {
      EXPECT_TRUE(commit.ok());
      break;
    }
    ASSERT_EQ(commit.reason(), Reason::kDiskFull) << "write " << nth;
    ASSERT_TRUE(node_->Report().held.has_value());
    EXPECT_LT(node_->Report().applied, Round(number));
    if (!node_->Report().ready) {
      // Decided, so it finishes alone; and nothing else runs before.
      ++waited;
      EXPECT_EQ(node_->Rollback(Round(number)).reason(), Reason::kRoundUnknown);
      EXPECT_EQ(node_->Prepare(Round(number + 1), {Insert(1)}).reason(), Reason::kNotReady);
      EXPECT_LE(node_->engine().NextWake(), kReexecutionRetry);
      node_->clock().Advance(kReexecutionRetry);
      node_->engine().Idle();
      EXPECT_EQ(node_->Report().durable, Round(number));
    }
    ASSERT_TRUE(node_->Commit(Round(number), 1).ok());
    EXPECT_EQ(node_->Report().applied, Round(number));
  }
  disk_.FailWrite(0);
  EXPECT_GT(waited, 0);
  const std::string keys = Keys();
  EXPECT_EQ(keys.find('1'), 0u);
  EXPECT_EQ(keys.find("11"), std::string::npos);
}

TEST_F(EngineDiskTest, R7_ACutWhoseRowsWereChangedMeanwhileEndsTheProcessAndSaysWhatToSave) {
  ASSERT_TRUE(node_->Execute(Insert(1))->ok());
  // The first write whose failure leaves the node with the redo block and without the rows.
  for (uint64_t number = 1; node_->Report().ready; ++number) {
    ASSERT_EQ(
        TestNode::Letters(node_->Prepare(Round(number), {{"UPDATE t SET v = v + 1"}, Large(9)})),
        "YY");
    disk_.FailWrite(static_cast<int64_t>(number));
    EXPECT_FALSE(node_->Commit(Round(number), 1).ok());
    disk_.FailWrite(0);
    if (node_->Report().ready) {
      ASSERT_TRUE(node_->Commit(Round(number), 1).ok());
    }
  }
  node_.reset();
  {
    // What another program does to the stopped node's file; this disk has no shared memory.
    auto plain = sqlite::Connection::Open("/volume/data.db", {.vfs = disk_.vfs_name()}).value();
    const absl::Status changed =
        plain->Exec("PRAGMA locking_mode = EXCLUSIVE; UPDATE t SET v = 100");
    ASSERT_TRUE(changed.ok()) << changed;
  }
  const auto start = [this] {
    Restart();
    node_->engine().Idle();
  };
  EXPECT_DEATH(start(),
               "\"critical\".*was promised, and now that it runs again it changes other "
               "rows.*keep a copy of the whole data_dir");
}

TEST_F(EngineDiskTest, ALocalTransactionWithoutSpaceIsAborted) {
  disk_.FailWrite(1);
  const auto answer = node_->Execute(Large(1));
  ASSERT_EQ(answer->reason(), Reason::kDiskFull);
  EXPECT_EQ(answer->result->error().outcome, FailureOutcome::kAborted);
  EXPECT_EQ(Keys(), "none");
}

TEST_F(EngineDiskTest, ALocalNoThatWasJudgedOnALostCommitIsNotTold) {
  disk_.FailWrite(1);
  const auto answers = node_->ExecuteAll({{"INSERT INTO nowhere VALUES(1)"}, Large(1), Insert(1)});
  EXPECT_EQ(answers[0]->reason(), Reason::kSqlInvalid);
  EXPECT_EQ(answers[1]->reason(), Reason::kDiskFull);
  ASSERT_EQ(answers[2]->reason(), Reason::kDiskFull);  // nothing of key 1 is there
  EXPECT_EQ(answers[2]->result->error().outcome, FailureOutcome::kAborted);
  EXPECT_EQ(Keys(), "none");
}

TEST_F(EngineDiskTest, R1_ATermThatCouldNotBeMadeDurableIsNotObeyed) {
  disk_.FailWrite(1);
  EXPECT_EQ(node_->Fence(7).reason(), Reason::kDiskFull);
  EXPECT_EQ(node_->Report().term, 1u);
  EXPECT_TRUE(node_->Fence(7).ok());
}

TEST_F(EngineDiskTest, R3_ARollbackThatCouldNotBeMadeDurableIsNotAnswered) {
  ASSERT_EQ(TestNode::Letters(node_->Prepare(Round(1), {Insert(1)})), "Y");
  disk_.FailWrite(1);
  EXPECT_EQ(node_->Rollback(Round(1)).reason(), Reason::kDiskFull);
  EXPECT_TRUE(node_->Report().held.has_value());
  EXPECT_TRUE(node_->Rollback(Round(1)).ok());
  EXPECT_EQ(Keys(), "none");
}

// Reads the table's own page, whatever else is in memory.
const Sql kReadAll = {"SELECT count(v) FROM t"};

// Else the coordinator would keep the last decision for as long as the node is down.
TEST_F(EngineDiskTest, R9_AnOrderlyStopMakesTheLastCommitDurable) {
  ASSERT_EQ(TestNode::Letters(node_->Prepare(Round(1), {Insert(1)})), "Y");
  ASSERT_TRUE(node_->Commit(Round(1)).ok());
  node_.reset();
  std::mt19937_64 random(5);
  std::vector<SimDisk::Image> images;
  for (int i = 0; i < 10; ++i) images.push_back(disk_.ImageAfterPowerLoss(random));
  for (const SimDisk::Image& image : images) {
    node_.reset();
    disk_.Put(image);
    Restart();
    EXPECT_EQ(node_->Report().applied, Round(1));
  }
}

TEST_F(EngineDiskTest, AnIoErrorEndsTheProcessBeforeAnythingIsSaid) {
  ASSERT_TRUE(node_->Execute(Large(1))->ok());
  Restart();
  const auto dies = [this](const char* why, auto act) {
    EXPECT_DEATH(act(), std::string("\"critical\".*") + why +
                            ".*disk I/O error.*keep a copy of the whole data_dir");
  };
  dies("cannot read the WAL", [&] {
    disk_.BreakRead(1);
    node_->Prepare(Round(1), {kReadAll});
  });
  dies("cannot read the WAL", [&] {
    disk_.BreakRead(1);
    node_->Execute(kReadAll);
  });
  dies("cannot write the WAL", [&] {
    disk_.BreakWrite(1);
    node_->Prepare(Round(1), {Insert(2)});
  });
  dies("cannot write .*data.side", [&] {
    disk_.BreakWrite(1);
    node_->Fence(7);
  });
  ASSERT_EQ(TestNode::Letters(node_->Prepare(Round(1), {Insert(2)})), "Y");
  dies("cannot write to the WAL", [&] {
    disk_.BreakWrite(1);
    node_->Commit(Round(1));
  });
  EXPECT_TRUE(node_->Commit(Round(1)).ok());
  EXPECT_EQ(Keys(), "1,2");
}

TEST_F(EngineDiskTest, DamagedDataEndsTheProcessBeforeAnythingIsSaid) {
  ASSERT_TRUE(node_->Execute(Insert(1))->ok());
  const auto root = node_->Execute({"SELECT rootpage FROM sqlite_schema WHERE name = 't'"});
  ASSERT_TRUE(root->ok());
  const int64_t page = std::get<int64_t>(root->result->value()[0].rows[0][0]);
  node_.reset();
  {
    auto store = PrepareStore::Open(options_.store).value();
    ASSERT_TRUE(store->Checkpoint().ok());
    // Starts the WAL over: the pages before are in the database alone.
    ASSERT_TRUE(store->Begin().ok());
    ASSERT_TRUE(store->CommitLocal(absl::FromUnixSeconds(2'000'000'000)).ok());
  }
  disk_.Damage("/volume/data.db", (page - 1) * 4096, page * 4096);
  Restart();
  const char* why =
      "\"critical\".*the database is damaged: database disk image is malformed.*keep a copy of the "
      "whole data_dir";
  EXPECT_DEATH(node_->Prepare(Round(1), {kReadAll}), why);
  EXPECT_DEATH(node_->Execute(kReadAll), why);
}

}  // namespace
}  // namespace lockstep::participant
