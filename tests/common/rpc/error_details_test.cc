#include "common/rpc/error_details.h"

#include <grpcpp/grpcpp.h>
#include <gtest/gtest.h>

#include <map>
#include <random>
#include <set>
#include <string>

#include "common/utf8.h"
#include "google/rpc/error_details.pb.h"
#include "google/rpc/status.pb.h"
#include "lockstep/v1/error.pb.h"
#include "tests/support/seed.h"

namespace lockstep::rpc {
namespace {

// As lockstep/v1/error.proto documents it.
const std::map<std::string, grpc::StatusCode> kTable = {
    {"REQUEST_INVALID", grpc::INVALID_ARGUMENT},
    {"SQL_INVALID", grpc::INVALID_ARGUMENT},
    {"DATABASE_UNKNOWN", grpc::NOT_FOUND},
    {"TABLE_UNKNOWN", grpc::NOT_FOUND},
    {"STATEMENT_NOT_ALLOWED", grpc::PERMISSION_DENIED},
    {"CONSTRAINT_VIOLATION", grpc::FAILED_PRECONDITION},
    {"GUARD_FAILED", grpc::FAILED_PRECONDITION},
    {"REQUEST_ID_REUSED", grpc::INVALID_ARGUMENT},
    {"ATTEMPT_OUTDATED", grpc::ABORTED},
    {"NODE_IS_REPLICATED", grpc::FAILED_PRECONDITION},
    {"NOT_READY", grpc::UNAVAILABLE},
    {"REQUEST_EXPIRED", grpc::FAILED_PRECONDITION},
    {"RESULT_NOT_TEXT", grpc::FAILED_PRECONDITION},
    {"REPLICAS_DISAGREE", grpc::ABORTED},
    {"TIMEOUT", grpc::DEADLINE_EXCEEDED},
    {"STATEMENT_TOO_LONG_RUNNING", grpc::DEADLINE_EXCEEDED},
    {"PARTICIPANT_UNAVAILABLE", grpc::UNAVAILABLE},
    {"QUEUE_FULL", grpc::RESOURCE_EXHAUSTED},
    {"LIMIT_EXCEEDED", grpc::RESOURCE_EXHAUSTED},
    {"DISK_FULL", grpc::RESOURCE_EXHAUSTED},
    {"OUTCOME_UNKNOWN", grpc::UNAVAILABLE},
    {"TERM_OUTDATED", grpc::FAILED_PRECONDITION},
    {"ROUND_UNKNOWN", grpc::FAILED_PRECONDITION},
    {"SHUTTING_DOWN", grpc::UNAVAILABLE},
    {"INVARIANT_BROKEN", grpc::DATA_LOSS},
    {"TRANSACTION_UNKNOWN", grpc::NOT_FOUND},
};

Error ErrorOf(Reason reason) {
  Error error;
  error.reason = reason;
  return error;
}

Error FullError() {
  Error error;
  error.reason = Reason::kConstraintViolation;
  error.message = "UNIQUE constraint failed: account.id";
  error.outcome = FailureOutcome::kAborted;
  error.transaction_id = "1-2-3";
  error.database = "bank";
  error.node_id = "bank-1";
  error.operation = 0;
  error.statement = 3;
  error.sqlite_code = 19;
  error.sqlite_extended_code = 2067;
  error.expected_rows = "1..3";
  error.actual_rows = 0;
  return error;
}

void ExpectEqual(const Error& a, const Error& b) {
  EXPECT_EQ(a.reason, b.reason);
  EXPECT_EQ(a.message, b.message);
  EXPECT_EQ(a.outcome, b.outcome);
  EXPECT_EQ(a.transaction_id, b.transaction_id);
  EXPECT_EQ(a.database, b.database);
  EXPECT_EQ(a.node_id, b.node_id);
  EXPECT_EQ(a.operation, b.operation);
  EXPECT_EQ(a.statement, b.statement);
  EXPECT_EQ(a.sqlite_code, b.sqlite_code);
  EXPECT_EQ(a.sqlite_extended_code, b.sqlite_extended_code);
  EXPECT_EQ(a.expected_rows, b.expected_rows);
  EXPECT_EQ(a.actual_rows, b.actual_rows);
  EXPECT_EQ(a.field, b.field);
  EXPECT_EQ(a.retry_delay, b.retry_delay);
}

TEST(ErrorDetailsTest, EveryReasonOfTheApiHasItsNameAndCode) {
  const auto* reasons = v1::ErrorReason_descriptor();
  ASSERT_EQ(static_cast<size_t>(reasons->value_count()), kTable.size() + 1);
  for (const auto& [name, code] : kTable) {
    const std::optional<Reason> reason = ReasonFromName(name);
    ASSERT_TRUE(reason.has_value()) << name;
    EXPECT_EQ(ReasonName(*reason), name);
    EXPECT_EQ(CodeOf(*reason), code) << name;
    EXPECT_EQ(ToStatus(ErrorOf(*reason)).error_code(), code) << name;
  }
}

TEST(ErrorDetailsTest, TheZeroOfTheEnumAndUnknownNamesAreNoReason) {
  EXPECT_FALSE(ReasonFromName("UNSPECIFIED").has_value());
  EXPECT_FALSE(ReasonFromName("FROM_A_LATER_VERSION").has_value());
  EXPECT_FALSE(ReasonFromName("").has_value());
}

TEST(ErrorDetailsTest, AnErrorComesBackAsItWas) {
  ExpectEqual(*ErrorFromStatus(ToStatus(FullError())), FullError());
  Error invalid;
  invalid.reason = Reason::kRequestInvalid;
  invalid.message = "operations[0].statements[1].sql is empty";
  invalid.outcome = FailureOutcome::kNotStarted;
  invalid.field = "operations[0].statements[1].sql";
  ExpectEqual(*ErrorFromStatus(ToStatus(invalid)), invalid);
  Error full;
  full.reason = Reason::kQueueFull;
  full.outcome = FailureOutcome::kUnknown;
  full.retry_delay = absl::Milliseconds(1500);
  ExpectEqual(*ErrorFromStatus(ToStatus(full)), full);
}

TEST(ErrorDetailsTest, TheDetailsAreThePublicMessages) {
  Error error = FullError();
  error.field = "a.b";
  error.retry_delay = absl::Seconds(2);
  google::rpc::Status status;
  ASSERT_TRUE(status.ParseFromString(ToStatus(error).error_details()));
  EXPECT_EQ(status.code(), grpc::FAILED_PRECONDITION);
  EXPECT_EQ(status.message(), error.message);
  ASSERT_EQ(status.details_size(), 3);
  google::rpc::ErrorInfo info;
  ASSERT_TRUE(status.details(0).UnpackTo(&info));
  EXPECT_EQ(info.reason(), "CONSTRAINT_VIOLATION");
  EXPECT_EQ(info.domain(), "lockstep");
  EXPECT_EQ(info.metadata().at("outcome"), "ABORTED");
  EXPECT_EQ(info.metadata().at("operation"), "0");
  EXPECT_EQ(info.metadata().at("statement"), "3");
  EXPECT_EQ(info.metadata().at("sqlite_code"), "19");
  EXPECT_EQ(info.metadata().at("sqlite_extended_code"), "2067");
  EXPECT_EQ(info.metadata().at("expected_rows"), "1..3");
  EXPECT_EQ(info.metadata().at("actual_rows"), "0");
  google::rpc::BadRequest bad_request;
  ASSERT_TRUE(status.details(1).UnpackTo(&bad_request));
  EXPECT_EQ(bad_request.field_violations(0).field(), "a.b");
  google::rpc::RetryInfo retry;
  ASSERT_TRUE(status.details(2).UnpackTo(&retry));
  EXPECT_EQ(retry.retry_delay().seconds(), 2);
}

TEST(ErrorDetailsTest, WhatDoesNotApplyIsLeftOut) {
  google::rpc::Status status;
  ToProto(ErrorOf(Reason::kSqlInvalid), &status);
  ASSERT_EQ(status.details_size(), 1);
  google::rpc::ErrorInfo info;
  ASSERT_TRUE(status.details(0).UnpackTo(&info));
  EXPECT_TRUE(info.metadata().empty());
}

TEST(ErrorDetailsTest, WhatIsWorthARetrySaysWhenAndNothingElseDoes) {
  const std::set<Reason> worth_it = {Reason::kNotReady,  Reason::kTimeout,
                                     Reason::kQueueFull, Reason::kParticipantUnavailable,
                                     Reason::kDiskFull,  Reason::kShuttingDown};
  for (const auto& [name, code] : kTable) {
    const Reason reason = *ReasonFromName(name);
    const std::optional<Error> error = ErrorFromStatus(ToStatus(ErrorOf(reason)));
    EXPECT_EQ(error->retry_delay.has_value(), worth_it.count(reason) == 1) << name;
  }
}

// Above 8 KiB of metadata the caller would see RESOURCE_EXHAUSTED in place of the error.
TEST(ErrorDetailsTest, DetailsNeverExceedTwoKibibytesWhateverIsInThem) {
  std::mt19937 random(SeedOfTest());
  const auto text = [&random] {
    std::string bytes(random() % 5000, '\0');
    const bool ascii = random() % 2 == 0;
    for (char& byte : bytes) byte = static_cast<char>(ascii ? 'x' : random());
    return bytes;
  };
  for (int i = 0; i < 500; ++i) {
    Error error = FullError();
    error.message = text();
    error.transaction_id = text();
    error.database = text();
    error.node_id = text();
    error.field = text();
    error.retry_delay = absl::Seconds(random());
    error.operation = error.statement = error.sqlite_code = error.sqlite_extended_code =
        -2147483647;
    const grpc::Status status = ToStatus(error);
    ASSERT_LE(status.error_details().size(), kMaxErrorBytes);
    ASSERT_TRUE(IsValidUtf8(status.error_message()));
    const std::optional<Error> back = ErrorFromStatus(status);
    ASSERT_TRUE(back.has_value());
    ASSERT_EQ(back->reason, Reason::kConstraintViolation);
    ASSERT_EQ(back->outcome, FailureOutcome::kAborted);
    ASSERT_TRUE(IsValidUtf8(back->database));
  }
}

TEST(ErrorDetailsTest, TheMessageIsKeptAsFarAsThereIsRoom) {
  Error error = FullError();
  error.message = std::string(900, 'm');
  EXPECT_EQ(ToStatus(error).error_message(), error.message);
  error.message = std::string(5000, 'm');
  EXPECT_EQ(ToStatus(error).error_message().size(), 1024u);
  EXPECT_TRUE(ToStatus(error).error_message().ends_with("m..."));
}

TEST(ErrorDetailsTest, AStatusOfSomebodyElseIsNoError) {
  EXPECT_FALSE(ErrorFromStatus(grpc::Status(grpc::UNAVAILABLE, "connection refused")));
  EXPECT_FALSE(ErrorFromStatus(grpc::Status(grpc::UNAVAILABLE, "x", "not a protobuf \xff\xff")));
  google::rpc::Status foreign;
  google::rpc::ErrorInfo info;
  info.set_reason("QUEUE_FULL");
  info.set_domain("example.com");
  foreign.add_details()->PackFrom(info);
  EXPECT_FALSE(ErrorFromProto(foreign));
}

TEST(ErrorDetailsTest, TextIsCutBetweenCharacters) {
  EXPECT_EQ(ShortText("abcdef", 6), "abcdef");
  EXPECT_EQ(ShortText("abcdefg", 6), "abc...");
  EXPECT_EQ(ShortText("ab\xE2\x82\xAC\xE2\x82\xAC", 7), "ab...");
  EXPECT_EQ(ShortText("\xE2\x82\xAC\xE2\x82\xAC", 5), "...");
  EXPECT_EQ(ShortText("\xFF\xFF\xFF", 4), "...");
  EXPECT_EQ(ShortText("abcdef", 2), "");
  EXPECT_EQ(ShortText("abc", 0), "");
  EXPECT_EQ(ShortText("", 0), "");
}

}  // namespace
}  // namespace lockstep::rpc
