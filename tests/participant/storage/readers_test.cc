// Readers at work while rounds are prepared, committed and rolled back: none ever sees a round
// before its Commit, or one that was rolled back (P3 and P4). Meant for ThreadSanitizer
// too.
#include <gtest/gtest.h>

#include <atomic>
#include <iostream>
#include <string>
#include <thread>
#include <vector>

#include "tests/participant/storage/store_fixture.h"

// SQLite is not built for ThreadSanitizer, and reads the wal-index without locks on purpose.
extern "C" const char* __tsan_default_options() { return "ignore_noninstrumented_modules=1"; }

namespace lockstep::participant {
namespace {

constexpr int kReaders = 3;
constexpr int64_t kLeastReads = 1000;

// Table t has one row; each round sets it to its number. Odd rounds are rolled back.
class ReadersTest : public StoreFixture {
 protected:
  void SetUp() override { options_.scratch = true; }

  // Until `rounds` and kLeastReads reads have ended (a busy machine may begin the readers late), or
  // a reader saw what it must not. Returns how many reads were wrong.
  int64_t Run(uint64_t rounds) {
    OpenWithTable();
    EXPECT_TRUE(Local("INSERT INTO t VALUES (1, 0)").ok());
    std::vector<std::thread> threads;
    for (int i = 0; i < kReaders; ++i) threads.emplace_back([this] { ReadUntilStopped(); });
    const auto goes_on = [&](uint64_t number) {
      return (number <= rounds || reads_ < kLeastReads) && wrong_reads_ == 0 && !failed_;
    };
    for (uint64_t number = 1; goes_on(number) && RunRound(number);) ++number;
    stop_ = true;
    for (std::thread& thread : threads) thread.join();
    EXPECT_FALSE(failed_);
    return wrong_reads_;
  }

  int64_t reads() const { return reads_; }

 private:
  bool RunRound(uint64_t number) {
    const absl::Status prepared =
        Prepare(Round(number), "UPDATE t SET v = " + std::to_string(number));
    EXPECT_TRUE(prepared.ok()) << prepared;
    if (!prepared.ok()) return false;
    if (number % 2 == 1) {
      EXPECT_TRUE(RollBack(Round(number)).ok());
    } else {
      newest_ = static_cast<int64_t>(number);
      EXPECT_TRUE(store_->Commit().ok());
      oldest_ = static_cast<int64_t>(number);
    }
    return number % 50 != 0 || store_->Checkpoint().ok();
  }

  void ReadUntilStopped() {
    absl::StatusOr<std::unique_ptr<sqlite::Connection>> reader = store_->OpenReader();
    if (!reader.ok()) {
      failed_ = true;
      return;
    }
    absl::StatusOr<sqlite::Statement> statement = (*reader)->Prepare("SELECT v FROM t");
    if (!statement.ok()) failed_ = true;
    while (statement.ok() && !stop_) {
      const int64_t oldest = oldest_;
      if (statement->Step() != sqlite::StepResult::kRow) failed_ = true;
      const int64_t seen = statement->ColumnInt(0);
      const int64_t newest = newest_;
      statement->Reset();
      if (seen % 2 == 1 || seen < oldest || seen > newest) ++wrong_reads_;
      ++reads_;
    }
  }

  // A read that began after `oldest_` was set sees at least that; one that ended before `newest_`
  // was set sees at most what was there.
  std::atomic<int64_t> oldest_ = 0;
  std::atomic<int64_t> newest_ = 0;
  std::atomic<bool> stop_ = false;
  std::atomic<bool> failed_ = false;
  std::atomic<int64_t> wrong_reads_ = 0;
  std::atomic<int64_t> reads_ = 0;
};

TEST_F(ReadersTest, NoReaderSeesARoundBeforeItsCommitOrAfterItsRollback) {
  EXPECT_EQ(Run(3000), 0);
  std::cout << reads() << " reads\n";
  EXPECT_GE(reads(), kLeastReads);
}

TEST_F(ReadersTest, WithoutTheHiddenHeaderTheyDo) {  // the test above can fail
  options_.faults.no_hidden_header = true;
  EXPECT_GT(Run(100'000), 0);
}

TEST_F(ReadersTest, WithoutTheGateTheyDo) {  // the test above can fail
  options_.faults.no_publish_gate = true;
  EXPECT_GT(Run(1'000'000), 0);
}

}  // namespace
}  // namespace lockstep::participant
