// How long a participant that was killed between its vote and the decision needs until it takes
// part again. Every figure is printed. What is bounded is how Lockstep is made, and not how busy
// the machine is: the processor time that a start takes, and that no timer is waited for.
#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <future>
#include <iostream>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/time/clock.h"
#include "tests/support/process_cluster.h"

namespace lockstep::testing_support {
namespace {

constexpr int kTries = 7;
// Of the processor, until it is READY.
constexpr absl::Duration kMostWork = absl::Milliseconds(100);
// The coordinator's timers and back-offs are this long or longer, but for the one that is meant.
constexpr absl::Duration kTimers = absl::Seconds(1);
constexpr absl::Duration kSettled = absl::Seconds(30);

#if defined(__SANITIZE_ADDRESS__)
constexpr bool kIsSlow = true;
#else
constexpr bool kIsSlow = false;
#endif

// Returns when something listens on the loopback address.
void WaitUntilItListens(const std::string& address) {
  const std::vector<std::string> parts = absl::StrSplit(address, ':');
  sockaddr_in to{};
  to.sin_family = AF_INET;
  to.sin_port = htons(static_cast<uint16_t>(std::stoi(parts[1])));
  to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  for (bool connected = false; !connected;) {
    const int descriptor = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    connected = connect(descriptor, reinterpret_cast<sockaddr*>(&to), sizeof(to)) == 0;
    close(descriptor);
    if (!connected) poll(nullptr, 0, 1);
  }
}

struct Samples {
  std::string name;
  std::vector<absl::Duration> taken = {};

  absl::Duration median() const { return taken[taken.size() / 2]; }
  // Sorts them.
  void Print() {
    std::sort(taken.begin(), taken.end());
    std::cout << name << ": best " << taken.front() << ", median " << median() << ", worst "
              << taken.back() << std::endl;
  }
};

// The processor time that all threads of a process have taken.
absl::Duration WorkOf(const Process& process) {
  absl::Duration work;
  const std::filesystem::path tasks = "/proc/" + std::to_string(process.pid()) + "/task";
  for (const auto& task : std::filesystem::directory_iterator(tasks)) {
    int64_t nanoseconds = 0;
    std::ifstream(task.path() / "schedstat") >> nanoseconds;
    work += absl::Nanoseconds(nanoseconds);
  }
  return work;
}

class RecoveryTimeTest : public testing::Test {
 protected:
  void SetUp() override {
    cluster_.StartAll();
    ASSERT_EQ(cluster_.WaitUntilSettled(kSettled).value_or(""), "");
    EXPECT_EQ(Execute("CREATE TABLE t(a INTEGER PRIMARY KEY)"), "OK");
    // Its client is answered before the participants have their Commits, and one that is frozen
    // with a Commit owed to it takes part in nothing.
    ASSERT_EQ(cluster_.WaitUntilSettled(kSettled).value_or(""), "");
  }

  std::string Execute(const std::string& sql) {
    v1::ExecuteRequest request;
    for (const char* database : {"stock", "orders"}) {
      v1::Operation* operation = request.add_operations();
      operation->set_database(database);
      operation->add_statements()->set_sql(sql);
    }
    v1::ExecuteResponse response;
    return ToText(cluster_.Coordinator()->Execute(
        Within(absl::Seconds(20), /*wait_for_ready=*/true).get(), request, &response));
  }

  // Leaves stock-1 down, with a round that it voted YES on. Meanwhile, if the coordinator lives,
  // the round is committed, and its client answered; else the coordinator is down too.
  void KillBetweenVoteAndDecision(int value, bool coordinator_lives) {
    Process& orders = cluster_.participant(cluster_.IndexOf("orders-1"));
    orders.Freeze();  // so that its vote is waited for
    auto answer = std::async(std::launch::async, [this, value] {
      return Execute(absl::StrCat("INSERT INTO t VALUES (", value, ")"));
    });
    EXPECT_TRUE(Eventually(kSettled, [&] { return cluster_.ReportOf(stock_).has_prepared(); }));
    if (!coordinator_lives) cluster_.coordinator().Kill();
    cluster_.participant(stock_).Kill();
    orders.Thaw();
    const std::string answered = answer.get();
    EXPECT_EQ(answered == "OK", coordinator_lives) << answered;
  }

  // Starts stock-1 and takes the times from there.
  void StartInDoubt() {
    const absl::Time start = absl::Now();
    cluster_.participant(stock_).Start();
    WaitUntilItListens(cluster_.participant_address(stock_));
    listens_.taken.push_back(absl::Now() - start);
    WaitUntilReady();
    ready_.taken.push_back(absl::Now() - start);
    work_.taken.push_back(WorkOf(cluster_.participant(stock_)));
    answered_.taken.push_back(ready_.taken.back() - listens_.taken.back());
    ASSERT_EQ(cluster_.WaitUntilSettled(kSettled).value_or(""), "");
    settled_.taken.push_back(absl::Now() - start);
  }

  void WaitUntilReady() {
    v1::NodeReport report = cluster_.ReportOf(stock_);
    EXPECT_TRUE(!report.has_prepared() || report.prepared().in_doubt());
    while (report.state() != v1::STATE_READY) report = cluster_.ReportOf(stock_);
    EXPECT_FALSE(report.has_prepared());
  }

  void PrintAndCheck() {
    for (Samples* samples : {&listens_, &answered_, &ready_, &work_, &settled_}) samples->Print();
    EXPECT_LT(answered_.median(), kTimers);
    EXPECT_TRUE(kIsSlow || work_.median() < kMostWork);
  }

  ProcessCluster cluster_{{{"stock-1", "stock", true}, {"orders-1", "orders", true}}};
  const size_t stock_ = cluster_.IndexOf("stock-1");
  Samples listens_{"from the start until it serves reads, and knows what is in doubt"};
  Samples answered_{"from there until the coordinator has ended the doubt"};
  Samples ready_{"from the start until it is READY"};
  Samples work_{"of it on the processor"};
  Samples settled_{"from the start until the coordinator tells so"};
};

TEST_F(RecoveryTimeTest, ANodeThatRestartsAtOnceIsReadyAtOnce) {
  for (int i = 0; i < kTries; ++i) {
    KillBetweenVoteAndDecision(i, /*coordinator_lives=*/true);
    StartInDoubt();
  }
  PrintAndCheck();
}

// Whatever back-off the coordinator has come to: time itself is what matters here.
TEST_F(RecoveryTimeTest, ANodeThatWasAwayForLongIsReadyAtOnceToo) {
  for (int i = 0; i < kTries / 2; ++i) {
    KillBetweenVoteAndDecision(i, /*coordinator_lives=*/true);
    EXPECT_FALSE(Eventually(absl::Seconds(4), [] { return false; }));
    StartInDoubt();
  }
  PrintAndCheck();
}

TEST_F(RecoveryTimeTest, ACoordinatorThatStartsEndsADoubtAtOnce) {
  Samples doubt{"from the coordinator's start until the participant is READY"};
  for (int i = 0; i < kTries / 2; ++i) {
    KillBetweenVoteAndDecision(i, /*coordinator_lives=*/false);
    cluster_.participant(stock_).Start();
    EXPECT_TRUE(cluster_.ReportOf(stock_).prepared().in_doubt());
    const absl::Time start = absl::Now();
    cluster_.coordinator().Start();
    WaitUntilReady();
    doubt.taken.push_back(absl::Now() - start);
    ASSERT_EQ(cluster_.WaitUntilSettled(kSettled).value_or(""), "");
  }
  doubt.Print();
  EXPECT_LT(doubt.median(), kTimers);
}

}  // namespace
}  // namespace lockstep::testing_support
