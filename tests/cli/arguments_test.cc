#include "cli/arguments.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace lockstep::cli {
namespace {

using ::testing::HasSubstr;

absl::StatusOr<v1::ExecuteRequest> Execute(const std::vector<std::string>& arguments) {
  auto split = TakeOutParameters(arguments);
  if (!split.ok()) return split.status();
  return MakeExecuteRequest(split->words, split->parameters);
}

absl::StatusOr<v1::QueryRequest> Query(const std::vector<std::string>& arguments) {
  auto split = TakeOutParameters(arguments);
  if (!split.ok()) return split.status();
  return MakeQueryRequest(split->words, split->parameters);
}

TEST(ArgumentsTest, StatementsBelongToTheDatabaseNamedLast) {
  const auto request = Execute({"bank", "UPDATE a", "UPDATE b", "stock", "UPDATE c"});
  ASSERT_TRUE(request.ok()) << request.status();
  ASSERT_EQ(request->operations_size(), 2);
  EXPECT_EQ(request->operations(0).database(), "bank");
  ASSERT_EQ(request->operations(0).statements_size(), 2);
  EXPECT_EQ(request->operations(0).statements(1).sql(), "UPDATE b");
  EXPECT_EQ(request->operations(1).database(), "stock");
  EXPECT_EQ(request->operations(1).statements(0).sql(), "UPDATE c");
}

TEST(ArgumentsTest, TheSameDatabaseMayComeAgain) {
  const auto request = Execute({"bank", "UPDATE a", "stock", "UPDATE b", "bank", "UPDATE c"});
  ASSERT_TRUE(request.ok()) << request.status();
  ASSERT_EQ(request->operations_size(), 3);
  EXPECT_EQ(request->operations(2).database(), "bank");
}

TEST(ArgumentsTest, AParameterBelongsToTheStatementBeforeIt) {
  const auto request = Execute({"bank", "UPDATE a", "--param", "10", "--param=x y", "UPDATE b",
                                "stock", "UPDATE c", "--param", ":id=-7"});
  ASSERT_TRUE(request.ok()) << request.status();
  const auto& first = request->operations(0).statements(0);
  ASSERT_EQ(first.params_size(), 2);
  EXPECT_EQ(first.params(0).int_value(), 10);
  EXPECT_EQ(first.params(1).text_value(), "x y");
  EXPECT_EQ(request->operations(0).statements(1).params_size(), 0);
  EXPECT_EQ(request->operations(1).statements(0).named_params().at("id").int_value(), -7);
}

TEST(ArgumentsTest, AValueMayLookLikeAnOption) {
  const auto request = Execute({"bank", "SELECT ?", "--param", "--help", "--param", "--param"});
  ASSERT_TRUE(request.ok()) << request.status();
  EXPECT_EQ(request->operations(0).statements(0).params(0).text_value(), "--help");
  EXPECT_EQ(request->operations(0).statements(0).params(1).text_value(), "--param");
}

TEST(ArgumentsTest, WhatIsNoTransactionIsRefused) {
  EXPECT_FALSE(Execute({}).ok());
  EXPECT_FALSE(Execute({"bank"}).ok());
  EXPECT_FALSE(Execute({"UPDATE a"}).ok());
  EXPECT_FALSE(Execute({"bank", "stock", "UPDATE a"}).ok());
  EXPECT_FALSE(Execute({"bank", "UPDATE a", "stock"}).ok());
  EXPECT_FALSE(Execute({"bank", "--param", "1", "UPDATE a"}).ok());
  EXPECT_FALSE(Execute({"bank", "UPDATE a", "stock", "--param", "1", "UPDATE b"}).ok());
  EXPECT_FALSE(Execute({"bank", "UPDATE a", "--param"}).ok());
  EXPECT_FALSE(Execute({"bank", "UPDATE caf\xe9"}).ok());
}

TEST(ArgumentsTest, PositionalAndNamedParametersDoNotMix) {
  EXPECT_FALSE(Execute({"bank", "UPDATE a", "--param", "1", "--param", ":b=2"}).ok());
  EXPECT_FALSE(Execute({"bank", "UPDATE a", "--param", ":b=1", "--param", ":b=2"}).ok());
}

TEST(ArgumentsTest, ARefusedParameterIsNamedByItsPlace) {
  const auto request = Execute({"bank", "UPDATE a", "--param", "1", "--param", "int:x"});
  EXPECT_THAT(std::string(request.status().message()), HasSubstr("number 2"));
}

TEST(ArgumentsTest, AScriptIsOneOperationWhoseStatementsKnowTheirLines) {
  const auto script = MakeScriptRequest("bank", "a.sql", "-- x\nCREATE TABLE t(a);\n\nSELECT 1");
  ASSERT_TRUE(script.ok()) << script.status();
  ASSERT_EQ(script->request.operations_size(), 1);
  EXPECT_EQ(script->request.operations(0).database(), "bank");
  EXPECT_EQ(script->request.operations(0).statements(1).sql(), "SELECT 1");
  EXPECT_EQ(script->source.file, "a.sql");
  EXPECT_THAT(script->source.lines, ::testing::ElementsAre(2, 4));
}

TEST(ArgumentsTest, AScriptThatCannotBeSentIsNamedWithItsLine) {
  const auto message = [](const std::string& script) {
    return std::string(MakeScriptRequest("bank", "a.sql", script).status().message());
  };
  EXPECT_EQ(message(""), "a.sql: there is no statement in this script");
  EXPECT_EQ(message("\xEF\xBB\xBF-- nothing\r\n;"), "a.sql: there is no statement in this script");
  EXPECT_EQ(message("SELECT 1;\nSELECT 'caf\xe9'"),
            "a.sql:2: this statement is not UTF-8; convert the script");
}

TEST(ArgumentsTest, AQueryIsOneStatementOnOneDatabase) {
  const auto request = Query({"bank", "SELECT ?", "--param", "1.5"});
  ASSERT_TRUE(request.ok()) << request.status();
  EXPECT_EQ(request->database(), "bank");
  EXPECT_EQ(request->sql(), "SELECT ?");
  EXPECT_EQ(request->params(0).real_value(), 1.5);
  EXPECT_FALSE(Query({"bank"}).ok());
  EXPECT_FALSE(Query({"bank", "SELECT 1", "SELECT 2"}).ok());
  EXPECT_FALSE(Query({"bank", "--param", "1", "SELECT 1"}).ok());
}

TEST(ArgumentsTest, JsonIsTheFormThatGrpcurlTakes) {
  const auto request = ParseExecuteRequest(
      R"({"operations":[{"database":"bank","statements":[{"sql":"SELECT ?",
          "params":[{"intValue":"9223372036854775807"},{}]}]}],"timeout":"2s"})");
  ASSERT_TRUE(request.ok()) << request.status();
  const auto& statement = request->operations(0).statements(0);
  EXPECT_EQ(statement.params(0).int_value(), 9223372036854775807);
  EXPECT_EQ(statement.params(1).kind_case(), v1::Value::KIND_NOT_SET);
  EXPECT_EQ(request->timeout().seconds(), 2);
  EXPECT_FALSE(ParseExecuteRequest("{").ok());
  EXPECT_FALSE(ParseExecuteRequest(R"({"operation":[]})").ok());
}

}  // namespace
}  // namespace lockstep::cli
