#include "common/sqlite/sql_tokenizer.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <random>
#include <vector>

#include "common/sqlite/connection.h"
#include "tests/support/seed.h"

namespace lockstep::sqlite {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

std::vector<std::string> Tokens(std::string_view sql) {
  std::vector<std::string> texts;
  SqlTokenizer tokenizer(sql);
  for (SqlToken token = tokenizer.Next(); token.kind != SqlToken::Kind::kEnd;
       token = tokenizer.Next()) {
    texts.emplace_back(token.text);
  }
  return texts;
}

TEST(SqlTokenizerTest, CutsWordsAndPunctuation) {
  EXPECT_THAT(Tokens("SELECT a.b,c$d FROM t\xC3\xA9 WHERE x>=1.5e-3 AND y=0xFFz"),
              ElementsAre("SELECT", "a", ".", "b", ",", "c$d", "FROM", "t\xC3\xA9", "WHERE", "x",
                          ">", "=", "1.5e-3", "AND", "y", "=", "0xFFz"));
}

TEST(SqlTokenizerTest, CommentsAndBlanksAreNoTokens) {
  EXPECT_THAT(Tokens("a--b\nc/*d*/e/**/f/*/g*/h \t\r\n\f\v i/*j"),
              ElementsAre("a", "c", "e", "f", "h", "i"));
  EXPECT_THAT(Tokens("--"), IsEmpty());
  EXPECT_THAT(Tokens("a -- b"), ElementsAre("a"));
  EXPECT_THAT(Tokens("a - b -> c"), ElementsAre("a", "-", "b", "-", ">", "c"));
  EXPECT_THAT(Tokens("\xEF\xBB\xBF"
                     "a"),
              ElementsAre("a"));
}

TEST(SqlTokenizerTest, QuotesHideWhatIsInThem) {
  EXPECT_THAT(
      Tokens("'a''b' \"c\"\"d\" `e``f` [g'h] x'00' X'1' 'i -- j' k"),
      ElementsAre("'a''b'", "\"c\"\"d\"", "`e``f`", "[g'h]", "'00'", "'1'", "'i -- j'", "k"));
  EXPECT_THAT(Tokens("'open"), ElementsAre("'open"));
}

TEST(SqlTokenizerTest, VariablesOfTclHideQuotesToo) {
  EXPECT_THAT(Tokens("?1 ? :a @b $c::d(e'f) $g(h i) ?2x"),
              ElementsAre("?1", "?", ":a", "@b", "$c::d(e'f)", "$g(h", "i", ")", "?2", "x"));
}

TEST(SqlTokenizerTest, NamesLoseTheirQuotes) {
  const auto name = [](std::string_view sql) { return SqlTokenizer(sql).Next().Name(); };
  EXPECT_EQ(name("abc"), "abc");
  EXPECT_EQ(name("\"a\"\"b\""), "a\"b");
  EXPECT_EQ(name("[a]"), "a");
  EXPECT_EQ(name("'it''s'"), "it's");
  EXPECT_EQ(name("12"), "");
  EXPECT_EQ(QuotedName("a\"b"), "\"a\"\"b\"");
}

TEST(SqlTokenizerTest, KeywordsInAnyCase) {
  EXPECT_TRUE(SqlTokenizer("vAcUuM").Next().Is("VACUUM"));
  EXPECT_FALSE(SqlTokenizer("\"VACUUM\"").Next().Is("VACUUM"));
  EXPECT_FALSE(SqlTokenizer("VACUUMS").Next().Is("VACUUM"));
}

TEST(SqlTokenizerTest, BlankSql) {
  EXPECT_TRUE(IsBlankSql(""));
  EXPECT_TRUE(IsBlankSql(" ;; -- x"));
  EXPECT_FALSE(IsBlankSql("; x"));
}

// SQLite is the judge of what a token is: where it takes MARK for the name of a column, so must the
// tokenizer, and where it takes it for a part of a string or comment, so must the tokenizer.
TEST(SqlTokenizerTest, AgreesWithSqliteAboutRandomText) {
  std::mt19937_64 random(SeedOfTest());
  const std::vector<std::string> pieces = {
      "'", "\"", "`",  "--", "/*",  "*/", "\n", " ",   "\v", "\t",       "$a(",
      ")", "(",  ":a", "::", "?1,", "x'", "1,", ".5,", "e",  "\xC3\xA9", "\xEF\xBB\xBF",
      "-", "/",  "*",  "@b"};
  const auto text = [&] {
    std::string joined;
    for (size_t i = random() % 5; i > 0; --i) joined += pieces[random() % pieces.size()];
    return joined;
  };
  const auto connection = Connection::Open(":memory:", {}).value();
  int visible = 0;
  int hidden = 0;
  for (int round = 0; round < 100'000; ++round) {
    const std::string sql = "SELECT " + text() + " 7 AS MARK " + text();
    Statement statement;
    if (connection->Prepare(sql, &statement) != kOk) continue;
    bool is_column = false;
    for (int i = 0; i < statement.column_count(); ++i) {
      is_column |= statement.column_name(i) == "MARK";
    }
    bool is_token = false;
    for (const std::string& token : Tokens(sql)) is_token |= token == "MARK";
    ASSERT_EQ(is_token, is_column) << sql;
    ++(is_column ? visible : hidden);
  }
  EXPECT_GT(visible, 100);
  EXPECT_GT(hidden, 100);
}

}  // namespace
}  // namespace lockstep::sqlite
