// One connection through a FaultProxy: two sockets, and what is on its way between them.
#ifndef LOCKSTEP_TESTS_SUPPORT_FAULT_CONNECTION_H_
#define LOCKSTEP_TESTS_SUPPORT_FAULT_CONNECTION_H_

#include <poll.h>

#include <cstdint>
#include <deque>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/time/time.h"

namespace lockstep::testing_support {

// What is wrong with one direction.
struct WayFaults {
  // A black hole: nothing arrives, not even that the other end is gone. What was sent comes late,
  // when the fault ends.
  bool hold = false;
  // What is sent is lost. Behind a gap TCP cannot go on: the connection breaks when the fault ends.
  bool drop = false;
};

struct LinkFaults {
  WayFaults forward;  // from the client to the server
  WayFaults back;
  absl::Duration delay;          // of everything, each way
  int64_t bytes_per_second = 0;  // each way; 0: no limit
  bool refuse = false;           // new connections are reset
};

// Finds the HEADERS frames in one direction of an HTTP/2 connection: each begins a request, an
// answer or the end of one. Nonsense is taken for frames, too, and harms nobody.
class Http2Frames {
 public:
  // `preface`: bytes that stand before the first frame.
  explicit Http2Frames(size_t preface) : skip_(preface) {}
  // Takes the next bytes; how many HEADERS frames began in them, and where the first one did. One
  // whose nine bytes of header began earlier counts when the last of them comes, from there on.
  struct Found {
    int headers = 0;
    size_t first = std::string::npos;
  };
  Found Take(std::string_view bytes);

 private:
  size_t skip_;
  std::string header_;
};

class FaultConnection {
 public:
  // What happened in one Serve.
  struct Events {
    int requests = 0;
    int answers = 0;
    int64_t lost = 0;
    bool has_held_up = false;  // bytes wait because of a fault
    bool has_cut_answer = false;
  };

  // Takes the client's socket, and begins to connect to the server.
  FaultConnection(int client, int server_port);
  // Resets what is still open.
  ~FaultConnection();
  FaultConnection(const FaultConnection&) = delete;
  FaultConnection& operator=(const FaultConnection&) = delete;

  // Adds the sockets for which it waits; returns when it has to be served in any case.
  absl::Time Watch(const LinkFaults& faults, absl::Time now, std::vector<pollfd>* polled) const;
  // Moves what can be moved. With `cut_answer`, an answer ends the connection before it is passed
  // on.
  Events Serve(const LinkFaults& faults, bool cut_answer, absl::Time now);
  // Nothing is open any more.
  bool done() const { return client_ < 0 && server_ < 0; }
  // It ended by a fault, or by the end of a process, not in order.
  bool broken() const { return broken_; }
  void Break();

 private:
  struct Chunk {
    absl::Time due;
    std::string bytes;
  };
  struct Pipe {
    explicit Pipe(size_t preface) : frames(preface) {}
    std::deque<Chunk> chunks;
    size_t size = 0;
    absl::Time next_send = absl::InfinitePast();
    bool ended = false;   // its source has sent all
    bool closed = false;  // and its target was told
    Http2Frames frames;
  };

  // False: the source's end is gone.
  bool Receive(int source, const WayFaults& way, absl::Duration delay, Pipe* pipe, Events* events);
  bool Send(int target, const WayFaults& way, int64_t bytes_per_second, absl::Time now, Pipe* pipe);
  static bool IsHeldUp(const LinkFaults& faults, const WayFaults& way, absl::Time now,
                       const Pipe& pipe);
  void CountFrames(bool is_answer, std::string_view bytes, bool cut_answer, Pipe* pipe,
                   Events* events);

  int client_;
  int server_;
  Pipe forward_;
  Pipe back_;
  bool has_gap_ = false;
  bool peer_is_gone_ = false;  // one end is; the other learns of it when nothing is silent any more
  bool broken_ = false;
};

// A non-blocking socket that listens on a free port of 127.0.0.1, outside the range of outgoing
// ones.
int ListenOnLoopback(int* port);

}  // namespace lockstep::testing_support

#endif  // LOCKSTEP_TESTS_SUPPORT_FAULT_CONNECTION_H_
