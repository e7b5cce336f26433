// Between the values of common/ and the messages of the API. Any thread.
//
// What is passed as an rvalue, or by pointer where it says so, is moved from: large texts are not
// copied.
#ifndef LOCKSTEP_COMMON_RPC_CONVERT_H_
#define LOCKSTEP_COMMON_RPC_CONVERT_H_

#include <optional>
#include <vector>

#include "absl/time/time.h"
#include "common/branch.h"
#include "common/error.h"
#include "common/value.h"
#include "google/protobuf/duration.pb.h"
#include "google/protobuf/timestamp.pb.h"
#include "lockstep/v1/coordinator.pb.h"
#include "lockstep/v1/participant.pb.h"
#include "lockstep/v1/two_phase_commit.pb.h"
#include "lockstep/v1/value.pb.h"

namespace lockstep::rpc {

// Time. Exact to the nanosecond; infinite durations become the longest that the message takes.
void ToProto(absl::Duration duration, google::protobuf::Duration* message);
absl::Duration FromProto(const google::protobuf::Duration& message);
void ToProto(absl::Time time, google::protobuf::Timestamp* message);
absl::Time FromProto(const google::protobuf::Timestamp& message);

// Values. To protobuf, a text that is not UTF-8 makes serializing fail later: the executor refuses
// such results before (RESULT_NOT_TEXT).
void ToProto(Value&& value, v1::Value* message);
void ToProto(const Value& value, v1::Value* message);
Value FromProto(v1::Value&& message);
Value FromProto(const v1::Value& message);

void ToProto(const Statement& statement, v1::Statement* message);
Statement FromProto(v1::Statement&& message);
std::vector<Statement> FromProto(google::protobuf::RepeatedPtrField<v1::Statement>&& messages);
// The same for requests that have the three fields of a statement themselves: QueryRequest,
// ParticipantServiceQueryRequest, ReadRequest.
template <typename Message>
Statement StatementOf(Message* message);

void ToProto(Column&& column, v1::Column* message);
Column FromProto(v1::Column&& message);
void ToProto(Row&& row, v1::Row* message);
Row FromProto(v1::Row&& message);
void ToProto(StatementResult&& result, v1::StatementResult* message);
StatementResult FromProto(v1::StatementResult&& message);

// Branches and votes. PrepareRequest.want_rows holds for all branches of the request.
void ToProto(const Branch& branch, v1::Branch* message);
Branch FromProto(v1::Branch&& message, bool want_rows);
std::vector<Branch> BranchesOf(v1::PrepareRequest* request);
void ToProto(BranchVote&& vote, v1::BranchVote* message);
// A vote that is neither YES, NO nor DEFER becomes a NO with INVARIANT_BROKEN: never a YES.
BranchVote FromProto(v1::BranchVote&& message);

// Implementation.

namespace internal {
std::optional<Guard> MakeGuard(const v1::Statement& message);
Statement MakeStatement(std::string* sql, google::protobuf::RepeatedPtrField<v1::Value>* params,
                        google::protobuf::Map<std::string, v1::Value>* named_params);
}  // namespace internal

template <typename Message>
Statement StatementOf(Message* message) {
  Statement statement = internal::MakeStatement(message->mutable_sql(), message->mutable_params(),
                                                message->mutable_named_params());
  if constexpr (requires { message->expect(); }) statement.guard = internal::MakeGuard(*message);
  return statement;
}

}  // namespace lockstep::rpc

#endif  // LOCKSTEP_COMMON_RPC_CONVERT_H_
