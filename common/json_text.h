// Text as a JSON string.
#ifndef LOCKSTEP_COMMON_JSON_TEXT_H_
#define LOCKSTEP_COMMON_JSON_TEXT_H_

#include <string>
#include <string_view>

namespace lockstep {

// Appends `text` as a JSON string with its quotes, on one line whatever is in it. Bytes that are
// not UTF-8 become U+FFFD.
void AppendJsonText(std::string_view text, std::string* out);

}  // namespace lockstep

#endif  // LOCKSTEP_COMMON_JSON_TEXT_H_
