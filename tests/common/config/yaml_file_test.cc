#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "common/config/sources.h"
#include "tests/common/config/parse.h"

namespace lockstep::config {
namespace {

using ::testing::HasSubstr;
using ::testing::StartsWith;

absl::StatusOr<std::vector<NamedValue>> Read(const std::string& text, std::string* path) {
  const SettingsFile file(text);
  *path = file.path();
  return ReadYamlFile(file.path(), Origin::Flag("--config"));
}

std::vector<NamedValue> Values(const std::string& text) {
  std::string path;
  const absl::StatusOr<std::vector<NamedValue>> values = Read(text, &path);
  EXPECT_TRUE(values.ok()) << values.status();
  return values.ok() ? *values : std::vector<NamedValue>();
}

// What was said after the file's name.
std::string Refusal(const std::string& text) {
  std::string path;
  const absl::StatusOr<std::vector<NamedValue>> values = Read(text, &path);
  EXPECT_FALSE(values.ok());
  const std::string message(values.status().message());
  EXPECT_THAT(message, StartsWith(path));
  return message.substr(path.size());
}

TEST(YamlFileTest, AnEmptyFileHasNoValues) {
  for (const char* text : {"", "\n\n", "# only a comment\n", "---\n", "{}"}) {
    EXPECT_TRUE(Values(text).empty()) << text;
  }
}

TEST(YamlFileTest, ScalarsAreKeptAsTheyStandWithTheirLine) {
  const std::vector<NamedValue> values = Values("a: 007\n\nb: 'x y'\nc: |\n  two\n  lines\n");
  ASSERT_EQ(values.size(), 3u);
  EXPECT_EQ(values[0].name, "a");
  EXPECT_EQ(values[0].value.text, "007");
  EXPECT_EQ(values[0].value.origin.line, 1);
  EXPECT_EQ(values[1].value.text, "x y");
  EXPECT_EQ(values[1].value.origin.line, 3);
  EXPECT_EQ(values[2].value.text, "two\nlines\n");
}

TEST(YamlFileTest, AQuotedEmptyValueIsAValue) { EXPECT_EQ(Values("a: ''").at(0).value.text, ""); }

TEST(YamlFileTest, ListsOfMapsKeepTheLineOfEachMap) {
  const std::vector<NamedValue> values = Values("list:\n  - {a: 1}\n\n  - a: 2\n    b: 3\n");
  ASSERT_EQ(values.size(), 1u);
  EXPECT_TRUE(values[0].value.is_list);
  ASSERT_EQ(values[0].value.entries.size(), 2u);
  EXPECT_EQ(values[0].value.entries[0].origin.line, 2);
  EXPECT_EQ(values[0].value.entries[1].origin.line, 4);
  EXPECT_EQ(values[0].value.entries[1].fields.at(1).second, "3");
}

TEST(YamlFileTest, WhatIsNotAMapOfSettingsIsRefusedWithItsLine) {
  EXPECT_EQ(Refusal("just text"), ":1: a settings file is a map: key: value");
  EXPECT_EQ(Refusal("- a\n- b\n"), ":1: a settings file is a map: key: value");
  EXPECT_EQ(Refusal("a:\n"), ":1: a: has no value");
  EXPECT_EQ(Refusal("b: 1\na: ~\n"), ":2: a: has no value");
  EXPECT_EQ(Refusal("a: 1\nb: 2\na: 3\n"), ":3: the key 'a' comes twice");
  EXPECT_EQ(Refusal("[x]: 1\n"), ":1: a key must be a word");
  EXPECT_EQ(Refusal("a: {b: c}\n"), ":1: a: needs one value, or a list of maps");
  EXPECT_EQ(Refusal("a:\n  - x\n"), ":2: a: needs a list of maps: - {key: value, key: value}");
  EXPECT_EQ(Refusal("a:\n  - {b: [1]}\n"), ":2: a: 'b' needs one value");
  EXPECT_EQ(Refusal("a:\n  - {b: 1, b: 2}\n"), ":2: a: the key 'b' comes twice");
  EXPECT_THAT(Refusal("a: 1\n---\nb: 2\n"), HasSubstr("a second document"));
  // yaml-cpp finds documents without end in it.
  EXPECT_NE(Refusal(", [data_dir}]\n--a b\x80"
                    "a: [data? x\n: |\n  tedata_: *diralust\n\n\n"),
            "");
}

TEST(YamlFileTest, BrokenYamlIsRefusedWithItsLine) {
  EXPECT_THAT(Refusal("a: 1\nb: [1, 2\nc: 3\n"), StartsWith(":"));
  EXPECT_EQ(Refusal("a: 1\n\tb: 2\n"), ":2: a tab in the indentation");
  EXPECT_EQ(Refusal("a:\n  \t- {b: c}\n"), ":2: a tab in the indentation");
  EXPECT_THAT(Refusal("a: 1\n  b: 2\n"), StartsWith(":2: "));
  EXPECT_THAT(Refusal("a: 1\nb\n"), StartsWith(":"));
  EXPECT_EQ(Refusal("b: 1\na: \"open\n"), ":2: a: the closing quote is missing");
  EXPECT_EQ(Refusal("a: 'it''s open\nb: 1\n"), ":1: a: the closing quote is missing");
  EXPECT_EQ(Refusal("a:\n  - {b: 1}\n  - b: \"open \\\"\n"), ":3: a: the closing quote is missing");
  EXPECT_EQ(Values("\xC3\xA9: 'caf\xC3\xA9'\na: 'it''s'\nb: \"a \\\" b\"\n").at(2).value.text,
            "a \" b");
  EXPECT_THAT(Refusal("a: *nobody\n"), HasSubstr(": "));
}

}  // namespace
}  // namespace lockstep::config
