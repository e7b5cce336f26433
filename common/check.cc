#include "common/check.h"

namespace lockstep::internal {

void CheckFailed(const char* file, int line, const char* condition, const std::string& message) {
  // Not through the logger: it may be what is broken, and its sink may hold a lock.
  std::string text = message;
  for (char& c : text) {
    if (c == '"' || c == '\\' || static_cast<unsigned char>(c) < 0x20) c = '\'';
  }
  std::string quoted = condition;
  for (char& c : quoted) {
    if (c == '"' || c == '\\') c = '\'';
  }
  std::fprintf(stderr,
               "{\"level\":\"critical\",\"message\":\"invariant broken, stopping: %s\","
               "\"condition\":\"%s\",\"file\":\"%s\",\"line\":%d}\n",
               text.c_str(), quoted.c_str(), file, line);
  std::fflush(stderr);
  std::abort();
}

}  // namespace lockstep::internal
