#include "cli/failure.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>

#include "google/rpc/error_details.pb.h"
#include "google/rpc/status.pb.h"

namespace lockstep::cli {
namespace {

using ::testing::EndsWith;
using ::testing::HasSubstr;

grpc::Status Detailed(grpc::StatusCode code, const std::string& reason,
                      const std::map<std::string, std::string>& metadata) {
  google::rpc::ErrorInfo info;
  info.set_reason(reason);
  info.set_domain("lockstep");
  info.mutable_metadata()->insert(metadata.begin(), metadata.end());
  google::rpc::Status status;
  status.set_code(code);
  status.set_message("what happened");
  status.add_details()->PackFrom(info);
  return {code, "what happened", status.SerializeAsString()};
}

TEST(FailureTest, AbortedAndRefusedAreOne) {
  EXPECT_EQ(ExitOf(Detailed(grpc::StatusCode::UNAVAILABLE, "PARTICIPANT_UNAVAILABLE",
                            {{"outcome", "ABORTED"}}),
                   CallKind::kTransaction),
            Exit::kRefused);
  EXPECT_EQ(ExitOf(Detailed(grpc::StatusCode::INVALID_ARGUMENT, "SQL_INVALID",
                            {{"outcome", "NOT_STARTED"}}),
                   CallKind::kTransaction),
            Exit::kRefused);
}

TEST(FailureTest, TheDetailsTellUnknownFromAborted) {
  const auto unknown = Detailed(grpc::StatusCode::UNAVAILABLE, "OUTCOME_UNKNOWN",
                                {{"outcome", "UNKNOWN"}, {"transaction_id", "1-2"}});
  EXPECT_EQ(ExitOf(unknown, CallKind::kTransaction), Exit::kUnknown);
  EXPECT_THAT(Describe(unknown, CallKind::kTransaction, Format::kTable),
              HasSubstr("lockstep tx get 1-2"));
}

TEST(FailureTest, AnUnknownRequestIdIsToBeSentAgain) {
  const grpc::Status lost(grpc::StatusCode::UNAVAILABLE, "lost");
  EXPECT_THAT(Describe(lost, CallKind::kTransaction, Format::kTable, {}, "order-17"),
              HasSubstr("same --request-id and a higher --attempt"));
  EXPECT_THAT(Describe(lost, CallKind::kTransaction, Format::kTable),
              HasSubstr("Look at the data before trying again"));
}

TEST(FailureTest, ALostConnectionLeavesATransactionUnknownAndAReadUnanswered) {
  for (const auto code : {grpc::StatusCode::UNAVAILABLE, grpc::StatusCode::DEADLINE_EXCEEDED,
                          grpc::StatusCode::CANCELLED}) {
    EXPECT_EQ(ExitOf({code, "lost"}, CallKind::kTransaction), Exit::kUnknown);
    EXPECT_EQ(ExitOf({code, "lost"}, CallKind::kRead), Exit::kUnreachable);
  }
}

// The answer was too large for the client, or not readable: what it says has happened all the same.
TEST(FailureTest, AnAnswerThatCannotBeReadLeavesATransactionUnknown) {
  for (const auto code : {grpc::StatusCode::RESOURCE_EXHAUSTED, grpc::StatusCode::INTERNAL}) {
    EXPECT_EQ(ExitOf({code, "gRPC's own"}, CallKind::kTransaction), Exit::kUnknown);
    EXPECT_EQ(ExitOf({code, "gRPC's own"}, CallKind::kRead), Exit::kRefused);
  }
}

TEST(FailureTest, AReasonOfANewerServerIsShown) {
  const std::string text = Describe(
      Detailed(grpc::StatusCode::ABORTED, "NEW_REASON", {{"outcome", "ABORTED"}, {"node_id", "n"}}),
      CallKind::kTransaction, Format::kTable);
  EXPECT_EQ(text,
            "lockstep: aborted: NEW_REASON: what happened\n  node_id: n\n  outcome: ABORTED\n");
}

TEST(FailureTest, AStatementOfAScriptIsNamedByItsLine) {
  const SourceLines script{"schema.sql", {1, 17}};
  const auto failed = [&](const std::string& statement, Format format) {
    return Describe(Detailed(grpc::StatusCode::INVALID_ARGUMENT, "SQL_INVALID",
                             {{"outcome", "ABORTED"}, {"statement", statement}}),
                    CallKind::kTransaction, format, script);
  };
  EXPECT_EQ(failed("1", Format::kTable),
            "lockstep: aborted: SQL_INVALID: what happened\n  at schema.sql:17\n"
            "  outcome: ABORTED\n  statement: 1\n");
  EXPECT_THAT(failed("1", Format::kJson),
              HasSubstr("\"message\":\"what happened\",\"file\":\"schema.sql\",\"line\":17,"));
  // A place that the script does not have, or that the server did not tell.
  for (const char* statement : {"2", "", "-1", "x"}) {
    EXPECT_EQ(failed(statement, Format::kTable).find("schema.sql"), std::string::npos);
  }
}

TEST(FailureTest, JsonIsOneLine) {
  const std::string json =
      Describe(Detailed(grpc::StatusCode::ABORTED, "TIMEOUT", {{"outcome", "ABORTED"}}),
               CallKind::kTransaction, Format::kJson);
  EXPECT_EQ(json,
            "{\"exit\":1,\"code\":\"ABORTED\",\"message\":\"what happened\",\"reason\":\"TIMEOUT\","
            "\"metadata\":{\"outcome\":\"ABORTED\"}}\n");
}

}  // namespace
}  // namespace lockstep::cli
