#include "common/rpc/validate.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <string>

namespace lockstep::rpc {
namespace {

constexpr RequestLimits kLimits;

v1::ExecuteRequest ValidRequest() {
  v1::ExecuteRequest request;
  auto* operation = request.add_operations();
  operation->set_database("bank");
  auto* statement = operation->add_statements();
  statement->set_sql("INSERT INTO t VALUES (?)");
  statement->add_params()->set_int_value(1);
  return request;
}

void ExpectInvalid(const Violation& violation, const std::string& field) {
  ASSERT_TRUE(violation.has_value());
  EXPECT_EQ(violation->reason, Reason::kRequestInvalid) << violation->message;
  EXPECT_EQ(violation->field, field);
  EXPECT_NE(violation->message.find(field), std::string::npos) << violation->message;
  EXPECT_EQ(violation->outcome, FailureOutcome::kNotStarted);
}

void ExpectOverLimit(const Violation& violation, const std::string& limit) {
  ASSERT_TRUE(violation.has_value());
  EXPECT_EQ(violation->reason, Reason::kLimitExceeded) << violation->message;
  EXPECT_NE(violation->message.find(limit), std::string::npos) << violation->message;
  EXPECT_EQ(violation->outcome, FailureOutcome::kNotStarted);
}

TEST(ValidateTest, AnOrdinaryRequestIsFine) {
  EXPECT_FALSE(ValidateRequest(ValidRequest(), kLimits).has_value());
}

TEST(ValidateTest, WhatIsMissingIsNamedByItsPath) {
  ExpectInvalid(ValidateRequest(v1::ExecuteRequest(), kLimits), "operations");
  auto request = ValidRequest();
  request.add_operations();
  ExpectInvalid(ValidateRequest(request, kLimits), "operations[1].database");
  request.mutable_operations(1)->set_database("shop");
  ExpectInvalid(ValidateRequest(request, kLimits), "operations[1].statements");
  request.mutable_operations(1)->add_statements();
  ExpectInvalid(ValidateRequest(request, kLimits), "operations[1].statements[0].sql");
}

TEST(ValidateTest, TheErrorSaysWhichOperationAndStatement) {
  auto request = ValidRequest();
  request.mutable_operations(0)->add_statements();
  const Violation violation = ValidateRequest(request, kLimits);
  ASSERT_TRUE(violation.has_value());
  EXPECT_EQ(violation->operation, 0);
  EXPECT_EQ(violation->statement, 1);
}

TEST(ValidateTest, ParametersComeOneWay) {
  auto request = ValidRequest();
  (*request.mutable_operations(0)->mutable_statements(0)->mutable_named_params())["a"];
  ExpectInvalid(ValidateRequest(request, kLimits), "operations[0].statements[0].named_params");
}

TEST(ValidateTest, NanIsRefusedInfinityIsNot) {
  auto request = ValidRequest();
  auto* statement = request.mutable_operations(0)->mutable_statements(0);
  statement->mutable_params(0)->set_real_value(std::numeric_limits<double>::infinity());
  EXPECT_FALSE(ValidateRequest(request, kLimits).has_value());
  statement->mutable_params(0)->set_real_value(std::nan(""));
  ExpectInvalid(ValidateRequest(request, kLimits), "operations[0].statements[0].params[0]");
  statement->clear_params();
  (*statement->mutable_named_params())["a"].set_real_value(std::nan(""));
  ExpectInvalid(ValidateRequest(request, kLimits),
                "operations[0].statements[0].named_params[\"a\"]");
}

TEST(ValidateTest, AGuardSaysOneThingAndOneThatCanBeMet) {
  auto request = ValidRequest();
  v1::RowExpectation* expect =
      request.mutable_operations(0)->mutable_statements(0)->mutable_expect();
  ExpectInvalid(ValidateRequest(request, kLimits), "operations[0].statements[0].expect");
  expect->set_rows(0);
  EXPECT_FALSE(ValidateRequest(request, kLimits).has_value());
  expect->set_max_rows(1);
  ExpectInvalid(ValidateRequest(request, kLimits), "operations[0].statements[0].expect.rows");
  expect->clear_rows();
  EXPECT_FALSE(ValidateRequest(request, kLimits).has_value());
  expect->set_min_rows(1);
  EXPECT_FALSE(ValidateRequest(request, kLimits).has_value());
  expect->set_min_rows(2);
  ExpectInvalid(ValidateRequest(request, kLimits), "operations[0].statements[0].expect.min_rows");
}

TEST(ValidateTest, ARequestIdIsShortAndPrintableAndWhatBelongsToItNeedsIt) {
  auto request = ValidRequest();
  request.set_attempt(0);
  ExpectInvalid(ValidateRequest(request, kLimits), "attempt");
  request.clear_attempt();
  request.mutable_expire_time()->set_seconds(1);
  ExpectInvalid(ValidateRequest(request, kLimits), "expire_time");
  for (const std::string& id : {std::string("a"), std::string(64, '~'), std::string("order 17")}) {
    request.set_request_id(id);
    EXPECT_FALSE(ValidateRequest(request, kLimits).has_value()) << id;
  }
  for (const std::string& id :
       {std::string(65, 'a'), std::string("a\n"), std::string(1, '\0'), std::string("\xc3\xa9")}) {
    request.set_request_id(id);
    ExpectInvalid(ValidateRequest(request, kLimits), "request_id");
  }
  request.set_request_id("a");
  request.mutable_expire_time()->set_nanos(1'000'000'000);
  ExpectInvalid(ValidateRequest(request, kLimits), "expire_time");
}

TEST(ValidateTest, AQuestionNamesATransactionInOneWay) {
  v1::GetTransactionRequest request;
  ExpectInvalid(ValidateRequest(request, kLimits), "transaction_id");
  request.set_attempt(1);
  ExpectInvalid(ValidateRequest(request, kLimits), "attempt");
  request.set_request_id("a");
  EXPECT_FALSE(ValidateRequest(request, kLimits).has_value());
  request.set_transaction_id("1-1");
  ExpectInvalid(ValidateRequest(request, kLimits), "request_id");
}

TEST(ValidateTest, ThousandStatementsAndNoMore) {
  auto request = ValidRequest();
  const v1::Operation operation = request.operations(0);
  for (int i = 1; i < 1000; ++i) *request.add_operations() = operation;
  EXPECT_FALSE(ValidateRequest(request, kLimits).has_value());
  *request.add_operations() = operation;
  ExpectOverLimit(ValidateRequest(request, kLimits),
                  "1001 statements, more than the limit of 1000");
  v1::ParticipantServiceExecuteRequest local;
  for (int i = 0; i <= 1000; ++i) *local.add_statements() = operation.statements(0);
  ExpectOverLimit(ValidateRequest(local, kLimits), "1000");
}

TEST(ValidateTest, SixtyFourDatabasesAndNoMore) {
  auto request = ValidRequest();
  request.clear_operations();
  for (int i = 0; i < 64; ++i) {
    *request.add_operations() = ValidRequest().operations(0);
    request.mutable_operations(i)->set_database("db" + std::to_string(i));
  }
  *request.add_operations() = request.operations(0);  // a database named twice counts once
  EXPECT_FALSE(ValidateRequest(request, kLimits).has_value());
  request.mutable_operations(64)->set_database("one more");
  ExpectOverLimit(ValidateRequest(request, kLimits), "65 databases, more than the limit of 64");
}

TEST(ValidateTest, TextValueAndRequestHaveTheirLimits) {
  auto request = ValidRequest();
  auto* statement = request.mutable_operations(0)->mutable_statements(0);
  statement->set_sql(std::string(100'000, ' '));
  EXPECT_FALSE(ValidateRequest(request, kLimits).has_value());
  statement->set_sql(std::string(100'001, ' '));
  ExpectOverLimit(ValidateRequest(request, kLimits), "100001 bytes, more than the limit of 100000");
  statement->set_sql("x");
  statement->mutable_params(0)->set_blob_value(std::string(8 << 20, 'x'));
  EXPECT_FALSE(ValidateRequest(request, kLimits).has_value());
  statement->mutable_params(0)->set_text_value(std::string((8 << 20) + 1, 'x'));
  ExpectOverLimit(ValidateRequest(request, kLimits), "8388608");
  statement->mutable_params(0)->set_blob_value(std::string(8 << 20, 'x'));
  statement->add_params()->set_blob_value(std::string(8 << 20, 'x'));
  ExpectOverLimit(ValidateRequest(request, kLimits), "16777216");
}

TEST(ValidateTest, MessagesNeverCarryAParametersValue) {
  RequestLimits limits;
  limits.value_bytes = 3;
  auto request = ValidRequest();
  request.mutable_operations(0)->mutable_statements(0)->mutable_params(0)->set_text_value("secret");
  const Violation violation = ValidateRequest(request, limits);
  ASSERT_TRUE(violation.has_value());
  EXPECT_EQ(violation->message.find("secret"), std::string::npos);
}

TEST(ValidateTest, TheOtherRequestsNeedTheirFieldsToo) {
  v1::QueryRequest query;
  ExpectInvalid(ValidateRequest(query, kLimits), "database");
  query.set_database("bank");
  ExpectInvalid(ValidateRequest(query, kLimits), "sql");
  query.set_sql("SELECT 1");
  EXPECT_FALSE(ValidateRequest(query, kLimits).has_value());
  query.set_min_version(-1);
  ExpectInvalid(ValidateRequest(query, kLimits), "min_version");

  v1::GetTransactionRequest get;
  ExpectInvalid(ValidateRequest(get, kLimits), "transaction_id");

  v1::GetTableVersionRequest version;
  version.set_database("bank");
  ExpectInvalid(ValidateRequest(version, kLimits), "table");
  ExpectInvalid(ValidateRequest(v1::GetVersionRequest(), kLimits), "table");

  v1::ReadRequest read;
  ExpectInvalid(ValidateRequest(read, kLimits), "sql");
  read.set_version_of_table("t");
  EXPECT_FALSE(ValidateRequest(read, kLimits).has_value());
  read.set_sql("SELECT 1");
  ExpectInvalid(ValidateRequest(read, kLimits), "version_of_table");
}

google::protobuf::Duration Seconds(int64_t seconds, int32_t nanos = 0) {
  google::protobuf::Duration duration;
  duration.set_seconds(seconds);
  duration.set_nanos(nanos);
  return duration;
}

absl::Duration Timeout(bool has, const google::protobuf::Duration& timeout, absl::Duration peer) {
  auto result = EffectiveTimeout(has, timeout, peer, kLimits);
  return result.ok() ? *result : absl::ZeroDuration();
}

TEST(ValidateTest, TheTimeIsTheLeastOfRequestDeadlineAndLimit) {
  const absl::Duration none = absl::InfiniteDuration();
  EXPECT_EQ(Timeout(false, {}, none), absl::Seconds(10));
  EXPECT_EQ(Timeout(false, {}, absl::Seconds(30)), absl::Seconds(10));
  EXPECT_EQ(Timeout(false, {}, absl::Seconds(3)), absl::Seconds(3));
  EXPECT_EQ(Timeout(true, Seconds(60), none), absl::Seconds(60));
  EXPECT_EQ(Timeout(true, Seconds(60), absl::Seconds(3)), absl::Seconds(3));
  EXPECT_EQ(Timeout(true, Seconds(0, 1), none), absl::Nanoseconds(1));
}

TEST(ValidateTest, ATimeoutOfZeroIsInvalidAndAnHourTooLong) {
  const absl::Duration none = absl::InfiniteDuration();
  for (const auto& timeout : {Seconds(0), Seconds(-1), Seconds(0, -1)}) {
    auto result = EffectiveTimeout(true, timeout, none, kLimits);
    ASSERT_FALSE(result.ok());
    ExpectInvalid(result.error(), "timeout");
  }
  auto result = EffectiveTimeout(true, Seconds(60, 1), none, kLimits);
  ASSERT_FALSE(result.ok());
  ExpectOverLimit(result.error(), "1m");
}

TEST(ValidateTest, ADeadlineThatHasPassedIsATimeout) {
  auto result = EffectiveTimeout(false, {}, absl::Seconds(-1), kLimits);
  ASSERT_FALSE(result.ok());
  EXPECT_EQ(result.error().reason, Reason::kTimeout);
  EXPECT_EQ(result.error().outcome, FailureOutcome::kNotStarted);
}

}  // namespace
}  // namespace lockstep::rpc
