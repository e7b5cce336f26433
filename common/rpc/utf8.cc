#include "common/rpc/utf8.h"

#include <cstdint>

namespace lockstep::rpc {
namespace {

uint8_t ByteAt(std::string_view text, size_t at) {
  return at < text.size() ? static_cast<uint8_t>(text[at]) : 0;
}

bool IsContinuation(uint8_t byte) { return (byte & 0xC0) == 0x80; }

// The length of the character that starts at `at`; 0 if none does (RFC 3629: no overlong form, no
// surrogate, nothing above U+10FFFF).
size_t CharacterAt(std::string_view text, size_t at) {
  const uint8_t first = ByteAt(text, at);
  const uint8_t second = ByteAt(text, at + 1);
  if (first < 0x80) return 1;
  if (first < 0xC2 || !IsContinuation(second)) return 0;
  if (first < 0xE0) return 2;
  if (!IsContinuation(ByteAt(text, at + 2))) return 0;
  if (first < 0xF0) {
    if (first == 0xE0 && second < 0xA0) return 0;
    if (first == 0xED && second > 0x9F) return 0;
    return 3;
  }
  if (first > 0xF4 || !IsContinuation(ByteAt(text, at + 3))) return 0;
  if (first == 0xF0 && second < 0x90) return 0;
  if (first == 0xF4 && second > 0x8F) return 0;
  return 4;
}

}  // namespace

bool IsValidUtf8(std::string_view text) {
  for (size_t at = 0; at < text.size();) {
    const size_t length = CharacterAt(text, at);
    if (length == 0) return false;
    at += length;
  }
  return true;
}

std::string ValidUtf8(std::string_view text) { return ShortText(text, std::string::npos); }

std::string ShortText(std::string_view text, size_t max_bytes) {
  constexpr std::string_view kCut = "...";
  std::string result;
  size_t end_with_cut = 0;  // where `result` ends if it has to be cut
  for (size_t at = 0; at < text.size();) {
    const size_t length = CharacterAt(text, at);
    const std::string_view next = length == 0 ? "?" : text.substr(at, length);
    if (result.size() + next.size() > max_bytes) {
      result.resize(end_with_cut);
      if (result.size() + kCut.size() <= max_bytes) result += kCut;
      return result;
    }
    result += next;
    if (result.size() + kCut.size() <= max_bytes) end_with_cut = result.size();
    at += length == 0 ? 1 : length;
  }
  return result;
}

}  // namespace lockstep::rpc
