#include "common/rpc/convert.h"

#include <algorithm>
#include <cstdint>
#include <string>
#include <utility>
#include <variant>

#include "common/rpc/error_details.h"

namespace lockstep::rpc {
namespace {

// What google.protobuf.Duration allows: about 10,000 years.
constexpr absl::Duration kLongest = absl::Seconds(315'576'000'000);

template <typename Message, typename From>
auto ConvertAll(google::protobuf::RepeatedPtrField<Message>* messages, From from) {
  std::vector<decltype(from(std::move(*messages->Mutable(0))))> result;
  result.reserve(static_cast<size_t>(messages->size()));
  for (Message& message : *messages) result.push_back(from(std::move(message)));
  return result;
}

VoteKind KindOf(v1::Vote vote) {
  switch (vote) {
    case v1::VOTE_YES:
      return VoteKind::kYes;
    case v1::VOTE_DEFER:
      return VoteKind::kDefer;
    default:
      return VoteKind::kNo;
  }
}

// The error of a NO vote; a participant that gives none, or one that we do not know, is broken.
Error VoteError(const v1::BranchVote& message) {
  if (message.vote() == v1::VOTE_NO) {
    if (std::optional<Error> error = ErrorFromProto(message.error())) return *std::move(error);
  }
  Error error;
  error.reason = Reason::kInvariantBroken;
  error.message = "the participant sent a vote that is not understood";
  return error;
}

}  // namespace

void ToProto(absl::Duration duration, google::protobuf::Duration* message) {
  absl::Duration rest = std::clamp(duration, -kLongest, kLongest);
  message->set_seconds(absl::IDivDuration(rest, absl::Seconds(1), &rest));
  message->set_nanos(static_cast<int32_t>(absl::ToInt64Nanoseconds(rest)));
}

absl::Duration FromProto(const google::protobuf::Duration& message) {
  return absl::Seconds(message.seconds()) + absl::Nanoseconds(message.nanos());
}

void ToProto(absl::Time time, google::protobuf::Timestamp* message) {
  const int64_t seconds = absl::ToUnixSeconds(time);
  message->set_seconds(seconds);
  message->set_nanos(
      static_cast<int32_t>(absl::ToInt64Nanoseconds(time - absl::FromUnixSeconds(seconds))));
}

absl::Time FromProto(const google::protobuf::Timestamp& message) {
  return absl::FromUnixSeconds(message.seconds()) + absl::Nanoseconds(message.nanos());
}

void ToProto(Value&& value, v1::Value* message) {
  if (auto* text = std::get_if<std::string>(&value)) {
    message->set_text_value(std::move(*text));
  } else if (auto* blob = std::get_if<Blob>(&value)) {
    message->set_blob_value(std::move(blob->bytes));
  } else {
    ToProto(std::as_const(value), message);
  }
}

void ToProto(const Value& value, v1::Value* message) {
  if (const auto* number = std::get_if<int64_t>(&value)) {
    message->set_int_value(*number);
  } else if (const auto* real = std::get_if<double>(&value)) {
    message->set_real_value(*real);
  } else if (const auto* text = std::get_if<std::string>(&value)) {
    message->set_text_value(*text);
  } else if (const auto* blob = std::get_if<Blob>(&value)) {
    message->set_blob_value(blob->bytes);
  } else {
    message->clear_kind();
  }
}

Value FromProto(v1::Value&& message) {
  switch (message.kind_case()) {
    case v1::Value::kTextValue:
      return std::move(*message.mutable_text_value());
    case v1::Value::kBlobValue:
      return Blob{std::move(*message.mutable_blob_value())};
    default:
      return FromProto(std::as_const(message));
  }
}

Value FromProto(const v1::Value& message) {
  switch (message.kind_case()) {
    case v1::Value::kIntValue:
      return message.int_value();
    case v1::Value::kRealValue:
      return message.real_value();
    case v1::Value::kTextValue:
      return message.text_value();
    case v1::Value::kBlobValue:
      return Blob{message.blob_value()};
    case v1::Value::KIND_NOT_SET:
      return std::monostate{};
  }
  return std::monostate{};
}

namespace internal {

std::optional<Guard> MakeGuard(const v1::Statement& message) {
  if (!message.has_expect()) return std::nullopt;
  const v1::RowExpectation& expect = message.expect();
  Guard guard;
  if (expect.has_rows()) guard = {expect.rows(), expect.rows()};
  if (expect.has_min_rows()) guard.min_rows = expect.min_rows();
  if (expect.has_max_rows()) guard.max_rows = expect.max_rows();
  return guard;
}

Statement MakeStatement(std::string* sql, google::protobuf::RepeatedPtrField<v1::Value>* params,
                        google::protobuf::Map<std::string, v1::Value>* named_params) {
  Statement statement;
  statement.sql = std::move(*sql);
  statement.params =
      ConvertAll(params, [](v1::Value&& value) { return FromProto(std::move(value)); });
  statement.named_params.reserve(named_params->size());
  for (auto& [name, value] : *named_params) {
    statement.named_params.emplace_back(name, FromProto(std::move(value)));
  }
  return statement;
}

}  // namespace internal

void ToProto(const Statement& statement, v1::Statement* message) {
  message->set_sql(statement.sql);
  for (const Value& value : statement.params) ToProto(value, message->add_params());
  for (const auto& [name, value] : statement.named_params) {
    ToProto(value, &(*message->mutable_named_params())[name]);
  }
  if (!statement.guard) return;
  const Guard any;
  v1::RowExpectation* expect = message->mutable_expect();
  if (statement.guard->min_rows != any.min_rows) {
    expect->set_min_rows(static_cast<uint32_t>(statement.guard->min_rows));
  }
  if (statement.guard->max_rows != any.max_rows) {
    expect->set_max_rows(static_cast<uint32_t>(statement.guard->max_rows));
  }
}

Statement FromProto(v1::Statement&& message) { return StatementOf(&message); }

std::vector<Statement> FromProto(google::protobuf::RepeatedPtrField<v1::Statement>&& messages) {
  return ConvertAll(&messages, [](v1::Statement&& message) { return StatementOf(&message); });
}

void ToProto(Column&& column, v1::Column* message) {
  message->set_name(std::move(column.name));
  message->set_declared_type(std::move(column.declared_type));
}

Column FromProto(v1::Column&& message) {
  return Column{std::move(*message.mutable_name()), std::move(*message.mutable_declared_type())};
}

void ToProto(Row&& row, v1::Row* message) {
  message->mutable_values()->Reserve(static_cast<int>(row.size()));
  for (Value& value : row) ToProto(std::move(value), message->add_values());
}

Row FromProto(v1::Row&& message) {
  return ConvertAll(message.mutable_values(),
                    [](v1::Value&& value) { return FromProto(std::move(value)); });
}

void ToProto(StatementResult&& result, v1::StatementResult* message) {
  for (Column& column : result.columns) ToProto(std::move(column), message->add_columns());
  message->mutable_rows()->Reserve(static_cast<int>(result.rows.size()));
  for (Row& row : result.rows) ToProto(std::move(row), message->add_rows());
  message->set_rows_affected(
      static_cast<uint32_t>(std::clamp<int64_t>(result.rows_affected, 0, UINT32_MAX)));
  message->set_last_insert_rowid(result.last_insert_rowid);
}

StatementResult FromProto(v1::StatementResult&& message) {
  StatementResult result;
  result.columns = ConvertAll(message.mutable_columns(),
                              [](v1::Column&& column) { return FromProto(std::move(column)); });
  result.rows =
      ConvertAll(message.mutable_rows(), [](v1::Row&& row) { return FromProto(std::move(row)); });
  result.rows_affected = message.rows_affected();
  result.last_insert_rowid = message.last_insert_rowid();
  return result;
}

void ToProto(const Branch& branch, v1::Branch* message) {
  message->set_transaction_id(branch.transaction_id);
  ToProto(branch.clock, message->mutable_clock());
  message->set_seed(branch.seed);
  for (const BranchOperation& operation : branch.operations) {
    v1::BranchOperation* added = message->add_operations();
    added->set_operation(static_cast<uint32_t>(operation.operation));
    for (const Statement& statement : operation.statements) {
      ToProto(statement, added->add_statements());
    }
  }
  if (branch.time_left < absl::InfiniteDuration()) {
    ToProto(branch.time_left, message->mutable_time_left());
  }
}

Branch FromProto(v1::Branch&& message, bool want_rows) {
  Branch branch;
  branch.transaction_id = std::move(*message.mutable_transaction_id());
  branch.clock = FromProto(message.clock());
  branch.seed = message.seed();
  branch.operations = ConvertAll(message.mutable_operations(), [](v1::BranchOperation&& operation) {
    return BranchOperation{static_cast<int>(operation.operation()),
                           FromProto(std::move(*operation.mutable_statements()))};
  });
  branch.want_rows = want_rows;
  if (message.has_time_left()) branch.time_left = FromProto(message.time_left());
  return branch;
}

std::vector<Branch> BranchesOf(v1::PrepareRequest* request) {
  return ConvertAll(request->mutable_branches(), [request](v1::Branch&& branch) {
    return FromProto(std::move(branch), request->want_rows());
  });
}

void ToProto(BranchVote&& vote, v1::BranchVote* message) {
  ToProto(vote.execution_time, message->mutable_execution_time());
  switch (vote.kind) {
    case VoteKind::kYes:
      message->set_vote(v1::VOTE_YES);
      message->set_digest(vote.digest);
      break;
    case VoteKind::kNo:
      message->set_vote(v1::VOTE_NO);
      LOCKSTEP_CHECK(vote.error.has_value(), "a NO says why");
      ToProto(*vote.error, message->mutable_error());
      return;
    case VoteKind::kDefer:
      message->set_vote(v1::VOTE_DEFER);
      return;
  }
  for (BranchResult& result : vote.results) {
    v1::BranchResult* added = message->add_results();
    added->set_operation(static_cast<uint32_t>(result.operation));
    for (StatementResult& statement : result.statements) {
      ToProto(std::move(statement), added->add_statements());
    }
  }
}

BranchVote FromProto(v1::BranchVote&& message) {
  BranchVote vote;
  vote.kind = KindOf(message.vote());
  vote.execution_time = FromProto(message.execution_time());
  if (vote.kind == VoteKind::kNo) vote.error = VoteError(message);
  if (vote.kind != VoteKind::kYes) return vote;
  vote.digest = message.digest();
  vote.results = ConvertAll(message.mutable_results(), [](v1::BranchResult&& result) {
    return BranchResult{
        static_cast<int>(result.operation()),
        ConvertAll(result.mutable_statements(), [](v1::StatementResult&& statement) {
          return FromProto(std::move(statement));
        })};
  });
  return vote;
}

}  // namespace lockstep::rpc
