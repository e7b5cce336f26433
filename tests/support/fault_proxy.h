// A TCP proxy on loopback that does to connections what bad networks do. One thread carries all
// links; a link is one way from its clients, through a port of its own, to one server.
#ifndef LOCKSTEP_TESTS_SUPPORT_FAULT_PROXY_H_
#define LOCKSTEP_TESTS_SUPPORT_FAULT_PROXY_H_

#include <condition_variable>
#include <cstdint>
#include <list>
#include <memory>
#include <mutex>
#include <thread>
#include <vector>

#include "absl/time/time.h"
#include "tests/support/fault_connection.h"

namespace lockstep::testing_support {

class FaultProxy {
 public:
  struct Counts {
    int64_t connections = 0;
    int64_t resets = 0;    // connections that the proxy broke
    int64_t requests = 0;  // HTTP/2 HEADERS frames that came from clients
    int64_t answers = 0;   // and those that came from the server
    int64_t lost = 0;      // bytes
    int64_t held_up = 0;   // times that bytes were found waiting because of a fault
    int64_t cut = 0;       // answers, each with its connection
  };

  FaultProxy();
  // Breaks all connections.
  ~FaultProxy();
  FaultProxy(const FaultProxy&) = delete;
  FaultProxy& operator=(const FaultProxy&) = delete;

  // Makes a link to a port on 127.0.0.1, where nobody has to listen yet; links count from 0.
  size_t AddLink(int server_port);
  // Where the link's clients connect, on 127.0.0.1.
  int port(size_t link) const;
  // For connections from now on: the server has moved.
  void SetServer(size_t link, int server_port);

  void Set(size_t link, const LinkFaults& faults);
  void Heal(size_t link) { Set(link, {}); }
  // Breaks the link's connections; new ones are taken.
  void Reset(size_t link);
  // The next answer on the link is lost with its connection, although its request was received.
  void CutNextAnswer(size_t link);
  // It is not, unless that has happened.
  void KeepNextAnswer(size_t link);

  Counts counts(size_t link) const;
  // Until more requests than `seen` have come; false when `limit` is over. Likewise for answers.
  bool WaitForRequest(size_t link, int64_t seen, absl::Duration limit) const;
  bool WaitForAnswer(size_t link, int64_t seen, absl::Duration limit) const;
  bool WaitForCut(size_t link, int64_t seen, absl::Duration limit) const;

 private:
  struct Link {
    int listener = -1;
    int port = 0;
    int server_port = 0;
    LinkFaults faults;
    bool cut_next_answer = false;
    Counts counts;
    std::list<FaultConnection> connections;
  };

  void Run();
  // Both require mutex_. The first adds what is to be waited for, and returns until when.
  absl::Time Watch(std::vector<pollfd>* polled);
  void Serve(absl::Time now);
  void Accept(Link* link);
  void ServeConnections(Link* link, absl::Time now);
  void Wake() const;
  void BreakAll(Link* link);
  bool WaitForMore(size_t link, int64_t Counts::*count, int64_t seen, absl::Duration limit) const;

  int wake_ = -1;
  mutable std::mutex mutex_;
  mutable std::condition_variable counted_;
  bool stopping_ = false;  // guarded by mutex_, as the next
  std::vector<std::unique_ptr<Link>> links_;
  std::thread thread_;
};

}  // namespace lockstep::testing_support

#endif  // LOCKSTEP_TESTS_SUPPORT_FAULT_PROXY_H_
