#include "common/json_text.h"

#include "common/utf8.h"

namespace lockstep {
namespace {

// Control characters, quote and backslash by JSON's own rules; DEL because terminals obey it.
bool NeedsEscape(unsigned char c) { return c < 0x20 || c == '"' || c == '\\' || c == 0x7F; }

void AppendEscaped(unsigned char c, std::string* out) {
  switch (c) {
    case '"':
      out->append("\\\"");
      return;
    case '\\':
      out->append("\\\\");
      return;
    case '\n':
      out->append("\\n");
      return;
    case '\r':
      out->append("\\r");
      return;
    case '\t':
      out->append("\\t");
      return;
    default:
      constexpr char kHex[] = "0123456789abcdef";
      out->append("\\u00");
      out->push_back(kHex[c >> 4]);
      out->push_back(kHex[c & 0xF]);
  }
}

void AppendValid(std::string_view text, std::string* out) {
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if (NeedsEscape(byte)) {
      AppendEscaped(byte, out);
    } else {
      out->push_back(c);
    }
  }
}

}  // namespace

void AppendJsonText(std::string_view text, std::string* out) {
  out->push_back('"');
  if (IsValidUtf8(text)) {
    AppendValid(text, out);
  } else {
    AppendValid(MakeValidUtf8(text), out);
  }
  out->push_back('"');
}

}  // namespace lockstep
