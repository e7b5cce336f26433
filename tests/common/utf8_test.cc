#include "common/utf8.h"

#include <gtest/gtest.h>

#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace lockstep {
namespace {

using namespace std::string_view_literals;

// Encodes any number as the UTF-8 scheme would, surrogates and too large ones too.
std::string Encode(uint32_t c) {
  if (c < 0x80) return {static_cast<char>(c)};
  if (c < 0x800) return {static_cast<char>(0xC0 | c >> 6), static_cast<char>(0x80 | (c & 0x3F))};
  if (c < 0x10000) {
    return {static_cast<char>(0xE0 | c >> 12), static_cast<char>(0x80 | (c >> 6 & 0x3F)),
            static_cast<char>(0x80 | (c & 0x3F))};
  }
  return {static_cast<char>(0xF0 | c >> 18), static_cast<char>(0x80 | (c >> 12 & 0x3F)),
          static_cast<char>(0x80 | (c >> 6 & 0x3F)), static_cast<char>(0x80 | (c & 0x3F))};
}

TEST(Utf8Test, EveryCharacterIsValidAndEverySurrogateAndNumberBeyondIsNot) {
  for (uint32_t c = 0; c < 0x1FFFFF; ++c) {
    const bool is_character = c <= 0x10FFFF && (c < 0xD800 || c > 0xDFFF);
    ASSERT_EQ(IsValidUtf8(Encode(c)), is_character) << c;
  }
}

TEST(Utf8Test, CharactersThatAreCutShortAreInvalid) {
  for (uint32_t c : {0xE9u, 0x20ACu, 0x1F600u}) {
    const std::string whole = Encode(c);
    for (size_t length = 1; length < whole.size(); ++length) {
      EXPECT_FALSE(IsValidUtf8(whole.substr(0, length))) << c;
      EXPECT_FALSE(IsValidUtf8(whole.substr(0, length) + "a")) << c;
      EXPECT_FALSE(IsValidUtf8(whole.substr(length))) << c;
    }
  }
}

TEST(Utf8Test, OverlongFormsAreInvalid) {
  for (std::string_view bytes : {"\xC0\x80"sv, "\xC1\xBF"sv, "\xE0\x80\x80"sv, "\xE0\x9F\xBF"sv,
                                 "\xF0\x80\x80\x80"sv, "\xF0\x8F\xBF\xBF"sv}) {
    EXPECT_FALSE(IsValidUtf8(bytes));
  }
}

TEST(Utf8Test, ThePrefixEndsBeforeTheFirstWrongByte) {
  EXPECT_EQ(ValidUtf8Prefix("a\xC3\xA9\xFF z"), 3u);
  EXPECT_EQ(ValidUtf8Prefix(""), 0u);
  EXPECT_EQ(ValidUtf8Prefix("\0x"sv), 2u);
}

TEST(Utf8Test, MakeValidReplacesOnlyTheWrongBytes) {
  const std::vector<std::pair<std::string, std::string>> cases = {
      {"", ""},
      {"plain", "plain"},
      {"caf\xC3\xA9", "caf\xC3\xA9"},
      {"\xFF", "\xEF\xBF\xBD"},
      {"a\xFFz", "a\xEF\xBF\xBDz"},
      {"\xC3", "\xEF\xBF\xBD"},
      {"\xC3\xC3\xA9", "\xEF\xBF\xBD\xC3\xA9"},
      {"\xED\xA0\x80", "\xEF\xBF\xBD\xEF\xBF\xBD\xEF\xBF\xBD"},
  };
  for (const auto& [bytes, valid] : cases) EXPECT_EQ(MakeValidUtf8(bytes), valid);
}

TEST(Utf8Test, EveryPairOfBytesIsMadeValid) {
  for (int first = 0; first < 256; ++first) {
    for (int second = 0; second < 256; ++second) {
      const std::string bytes = {static_cast<char>(first), static_cast<char>(second)};
      const std::string valid = MakeValidUtf8(bytes);
      ASSERT_TRUE(IsValidUtf8(valid));
      ASSERT_EQ(valid == bytes, IsValidUtf8(bytes));
    }
  }
}

}  // namespace
}  // namespace lockstep
