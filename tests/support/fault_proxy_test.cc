#include "tests/support/fault_proxy.h"

#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <optional>
#include <string>

#include "absl/time/clock.h"
#include "common/check.h"

namespace lockstep::testing_support {
namespace {

constexpr int kLong = 10'000;  // ms: what is to come has come by then
constexpr int kShort = 30;     // ms: what is not to come would mostly have come by then

// Owns a blocking socket.
class Socket {
 public:
  explicit Socket(int descriptor) : descriptor_(descriptor) {}
  ~Socket() { close(descriptor_); }
  Socket(const Socket&) = delete;
  Socket& operator=(const Socket&) = delete;

  int get() const { return descriptor_; }
  void Send(const std::string& bytes) {
    ASSERT_EQ(send(descriptor_, bytes.data(), bytes.size(), MSG_NOSIGNAL),
              static_cast<ssize_t>(bytes.size()));
  }
  void Finish() { ASSERT_EQ(shutdown(descriptor_, SHUT_WR), 0); }

  // What comes within the time, up to `length` bytes; "" for nothing, "END" and "RESET" for an end.
  std::string Receive(size_t length, int milliseconds = kLong) {
    std::string all;
    while (all.size() < length) {
      pollfd wait{descriptor_, POLLIN, 0};
      if (poll(&wait, 1, milliseconds) != 1) return all;
      std::array<char, 4096> buffer;
      const ssize_t got =
          recv(descriptor_, buffer.data(), std::min(buffer.size(), length - all.size()), 0);
      if (got == 0) return all + "END";
      if (got < 0) return all + "RESET";
      all.append(buffer.data(), static_cast<size_t>(got));
    }
    return all;
  }

 private:
  const int descriptor_;
};

// A server without a mind of its own: the test accepts and answers.
class Server {
 public:
  Server() : listener_(ListenOnLoopback(&port_)) {}
  int port() const { return port_; }
  Socket Accept() {
    pollfd wait{listener_.get(), POLLIN, 0};
    LOCKSTEP_CHECK(poll(&wait, 1, kLong) == 1, "nobody connects");
    return Socket(accept4(listener_.get(), nullptr, nullptr, SOCK_CLOEXEC));
  }

 private:
  int port_ = 0;
  Socket listener_;
};

Socket ConnectTo(int port) {
  const int made = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(static_cast<uint16_t>(port));
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  LOCKSTEP_CHECK(connect(made, reinterpret_cast<sockaddr*>(&address), sizeof(address)) == 0,
                 std::strerror(errno));
  return Socket(made);
}

class FaultProxyTest : public testing::Test {
 protected:
  FaultProxyTest()
      : link_(proxy_.AddLink(server_.port())),
        client_(ConnectTo(proxy_.port(link_))),
        accepted_(server_.Accept()) {}

  // Both ways, so that the connection is known to stand.
  void Greet() {
    client_.Send("ask");
    EXPECT_EQ(accepted_.Receive(3), "ask");
    accepted_.Send("answer");
    EXPECT_EQ(client_.Receive(6), "answer");
  }

  Server server_;
  FaultProxy proxy_;
  size_t link_;
  Socket client_;
  Socket accepted_;
};

TEST_F(FaultProxyTest, PassesEverythingBothWaysAndEachEnd) {
  Greet();
  const std::string much(3 << 20, 'x');
  std::string got;
  std::thread reader([&] { got = accepted_.Receive(much.size()); });
  client_.Send(much);
  reader.join();
  EXPECT_TRUE(got == much);
  client_.Finish();
  EXPECT_EQ(accepted_.Receive(1), "END");
  accepted_.Send("late");
  EXPECT_EQ(client_.Receive(4), "late");
  accepted_.Finish();
  EXPECT_EQ(client_.Receive(1), "END");
  EXPECT_EQ(proxy_.counts(link_).resets, 0);
  EXPECT_EQ(proxy_.counts(link_).held_up, 0);
}

TEST_F(FaultProxyTest, DelaysEachWay) {
  Greet();
  LinkFaults faults;
  faults.delay = absl::Milliseconds(60);
  proxy_.Set(link_, faults);
  const absl::Time start = absl::Now();
  client_.Send("ask");
  EXPECT_EQ(accepted_.Receive(3), "ask");
  accepted_.Send("answer");
  EXPECT_EQ(client_.Receive(6), "answer");
  EXPECT_GE(absl::Now() - start, absl::Milliseconds(120));
  EXPECT_GT(proxy_.counts(link_).held_up, 0);
}

TEST_F(FaultProxyTest, ThrottlesToANumberOfBytesASecond) {
  Greet();
  LinkFaults faults;
  faults.bytes_per_second = 20'000;
  proxy_.Set(link_, faults);
  const absl::Time start = absl::Now();
  client_.Send(std::string(4000, 'x'));
  EXPECT_EQ(accepted_.Receive(4000).size(), 4000u);
  // The first piece goes at once.
  EXPECT_GE(absl::Now() - start, absl::Milliseconds(150));
  EXPECT_GT(proxy_.counts(link_).held_up, 0);
}

TEST_F(FaultProxyTest, HoldsOneWayAndDeliversLate) {
  Greet();
  LinkFaults faults;
  faults.back.hold = true;
  proxy_.Set(link_, faults);
  client_.Send("ask");
  EXPECT_EQ(accepted_.Receive(3), "ask");
  accepted_.Send("answer");
  EXPECT_EQ(client_.Receive(6, kShort), "");
  EXPECT_GT(proxy_.counts(link_).held_up, 0);
  proxy_.Heal(link_);
  EXPECT_EQ(client_.Receive(6), "answer");
}

TEST_F(FaultProxyTest, InABlackHoleNobodyLearnsThatTheOtherEndIsGone) {
  Greet();
  LinkFaults faults;
  faults.forward.hold = faults.back.hold = true;
  proxy_.Set(link_, faults);
  client_.Send("ask");
  EXPECT_EQ(accepted_.Receive(3, kShort), "");
  const linger at_once{1, 0};
  setsockopt(accepted_.get(), SOL_SOCKET, SO_LINGER, &at_once, sizeof(at_once));
  shutdown(accepted_.get(), SHUT_RDWR);
  EXPECT_EQ(client_.Receive(1, kShort), "");
  proxy_.Heal(link_);
  EXPECT_NE(client_.Receive(1), "");
}

TEST_F(FaultProxyTest, WhatIsDroppedNeverComesAndTheConnectionBreaksAfterwards) {
  Greet();
  LinkFaults faults;
  faults.forward.drop = true;
  proxy_.Set(link_, faults);
  client_.Send("ask");
  EXPECT_EQ(accepted_.Receive(3, kShort), "");
  accepted_.Send("answer");
  EXPECT_EQ(client_.Receive(6), "answer");
  proxy_.Heal(link_);
  EXPECT_EQ(accepted_.Receive(3), "RESET");
  EXPECT_EQ(client_.Receive(3), "RESET");
  EXPECT_EQ(proxy_.counts(link_).lost, 3);
}

TEST_F(FaultProxyTest, ResetBreaksBothEndsAndTakesNewConnections) {
  Greet();
  proxy_.Reset(link_);
  EXPECT_EQ(accepted_.Receive(1), "RESET");
  EXPECT_EQ(client_.Receive(1), "RESET");
  Socket again = ConnectTo(proxy_.port(link_));
  Socket accepted = server_.Accept();
  again.Send("ask");
  EXPECT_EQ(accepted.Receive(3), "ask");
}

TEST_F(FaultProxyTest, RefusesNewConnectionsAndKeepsOldOnes) {
  LinkFaults faults;
  faults.refuse = true;
  proxy_.Set(link_, faults);
  Socket refused = ConnectTo(proxy_.port(link_));
  EXPECT_EQ(refused.Receive(1), "RESET");
  Greet();
}

TEST_F(FaultProxyTest, AServerThatIsAwayIsAReset) {
  Server other;
  int nobody = 0;
  close(ListenOnLoopback(&nobody));
  proxy_.SetServer(link_, nobody);
  Socket refused = ConnectTo(proxy_.port(link_));
  EXPECT_EQ(refused.Receive(1), "RESET");
  proxy_.SetServer(link_, other.port());
  Socket moved = ConnectTo(proxy_.port(link_));
  Socket accepted = other.Accept();
  moved.Send("ask");
  EXPECT_EQ(accepted.Receive(3), "ask");
}

std::string Frame(char type, const std::string& body) {
  std::string frame = {0, 0, static_cast<char>(body.size()), type, 0, 0, 0, 0, 1};
  return frame + body;
}

constexpr char kPreface[] = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

TEST_F(FaultProxyTest, TheNextAnswerIsCutAfterItsRequestWentThrough) {
  const std::string settings = Frame(4, "");
  accepted_.Send(settings);
  EXPECT_EQ(client_.Receive(settings.size()), settings);
  proxy_.CutNextAnswer(link_);
  const std::string ping = Frame(6, "12345678");
  accepted_.Send(ping);
  EXPECT_EQ(client_.Receive(ping.size()), ping);
  const std::string request = kPreface + settings + Frame(1, "a request");
  client_.Send(request);
  EXPECT_EQ(accepted_.Receive(request.size()), request);
  EXPECT_EQ(proxy_.counts(link_).requests, 1);
  accepted_.Send(Frame(1, "an answer"));
  EXPECT_EQ(client_.Receive(1), "RESET");
  EXPECT_EQ(accepted_.Receive(1), "RESET");
  EXPECT_EQ(proxy_.counts(link_).answers, 1);
  EXPECT_EQ(proxy_.counts(link_).cut, 1);
}

TEST_F(FaultProxyTest, AnAnswerThatIsNotToBeCutAnyMoreArrives) {
  proxy_.CutNextAnswer(link_);
  proxy_.KeepNextAnswer(link_);
  const std::string answer = Frame(1, "an answer");
  accepted_.Send(answer);
  EXPECT_EQ(client_.Receive(answer.size()), answer);
  EXPECT_EQ(proxy_.counts(link_).cut, 0);
}

TEST_F(FaultProxyTest, FramesAreCountedWhereverTheyAreSplit) {
  const std::string frames = Frame(4, "") + Frame(1, "one") + Frame(0, "data") + Frame(1, "two");
  for (const char byte : frames) accepted_.Send(std::string(1, byte));
  EXPECT_EQ(client_.Receive(frames.size()), frames);
  EXPECT_EQ(proxy_.counts(link_).answers, 2);
  EXPECT_TRUE(proxy_.WaitForAnswer(link_, 1, absl::Seconds(10)));
  EXPECT_FALSE(proxy_.WaitForAnswer(link_, 2, absl::Milliseconds(1)));
  Http2Frames whole(0);
  const Http2Frames::Found found = whole.Take(frames);
  EXPECT_EQ(found.headers, 2);
  EXPECT_EQ(found.first, 9u);
}

}  // namespace
}  // namespace lockstep::testing_support
