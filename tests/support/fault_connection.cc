#include "tests/support/fault_connection.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <utility>

#include "absl/time/clock.h"
#include "common/check.h"
#include "tests/support/free_port.h"

namespace lockstep::testing_support {
namespace {

// What a pipe takes before it lets its source wait.
constexpr size_t kPipeBytes = 256 << 10;
// Under a throttle, so many pieces a second.
constexpr int64_t kPieces = 50;
constexpr size_t kHttp2Preface = 24;
constexpr size_t kFrameHeader = 9;
constexpr char kHeadersFrame = 1;

sockaddr_in Loopback(int port) {
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(static_cast<uint16_t>(port));
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  return address;
}

int NewSocket() {
  const int made = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  LOCKSTEP_CHECK(made >= 0, std::strerror(errno));
  return made;
}

void SendAtOnce(int connected) {
  const int on = 1;
  setsockopt(connected, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
}

// With a RST, so that the other end does not take it for an end in order.
void ResetSocket(int* descriptor) {
  if (*descriptor < 0) return;
  const linger at_once{1, 0};
  setsockopt(*descriptor, SOL_SOCKET, SO_LINGER, &at_once, sizeof(at_once));
  close(std::exchange(*descriptor, -1));
}

bool IsSilent(const WayFaults& way) { return way.hold || way.drop; }

bool WouldBlock() { return errno == EAGAIN || errno == EINTR || errno == ENOTCONN; }

}  // namespace

Http2Frames::Found Http2Frames::Take(std::string_view bytes) {
  Found found;
  size_t at = 0;
  while (at < bytes.size()) {
    if (skip_ > 0) {
      const size_t skipped = std::min(skip_, bytes.size() - at);
      skip_ -= skipped;
      at += skipped;
      continue;
    }
    const size_t begin = header_.empty() ? at : 0;
    const size_t wanted = std::min(kFrameHeader - header_.size(), bytes.size() - at);
    header_.append(bytes.substr(at, wanted));
    at += wanted;
    if (header_.size() < kFrameHeader) break;
    const auto byte = [this](size_t i) { return size_t{static_cast<unsigned char>(header_[i])}; };
    skip_ = byte(0) << 16 | byte(1) << 8 | byte(2);
    if (header_[3] == kHeadersFrame && ++found.headers == 1) found.first = begin;
    header_.clear();
  }
  return found;
}

FaultConnection::FaultConnection(int client, int server_port)
    : client_(client), server_(NewSocket()), forward_(kHttp2Preface), back_(0) {
  SendAtOnce(client_);
  SendAtOnce(server_);
  const sockaddr_in address = Loopback(server_port);
  // That nobody listens shows when the socket is used.
  connect(server_, reinterpret_cast<const sockaddr*>(&address), sizeof(address));
}

FaultConnection::~FaultConnection() { Break(); }

void FaultConnection::Break() {
  broken_ = true;
  ResetSocket(&client_);
  ResetSocket(&server_);
}

absl::Time FaultConnection::Watch(const LinkFaults& faults, absl::Time now,
                                  std::vector<pollfd>* polled) const {
  pollfd client{client_, 0, 0};
  pollfd server{server_, 0, 0};
  absl::Time until = absl::InfiniteFuture();
  const auto watch = [&](const Pipe& pipe, const WayFaults& way, pollfd* source, pollfd* target) {
    if (!pipe.ended && pipe.size < kPipeBytes) source->events |= POLLIN;
    if (way.hold || pipe.chunks.empty()) return;
    const absl::Time due = std::max(pipe.chunks.front().due, pipe.next_send);
    if (due <= now) {
      target->events |= POLLOUT;
    } else {
      until = std::min(until, due);
    }
  };
  watch(forward_, faults.forward, &client, &server);
  watch(back_, faults.back, &server, &client);
  // One without events would only tell of its end, again and again.
  if (client_ >= 0 && client.events != 0) polled->push_back(client);
  if (server_ >= 0 && server.events != 0) polled->push_back(server);
  return until;
}

FaultConnection::Events FaultConnection::Serve(const LinkFaults& faults, bool cut_answer,
                                               absl::Time now) {
  Events events;
  const auto serve = [&](int* source, int* target, const WayFaults& way, bool is_answer,
                         Pipe* pipe) {
    const size_t before = pipe->chunks.size();
    if (!Receive(*source, way, faults.delay, pipe, &events)) {
      ResetSocket(source);
      peer_is_gone_ = true;
    }
    for (size_t i = before; i < pipe->chunks.size() && !events.has_cut_answer; ++i) {
      CountFrames(is_answer, pipe->chunks[i].bytes, cut_answer, pipe, &events);
    }
    if (events.has_cut_answer) return;
    if (!Send(*target, way, faults.bytes_per_second, now, pipe)) {
      ResetSocket(target);
      peer_is_gone_ = true;
    }
    if (IsHeldUp(faults, way, now, *pipe)) events.has_held_up = true;
  };
  serve(&client_, &server_, faults.forward, /*is_answer=*/false, &forward_);
  serve(&server_, &client_, faults.back, /*is_answer=*/true, &back_);
  const bool is_silent = IsSilent(faults.forward) || IsSilent(faults.back);
  if (events.has_cut_answer || (!is_silent && (has_gap_ || peer_is_gone_))) {
    Break();
  } else if (forward_.closed && back_.closed) {
    close(std::exchange(client_, -1));
    close(std::exchange(server_, -1));
  }
  return events;
}

bool FaultConnection::Receive(int source, const WayFaults& way, absl::Duration delay, Pipe* pipe,
                              Events* events) {
  std::array<char, 64 << 10> buffer;
  while (source >= 0 && !pipe->ended && pipe->size < kPipeBytes) {
    const ssize_t length = recv(source, buffer.data(), buffer.size(), MSG_DONTWAIT);
    if (length < 0) return WouldBlock();
    if (length == 0) {
      pipe->ended = true;
    } else if (way.drop) {
      has_gap_ = true;
      events->lost += length;
    } else {
      pipe->chunks.push_back(
          {absl::Now() + delay, std::string(buffer.data(), static_cast<size_t>(length))});
      pipe->size += static_cast<size_t>(length);
    }
  }
  return true;
}

bool FaultConnection::IsHeldUp(const LinkFaults& faults, const WayFaults& way, absl::Time now,
                               const Pipe& pipe) {
  if (pipe.chunks.empty()) return false;
  return way.hold || (faults.delay > absl::ZeroDuration() && pipe.chunks.front().due > now) ||
         (faults.bytes_per_second > 0 && pipe.next_send > now);
}

void FaultConnection::CountFrames(bool is_answer, std::string_view bytes, bool cut_answer,
                                  Pipe* pipe, Events* events) {
  const Http2Frames::Found found = pipe->frames.Take(bytes);
  (is_answer ? events->answers : events->requests) += found.headers;
  if (is_answer && cut_answer && found.headers > 0) events->has_cut_answer = true;
}

bool FaultConnection::Send(int target, const WayFaults& way, int64_t bytes_per_second,
                           absl::Time now, Pipe* pipe) {
  if (target < 0 || way.hold) return true;
  while (!pipe->chunks.empty() && pipe->chunks.front().due <= now && pipe->next_send <= now) {
    std::string& bytes = pipe->chunks.front().bytes;
    size_t wanted = bytes.size();
    if (bytes_per_second > 0) {
      wanted =
          std::min(wanted, static_cast<size_t>(std::max(bytes_per_second / kPieces, int64_t{1})));
    }
    const ssize_t sent = send(target, bytes.data(), wanted, MSG_NOSIGNAL | MSG_DONTWAIT);
    if (sent < 0) return WouldBlock();
    pipe->size -= static_cast<size_t>(sent);
    bytes.erase(0, static_cast<size_t>(sent));
    if (bytes.empty()) pipe->chunks.pop_front();
    if (bytes_per_second > 0) {
      pipe->next_send =
          now + absl::Seconds(static_cast<double>(sent) / static_cast<double>(bytes_per_second));
    }
  }
  if (pipe->ended && !pipe->closed && pipe->chunks.empty() && !way.drop) {
    if (shutdown(target, SHUT_WR) != 0 && !WouldBlock()) return false;
    pipe->closed = true;
  }
  return true;
}

int ListenOnLoopback(int* port) {
  for (;;) {
    *port = FreePort();
    const int listener = NewSocket();
    const sockaddr_in address = Loopback(*port);
    if (bind(listener, reinterpret_cast<const sockaddr*>(&address), sizeof(address)) == 0 &&
        listen(listener, SOMAXCONN) == 0) {
      return listener;
    }
    close(listener);
  }
}

}  // namespace lockstep::testing_support
