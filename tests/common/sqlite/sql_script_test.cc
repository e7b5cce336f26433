#include "common/sqlite/sql_script.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sqlite3.h>

#include <random>

#include "common/sqlite/connection.h"
#include "common/sqlite/sql_tokenizer.h"
#include "tests/support/seed.h"

namespace lockstep::sqlite {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;
using testing::SizeIs;

constexpr char kByteOrderMark[] = "\xEF\xBB\xBF";

std::vector<std::string> Statements(std::string_view script) {
  std::vector<std::string> texts;
  for (ScriptStatement& statement : SplitScript(script)) texts.push_back(std::move(statement.sql));
  return texts;
}

std::vector<int> Lines(std::string_view script) {
  std::vector<int> lines;
  for (const ScriptStatement& statement : SplitScript(script)) lines.push_back(statement.line);
  return lines;
}

TEST(SqlScriptTest, StatementsEndAtTheirSemicolons) {
  EXPECT_THAT(Statements("SELECT 1; SELECT 2;"), ElementsAre("SELECT 1;", "SELECT 2;"));
  EXPECT_THAT(Statements("SELECT 1;;;SELECT 2;"), ElementsAre("SELECT 1;", "SELECT 2;"));
}

TEST(SqlScriptTest, TheLastSemicolonMayBeMissing) {
  EXPECT_THAT(Statements("SELECT 1;\nSELECT 2"), ElementsAre("SELECT 1;", "SELECT 2"));
  EXPECT_THAT(Statements("CREATE TRIGGER g AFTER INSERT ON t BEGIN SELECT 1; END"),
              ElementsAre("CREATE TRIGGER g AFTER INSERT ON t BEGIN SELECT 1; END"));
}

TEST(SqlScriptTest, ATriggerThatIsExplainedIsOneStatementToo) {
  constexpr char kTrigger[] = "CREATE TRIGGER g AFTER INSERT ON t BEGIN SELECT 1; END;";
  for (const std::string explain : {"EXPLAIN ", "explain query plan "}) {
    EXPECT_THAT(Statements(explain + kTrigger + " SELECT 2;"),
                ElementsAre(explain + kTrigger, "SELECT 2;"));
  }
}

TEST(SqlScriptTest, NothingIsMadeOfBlanksAndComments) {
  for (const char* script : {"", "\n", kByteOrderMark, ";", " ;; -- nothing;\n /* ; */ ;", "--",
                             "\r\n;\r\n", "/* not closed; "}) {
    EXPECT_THAT(Statements(script), IsEmpty()) << script;
  }
  EXPECT_THAT(Statements("-- first\nSELECT 1; -- second\n\n/* x */ SELECT 2; -- end"),
              ElementsAre("SELECT 1;", "SELECT 2;"));
}

TEST(SqlScriptTest, ASemicolonInAStringANameOrACommentEndsNothing) {
  EXPECT_THAT(Statements("SELECT ';', 'it''s;', \"a;b\", [c;d], `e;f` -- ;\n /* ; */ FROM t; "
                         "SELECT 2;"),
              ElementsAre("SELECT ';', 'it''s;', \"a;b\", [c;d], `e;f` -- ;\n /* ; */ FROM t;",
                          "SELECT 2;"));
  // What is never closed takes the rest; SQLite says what is wrong with it.
  EXPECT_THAT(Statements("SELECT 1; SELECT 'open; SELECT 2;"),
              ElementsAre("SELECT 1;", "SELECT 'open; SELECT 2;"));
}

TEST(SqlScriptTest, ATriggerIsOneStatement) {
  for (const std::string trigger :
       {"CREATE TRIGGER g AFTER INSERT ON t BEGIN\n"
        "  UPDATE t SET a = CASE WHEN a > 1 THEN 2 ELSE 3 END;\n"
        "  DELETE FROM t WHERE a = ';';\n"
        "END;",
        "create temp trigger if not exists g after insert on t begin select 1; end;",
        "CREATE /* ; */ TEMPORARY -- ;\n TRIGGER g AFTER INSERT ON t BEGIN SELECT 1; /* END; */ "
        "SELECT 2; END /* of it */ ;",
        // The END of a CASE at each place that it may have, and names that look like words.
        "CREATE TRIGGER g AFTER INSERT ON t BEGIN SELECT CASE 1 WHEN 1 THEN CASE 2 WHEN 2 THEN 3 "
        "END END; SELECT \"END\"; SELECT 'END;'; INSERT INTO t VALUES(CASE WHEN 1 THEN 2 END); "
        "END;",
        "CREATE TRIGGER \"BEGIN\" AFTER INSERT ON t WHEN CASE WHEN new.a THEN 1 END BEGIN "
        "SELECT 1; END;"}) {
    EXPECT_THAT(Statements("CREATE TABLE t(a);" + trigger + "INSERT INTO t VALUES(1);"),
                ElementsAre("CREATE TABLE t(a);", trigger, "INSERT INTO t VALUES(1);"));
  }
}

TEST(SqlScriptTest, OnlyATriggerHasABody) {
  EXPECT_THAT(Statements("CREATE TABLE \"trigger\"(a); CREATE TABLE trigger_log(a); CREATE INDEX "
                         "i ON t(a); SELECT CASE 1 WHEN 1 THEN 2 END; END; SELECT 1;"),
              SizeIs(6));
}

TEST(SqlScriptTest, AByteOrderMarkBelongsToNoStatement) {
  const std::string trigger = "CREATE TRIGGER g AFTER INSERT ON t BEGIN SELECT 1; SELECT 2; END;";
  EXPECT_THAT(Statements(kByteOrderMark + trigger), ElementsAre(trigger));
  EXPECT_THAT(Statements(kByteOrderMark + ("SELECT 1;\r\n" + trigger)),
              ElementsAre("SELECT 1;", trigger));
}

TEST(SqlScriptTest, EachStatementTellsTheLineOnWhichItBegins) {
  EXPECT_THAT(Lines("SELECT 1; SELECT 2;\nSELECT\n3;\n\n-- x\n/* y\n */ SELECT 4"),
              ElementsAre(1, 1, 2, 7));
  EXPECT_THAT(Lines("\r\n\r\nSELECT ';\r\n';\r\nSELECT 2;\r\n"), ElementsAre(3, 5));
  EXPECT_THAT(Lines(std::string(kByteOrderMark) + "\nCREATE TRIGGER g AFTER INSERT ON t BEGIN\n"
                                                  "SELECT 1;\nEND;\nSELECT 1"),
              ElementsAre(2, 5));
}

TEST(SqlScriptTest, WhatIsCutRunsInSqlite) {
  const auto statements = Statements(
      "-- a schema\r\nCREATE TABLE t(a INTEGER, b TEXT DEFAULT ';');\r\n"
      "CREATE VIEW v AS SELECT a FROM t;\n"
      "CREATE TEMP TRIGGER g AFTER INSERT ON t BEGIN UPDATE t SET b = 'x;y'; END;\n"
      "INSERT INTO t(a) VALUES (1)");
  EXPECT_THAT(statements, SizeIs(4));
  auto connection = Connection::Open(":memory:", {});
  ASSERT_TRUE(connection.ok());
  for (const std::string& sql : statements) {
    auto statement = (*connection)->Prepare(sql);
    ASSERT_TRUE(statement.ok()) << sql;
    EXPECT_TRUE(statement->Run().ok()) << sql;
  }
}

// SQLite is the judge of where a statement ends.
TEST(SqlScriptTest, AgreesWithSqliteAboutTheEndsOfRandomText) {
  std::mt19937_64 random(SeedOfTest());
  const std::vector<std::string> pieces = {
      "CREATE",  "TEMP",  "TRIGGER", "BEGIN", "END",      "CASE",
      ";",       ";",     ";",       "';'",   "\"END;\"", "[;]",
      "/* ; */", "--;\n", "trigger", "end",   "x",        "CREATE TRIGGER g BEGIN x;",
      "; END",   "; END;"};
  int triggers = 0;
  for (int round = 0; round < 20'000; ++round) {
    std::string script;
    for (size_t i = random() % 12; i > 0; --i) {
      script += pieces[random() % pieces.size()] + (random() % 2 == 0 ? " " : "\n");
    }
    for (const std::string& sql : Statements(script)) {
      SqlTokenizer tokens(sql);
      for (SqlToken token = tokens.Next(); token.kind != SqlToken::Kind::kEnd;
           token = tokens.Next()) {
        if (token.text != ";") continue;
        const auto end = static_cast<size_t>(token.text.data() - sql.data()) + 1;
        ASSERT_EQ(sqlite3_complete(sql.substr(0, end).c_str()) != 0, end == sql.size())
            << script << "\n----\n"
            << sql;
        triggers += end < sql.size() ? 1 : 0;
      }
    }
  }
  EXPECT_GT(triggers, 100);
}

}  // namespace
}  // namespace lockstep::sqlite
