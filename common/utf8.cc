#include "common/utf8.h"

namespace lockstep {
namespace {

bool InRange(std::string_view bytes, size_t i, unsigned char low, unsigned char high) {
  if (i >= bytes.size()) return false;
  const auto byte = static_cast<unsigned char>(bytes[i]);
  return byte >= low && byte <= high;
}

bool IsContinuation(std::string_view bytes, size_t i) { return InRange(bytes, i, 0x80, 0xBF); }

// The length of the character that starts at i, or 0 when there is no valid one: table 3-7 of the
// Unicode standard, in which only the second byte's range depends on the first.
size_t CharacterLength(std::string_view bytes, size_t i) {
  const auto first = static_cast<unsigned char>(bytes[i]);
  if (first < 0x80) return 1;
  if (first < 0xC2 || first > 0xF4) return 0;
  if (first < 0xE0) return IsContinuation(bytes, i + 1) ? 2 : 0;
  if (first < 0xF0) {
    const unsigned char low = first == 0xE0 ? 0xA0 : 0x80;
    const unsigned char high = first == 0xED ? 0x9F : 0xBF;
    return InRange(bytes, i + 1, low, high) && IsContinuation(bytes, i + 2) ? 3 : 0;
  }
  const unsigned char low = first == 0xF0 ? 0x90 : 0x80;
  const unsigned char high = first == 0xF4 ? 0x8F : 0xBF;
  const bool valid = InRange(bytes, i + 1, low, high) && IsContinuation(bytes, i + 2) &&
                     IsContinuation(bytes, i + 3);
  return valid ? 4 : 0;
}

}  // namespace

size_t ValidUtf8Prefix(std::string_view bytes) {
  size_t i = 0;
  while (i < bytes.size()) {
    const size_t length = CharacterLength(bytes, i);
    if (length == 0) break;
    i += length;
  }
  return i;
}

std::string MakeValidUtf8(std::string_view bytes) {
  constexpr std::string_view kReplacement = "\xEF\xBF\xBD";
  std::string valid;
  valid.reserve(bytes.size());
  while (true) {
    const size_t length = ValidUtf8Prefix(bytes);
    valid.append(bytes.substr(0, length));
    if (length == bytes.size()) return valid;
    valid.append(kReplacement);
    bytes.remove_prefix(length + 1);
  }
}

}  // namespace lockstep
