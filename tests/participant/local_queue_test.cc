// The queue of local transactions alone: its turns, and what is told when.
#include "participant/local_queue.h"

#include <gtest/gtest.h>

#include "tests/participant/engine_fixture.h"

namespace lockstep::participant {
namespace {

// Every look takes a whole turn's time.
class SlowClock final : public Clock {
 public:
  absl::Time WallNow() const override { return absl::FromUnixSeconds(1'767'225'600); }
  absl::Duration MonotonicNow() const override { return now_ += kLocalTurn; }

 private:
  mutable absl::Duration now_ = absl::Hours(1);
};

class LocalQueueTest : public StoreTest {
 protected:
  // Adds it to `queue`; its answer goes to the end of told_.
  void Add(LocalQueue* queue, const Sql& statements) {
    LocalMessage message;
    for (const std::string& sql : statements) message.statements.push_back({sql, {}, {}});
    message.deadline = absl::Hours(2);
    message.done = [this, name = statements[0]](Result<std::vector<StatementResult>> result) {
      told_.push_back((result.ok() ? "OK " : "NO ") + name);
    };
    queue->Add(std::move(message));
  }

  std::vector<std::string> told_;
};

TEST_F(LocalQueueTest, AGroupEndsWithItsTurnAndTheRestKeepsItsOrder) {
  SlowClock clock;
  LocalQueue queue(options_, clock, 1);
  for (int key = 1; key <= 3; ++key) Add(&queue, Insert(key));
  const int64_t before = store_->syncs();
  for (int turn = 1; turn <= 3; ++turn) {
    ASSERT_FALSE(queue.empty());
    queue.Run(store_.get(), executor_.get());
    ASSERT_EQ(told_.size(), static_cast<size_t>(turn));
    EXPECT_EQ(told_.back(), "OK " + Insert(turn)[0]);
    EXPECT_EQ(store_->syncs(), before + turn);
  }
  EXPECT_TRUE(queue.empty());
}

TEST_F(LocalQueueTest, ANoIsToldAfterWhatItWasJudgedOn) {
  LocalQueue queue(options_, clock_, 1);
  const Sql wrong = {"INSERT INTO nowhere VALUES(1)"};
  Add(&queue, wrong);
  Add(&queue, Insert(1));
  Add(&queue, Insert(1));
  Add(&queue, kDestroyer);
  Add(&queue, Insert(2));
  queue.Run(store_.get(), executor_.get());
  EXPECT_TRUE(queue.empty());
  EXPECT_EQ(told_,
            (std::vector<std::string>{"NO " + wrong[0], "OK " + Insert(1)[0], "NO " + Insert(1)[0],
                                      "NO " + kDestroyer[0], "OK " + Insert(2)[0]}));
}

}  // namespace
}  // namespace lockstep::participant
