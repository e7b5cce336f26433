#include "tests/support/free_port.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <cerrno>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstring>
#include <random>

#include "common/check.h"

namespace lockstep::testing_support {
namespace {

bool IsFree(int port) {
  const int socket_fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  LOCKSTEP_CHECK(socket_fd >= 0, std::strerror(errno));
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(static_cast<uint16_t>(port));
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  const bool is_free = bind(socket_fd, reinterpret_cast<sockaddr*>(&address), sizeof(address)) == 0;
  close(socket_fd);
  return is_free;
}

// Takes a name of the system's that goes with this process; false if another one has it.
bool Reserve(int port) {
  const int socket_fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
  LOCKSTEP_CHECK(socket_fd >= 0, std::strerror(errno));
  sockaddr_un name{};
  name.sun_family = AF_UNIX;
  // Abstract: its first byte is 0, and there is no file.
  const int length =
      std::snprintf(name.sun_path + 1, sizeof(name.sun_path) - 1, "lockstep-test-port-%d", port);
  const auto size =
      static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + 1 + static_cast<size_t>(length));
  if (bind(socket_fd, reinterpret_cast<sockaddr*>(&name), size) == 0) return true;
  close(socket_fd);
  return false;
}

}  // namespace

int FreePort() {
  static std::mt19937 random{std::random_device{}()};
  for (;;) {
    const int port = std::uniform_int_distribution<int>(20000, 32000)(random);
    if (IsFree(port) && Reserve(port)) return port;
  }
}

}  // namespace lockstep::testing_support
