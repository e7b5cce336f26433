// Who gets a connection when.
#include "participant/reader_pool.h"

#include <gtest/gtest.h>

#include <atomic>
#include <future>
#include <mutex>
#include <thread>

#include "tests/participant/engine_fixture.h"

namespace lockstep::participant {
namespace {

QueryCall Endless() {
  QueryCall call;
  call.select.sql =
      "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT count(*) FROM n";
  call.timeout = absl::Seconds(60);
  return call;
}

class ReaderPoolTest : public testing::Test {
 protected:
  ReaderPoolTest() {
    EngineOptions options = TestOptions(directory_.path());
    options.readers = 1;
    node_ = StartNode(options);
  }

  // Its answer adds `name` to order_.
  void Ask(const std::string& name, Asker asker) {
    QueryCall call;
    call.select.sql = kCount;
    call.timeout = absl::Seconds(60);
    node_->readers().Submit(std::move(call), asker, nullptr, [this, name](Result<QueryRows> rows) {
      std::lock_guard lock(mutex_);
      order_ += rows.ok() ? name : "?";
      if (order_.size() == 6) done_.set_value(order_);
    });
  }

  std::mutex mutex_;
  std::string order_;
  std::promise<std::string> done_;
  TestDirectory directory_;
  std::unique_ptr<TestNode> node_;
};

TEST_F(ReaderPoolTest, ClientsInALongQueueDoNotKeepTheCoordinatorWaiting) {
  node_->readers().Hold();
  for (const char* name : {"a", "b", "c", "d"}) Ask(name, Asker::kClient);
  for (const char* name : {"1", "2"}) Ask(name, Asker::kCoordinator);
  node_->readers().Release();
  EXPECT_EQ(done_.get_future().get(), "1a2bcd");
}

TEST_F(ReaderPoolTest, AQueryGivesItsPlaceBackWhenItBegins) {
  Places places(1);
  node_->readers().Hold();
  node_->readers().Submit(Endless(), Asker::kClient, places.Take(), [](Result<QueryRows>) {});
  EXPECT_EQ(places.Take(), nullptr);
  node_->readers().Release();
  while (node_->readers().idle()) std::this_thread::yield();
  EXPECT_NE(places.Take(), nullptr);
}

// One interrupt is not enough for a query that has its connection, and is not in SQLite yet.
TEST(ReaderPoolStopTest, AStopEndsQueriesThatHaveBegunAndThoseThatAreAboutTo) {
  constexpr int kQueries = 16;
  TestDirectory directory;
  EngineOptions options = TestOptions(directory.path());
  options.readers = kQueries;
  const std::unique_ptr<TestNode> node = StartNode(options);
  std::atomic<int> told = 0;
  node->readers().Hold();
  for (int i = 0; i < kQueries; ++i) {
    node->readers().Submit(Endless(), Asker::kClient, nullptr, [&told](Result<QueryRows> rows) {
      if (!rows.ok() && rows.error().reason == Reason::kShuttingDown) ++told;
    });
  }
  node->readers().Release();
  while (node->readers().idle()) std::this_thread::yield();
  node->readers().Stop();
  EXPECT_EQ(told, kQueries);
}

}  // namespace
}  // namespace lockstep::participant
