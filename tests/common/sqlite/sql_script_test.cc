#include "common/sqlite/sql_script.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "common/sqlite/connection.h"

namespace lockstep::sqlite {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;
using testing::SizeIs;

TEST(SqlScriptTest, StatementsEndAtTheirSemicolons) {
  EXPECT_THAT(SplitScript("SELECT 1; SELECT 2;"), ElementsAre("SELECT 1;", "SELECT 2;"));
  EXPECT_THAT(SplitScript("SELECT 1;\nSELECT 2"), ElementsAre("SELECT 1;", "SELECT 2"));
}

TEST(SqlScriptTest, NothingIsMadeOfBlanksAndComments) {
  EXPECT_THAT(SplitScript(""), IsEmpty());
  EXPECT_THAT(SplitScript(" ;; -- nothing;\n /* ; */ ;"), IsEmpty());
  EXPECT_THAT(SplitScript("-- first\nSELECT 1; -- second\n\n/* x */ SELECT 2; -- end"),
              ElementsAre("SELECT 1;", "SELECT 2;"));
}

TEST(SqlScriptTest, ASemicolonInAStringANameOrACommentEndsNothing) {
  EXPECT_THAT(SplitScript("SELECT ';', \"a;b\", [c;d] -- ;\n /* ; */ FROM t; SELECT 2;"),
              ElementsAre("SELECT ';', \"a;b\", [c;d] -- ;\n /* ; */ FROM t;", "SELECT 2;"));
}

TEST(SqlScriptTest, ATriggerIsOneStatement) {
  const char* trigger =
      "CREATE TRIGGER g AFTER INSERT ON t BEGIN\n"
      "  UPDATE t SET a = CASE WHEN a > 1 THEN 2 ELSE 3 END;\n"
      "  DELETE FROM t WHERE a = ';';\n"
      "END;";
  EXPECT_THAT(SplitScript(std::string("CREATE TABLE t(a);") + trigger + "INSERT INTO t VALUES(1);"),
              ElementsAre("CREATE TABLE t(a);", trigger, "INSERT INTO t VALUES(1);"));
}

TEST(SqlScriptTest, WhatIsCutRunsInSqlite) {
  const auto statements = SplitScript(
      "-- a schema\nCREATE TABLE t(a INTEGER, b TEXT DEFAULT ';');\n"
      "CREATE VIEW v AS SELECT a FROM t;\n"
      "CREATE TEMP TRIGGER g AFTER INSERT ON t BEGIN UPDATE t SET b = 'x;y'; END;\n"
      "INSERT INTO t(a) VALUES (1);");
  EXPECT_THAT(statements, SizeIs(4));
  auto connection = Connection::Open(":memory:", {});
  ASSERT_TRUE(connection.ok());
  for (const std::string& sql : statements) {
    auto statement = (*connection)->Prepare(sql);
    ASSERT_TRUE(statement.ok()) << sql;
    EXPECT_TRUE(statement->Run().ok()) << sql;
  }
}

}  // namespace
}  // namespace lockstep::sqlite
