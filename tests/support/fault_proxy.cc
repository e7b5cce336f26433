#include "tests/support/fault_proxy.h"

#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "absl/time/clock.h"
#include "common/check.h"

namespace lockstep::testing_support {

FaultProxy::FaultProxy() : wake_(eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)) {
  LOCKSTEP_CHECK(wake_ >= 0, std::strerror(errno));
  thread_ = std::thread([this] { Run(); });
}

FaultProxy::~FaultProxy() {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  Wake();
  thread_.join();
  for (const auto& link : links_) close(link->listener);
  close(wake_);
}

size_t FaultProxy::AddLink(int server_port) {
  auto link = std::make_unique<Link>();
  link->listener = ListenOnLoopback(&link->port);
  link->server_port = server_port;
  const std::lock_guard lock(mutex_);
  links_.push_back(std::move(link));
  Wake();
  return links_.size() - 1;
}

int FaultProxy::port(size_t link) const {
  const std::lock_guard lock(mutex_);
  return links_[link]->port;
}

void FaultProxy::SetServer(size_t link, int server_port) {
  const std::lock_guard lock(mutex_);
  links_[link]->server_port = server_port;
}

void FaultProxy::Set(size_t link, const LinkFaults& faults) {
  const std::lock_guard lock(mutex_);
  links_[link]->faults = faults;
  Wake();
}

void FaultProxy::Reset(size_t link) {
  const std::lock_guard lock(mutex_);
  BreakAll(links_[link].get());
}

void FaultProxy::BreakAll(Link* link) {
  link->counts.resets += static_cast<int64_t>(link->connections.size());
  link->connections.clear();
  Wake();
}

void FaultProxy::CutNextAnswer(size_t link) {
  const std::lock_guard lock(mutex_);
  links_[link]->cut_next_answer = true;
}

void FaultProxy::KeepNextAnswer(size_t link) {
  const std::lock_guard lock(mutex_);
  links_[link]->cut_next_answer = false;
}

FaultProxy::Counts FaultProxy::counts(size_t link) const {
  const std::lock_guard lock(mutex_);
  return links_[link]->counts;
}

bool FaultProxy::WaitForRequest(size_t link, int64_t seen, absl::Duration limit) const {
  return WaitForMore(link, &Counts::requests, seen, limit);
}

bool FaultProxy::WaitForAnswer(size_t link, int64_t seen, absl::Duration limit) const {
  return WaitForMore(link, &Counts::answers, seen, limit);
}

bool FaultProxy::WaitForCut(size_t link, int64_t seen, absl::Duration limit) const {
  return WaitForMore(link, &Counts::cut, seen, limit);
}

bool FaultProxy::WaitForMore(size_t link, int64_t Counts::*count, int64_t seen,
                             absl::Duration limit) const {
  std::unique_lock lock(mutex_);
  return counted_.wait_for(lock, absl::ToChronoNanoseconds(limit),
                           [&] { return links_[link]->counts.*count > seen; });
}

void FaultProxy::Wake() const { LOCKSTEP_CHECK(eventfd_write(wake_, 1) == 0, "cannot wake"); }

void FaultProxy::Run() {
  for (;;) {
    std::vector<pollfd> polled = {{wake_, POLLIN, 0}};
    timespec left{};
    bool is_limited = false;
    {
      const std::lock_guard lock(mutex_);
      if (stopping_) return;
      const absl::Time until = Watch(&polled);
      is_limited = until != absl::InfiniteFuture();
      if (is_limited) {
        left = absl::ToTimespec(std::max(until - absl::Now(), absl::ZeroDuration()));
      }
    }
    ppoll(polled.data(), polled.size(), is_limited ? &left : nullptr, nullptr);
    eventfd_t ignored = 0;
    eventfd_read(wake_, &ignored);
    const std::lock_guard lock(mutex_);
    Serve(absl::Now());
    counted_.notify_all();
  }
}

absl::Time FaultProxy::Watch(std::vector<pollfd>* polled) {
  const absl::Time now = absl::Now();
  absl::Time until = absl::InfiniteFuture();
  for (const auto& link : links_) {
    polled->push_back({link->listener, POLLIN, 0});
    for (const FaultConnection& connection : link->connections) {
      until = std::min(until, connection.Watch(link->faults, now, polled));
    }
  }
  return until;
}

void FaultProxy::Serve(absl::Time now) {
  for (const auto& link : links_) {
    Accept(link.get());
    ServeConnections(link.get(), now);
  }
}

void FaultProxy::Accept(Link* link) {
  for (;;) {
    const int client = accept4(link->listener, nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK);
    if (client < 0) return;
    ++link->counts.connections;
    link->connections.emplace_back(client, link->server_port);
    if (link->faults.refuse) {
      link->connections.pop_back();
      ++link->counts.resets;
    }
  }
}

void FaultProxy::ServeConnections(Link* link, absl::Time now) {
  for (FaultConnection& connection : link->connections) {
    const FaultConnection::Events events =
        connection.Serve(link->faults, link->cut_next_answer, now);
    link->counts.requests += events.requests;
    link->counts.answers += events.answers;
    link->counts.lost += events.lost;
    if (events.has_held_up) ++link->counts.held_up;
    if (events.has_cut_answer) {
      link->cut_next_answer = false;
      ++link->counts.cut;
    }
    if (connection.broken()) ++link->counts.resets;
  }
  link->connections.remove_if([](const FaultConnection& connection) { return connection.done(); });
}

}  // namespace lockstep::testing_support
