// What the engine's tests start from.
#ifndef LOCKSTEP_TESTS_PARTICIPANT_ENGINE_FIXTURE_H_
#define LOCKSTEP_TESTS_PARTICIPANT_ENGINE_FIXTURE_H_

#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <vector>

#include "tests/participant/test_node.h"

namespace lockstep::participant {

inline constexpr char kCount[] = "SELECT count(*) FROM t";
inline constexpr char kSum[] = "SELECT sum(v) FROM t";

inline Sql Insert(int key, int value = 1) {
  return {"INSERT INTO t VALUES(" + std::to_string(key) + "," + std::to_string(value) + ")"};
}

class ParticipantEngineTest : public testing::Test {
 protected:
  ParticipantEngineTest() : options_(TestOptions(directory_.path())), node_(StartNode(options_)) {}

  // What a kill leaves now, started again. The first process lives on beside it, on its own files.
  std::unique_ptr<TestNode> StartAfterKill() {
    copies_.push_back(std::make_unique<TestDirectory>());
    node_->CopyFilesTo(copies_.back()->path());
    auto node = std::make_unique<TestNode>(TestOptions(copies_.back()->path()));
    const absl::Status opened = node->Open();
    EXPECT_TRUE(opened.ok()) << opened;
    return node;
  }

  TestDirectory directory_;
  std::vector<std::unique_ptr<TestDirectory>> copies_;
  EngineOptions options_;
  std::unique_ptr<TestNode> node_;
};

// A real store with table t(k INTEGER PRIMARY KEY, v) and its executor, without an engine.
class StoreTest : public testing::Test {
 protected:
  StoreTest() : options_(TestOptions(directory_.path())) {
    options_.execution.max_changed_bytes = int64_t{4} << 20;
    store_ = PrepareStore::Open(options_.store).value();
    EXPECT_TRUE(store_->Begin().ok());
    EXPECT_TRUE(store_->writer().Exec("CREATE TABLE t(k INTEGER PRIMARY KEY, v)").ok());
    EXPECT_TRUE(store_->CommitLocal(clock_.WallNow()).ok());
    executor_ = BranchExecutor::Create(&store_->writer(), &store_->frozen_clock(), &clock_,
                                       {"bank", "node-1"}, options_.execution)
                    .value();
  }

  TestDirectory directory_;
  EngineOptions options_;
  ManualClock clock_;
  std::unique_ptr<PrepareStore> store_;
  std::unique_ptr<BranchExecutor> executor_;  // goes before the store's connection
};

// Never ends by itself. SQLite gives the whole transaction up when a statement that writes is
// interrupted.
inline const Sql kDestroyer = {
    "INSERT INTO t(v) WITH RECURSIVE n(i) AS "
    "(SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT i FROM n"};

class LostTransactionTest : public testing::Test {
 protected:
  static EngineOptions Options(const std::string& directory) {
    EngineOptions options = TestOptions(directory);
    options.execution.max_changed_bytes = int64_t{4} << 20;
    return options;
  }
  TestDirectory directory_;
  std::unique_ptr<TestNode> node_ = StartNode(Options(directory_.path()));
};

}  // namespace lockstep::participant

#endif  // LOCKSTEP_TESTS_PARTICIPANT_ENGINE_FIXTURE_H_
