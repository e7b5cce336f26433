#include "common/rpc/convert.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <string>
#include <utility>
#include <vector>

#include "google/rpc/status.pb.h"

namespace lockstep::rpc {
namespace {

using std::string_literals::operator""s;

// Through the wire and back.
Value RoundTrip(const Value& value) {
  v1::Value message;
  ToProto(value, &message);
  v1::Value moved;
  ToProto(Value(value), &moved);
  EXPECT_EQ(moved.SerializeAsString(), message.SerializeAsString());
  v1::Value received;
  EXPECT_TRUE(received.ParseFromString(message.SerializeAsString()));
  EXPECT_EQ(FromProto(std::as_const(received)).index(), value.index());
  return FromProto(std::move(received));
}

TEST(ConvertTest, ValuesOfAllFiveTypesComeBackExactly) {
  const std::vector<Value> values = {
      std::monostate{},
      int64_t{0},
      std::numeric_limits<int64_t>::min(),
      std::numeric_limits<int64_t>::max(),
      0.0,
      1e-320,
      std::numeric_limits<double>::infinity(),
      -std::numeric_limits<double>::infinity(),
      std::numeric_limits<double>::max(),
      ""s,
      "a\0b"s,
      "\xF0\x9F\x98\x80"s,
      std::string(100'000, 'x'),
      Blob{""},
      Blob{"\x00\xFF\x80"s},
  };
  for (const Value& value : values) EXPECT_EQ(RoundTrip(value), value);
}

TEST(ConvertTest, NegativeZeroKeepsItsSign) {
  const Value back = RoundTrip(Value(-0.0));
  ASSERT_TRUE(std::holds_alternative<double>(back));
  EXPECT_TRUE(std::signbit(std::get<double>(back)));
}

TEST(ConvertTest, EmptyTextAndEmptyBlobAreNotNull) {
  v1::Value message;
  ToProto(Value(std::string()), &message);
  EXPECT_TRUE(message.has_text_value());
  ToProto(Value(Blob{}), &message);
  EXPECT_TRUE(message.has_blob_value());
  ToProto(Value(std::monostate{}), &message);
  EXPECT_EQ(message.kind_case(), v1::Value::KIND_NOT_SET);
}

TEST(ConvertTest, LargeTextIsMovedNotCopied) {
  v1::Value message;
  message.set_text_value(std::string(1000, 'x'));
  const char* bytes = message.text_value().data();
  Value value = FromProto(std::move(message));
  EXPECT_EQ(std::get<std::string>(value).data(), bytes);
  v1::Value again;
  ToProto(std::move(value), &again);
  EXPECT_EQ(again.text_value().data(), bytes);
}

TEST(ConvertTest, TimesComeBackToTheNanosecond) {
  for (const absl::Duration duration :
       {absl::ZeroDuration(), absl::Nanoseconds(1), absl::Milliseconds(-1500), absl::Seconds(61),
        absl::Seconds(3600) + absl::Nanoseconds(999'999'999)}) {
    google::protobuf::Duration message;
    ToProto(duration, &message);
    EXPECT_EQ(FromProto(message), duration);
  }
  for (const absl::Time time : {absl::UnixEpoch(), absl::FromUnixNanos(1'700'000'000'123'456'789),
                                absl::FromUnixNanos(-1)}) {
    google::protobuf::Timestamp message;
    ToProto(time, &message);
    EXPECT_GE(message.nanos(), 0);
    EXPECT_EQ(FromProto(message), time);
  }
}

TEST(ConvertTest, AnInfiniteDurationBecomesTheLongestOne) {
  google::protobuf::Duration message;
  ToProto(absl::InfiniteDuration(), &message);
  EXPECT_EQ(message.seconds(), 315'576'000'000);
  ToProto(-absl::InfiniteDuration(), &message);
  EXPECT_EQ(message.seconds(), -315'576'000'000);
}

Branch SomeBranch() {
  Branch branch;
  branch.transaction_id = "7-42-1";
  branch.clock = absl::FromUnixNanos(1'700'000'000'123'456'789);
  branch.seed = 0xFEDC'BA98'7654'3210;
  branch.time_left = absl::Milliseconds(2500);
  branch.operations.push_back(
      {2, {{"INSERT INTO t VALUES (?, ?)", {int64_t{1}, "x"s}, {}}, {"DELETE FROM u", {}, {}}}});
  branch.operations.push_back({5, {{"UPDATE t SET v = :v", {}, {{"v", Blob{"b"}}}}}});
  return branch;
}

void ExpectEqual(const Branch& a, const Branch& b) {
  EXPECT_EQ(a.transaction_id, b.transaction_id);
  EXPECT_EQ(a.clock, b.clock);
  EXPECT_EQ(a.seed, b.seed);
  EXPECT_EQ(a.time_left, b.time_left);
  ASSERT_EQ(a.operations.size(), b.operations.size());
  for (size_t i = 0; i < a.operations.size(); ++i) {
    EXPECT_EQ(a.operations[i].operation, b.operations[i].operation);
    ASSERT_EQ(a.operations[i].statements.size(), b.operations[i].statements.size());
    for (size_t j = 0; j < a.operations[i].statements.size(); ++j) {
      EXPECT_EQ(a.operations[i].statements[j].sql, b.operations[i].statements[j].sql);
      EXPECT_EQ(a.operations[i].statements[j].params, b.operations[i].statements[j].params);
      EXPECT_EQ(a.operations[i].statements[j].named_params,
                b.operations[i].statements[j].named_params);
    }
  }
}

TEST(ConvertTest, BranchesComeBackWithTheWishForRowsOfTheirRequest) {
  v1::PrepareRequest request;
  ToProto(SomeBranch(), request.add_branches());
  ToProto(SomeBranch(), request.add_branches());
  request.set_want_rows(true);
  const std::vector<Branch> branches = BranchesOf(&request);
  ASSERT_EQ(branches.size(), 2u);
  for (const Branch& branch : branches) {
    ExpectEqual(branch, SomeBranch());
    EXPECT_TRUE(branch.want_rows);
  }
}

TEST(ConvertTest, ABranchWithoutABudgetHasNone) {
  Branch branch = SomeBranch();
  branch.time_left = absl::InfiniteDuration();
  v1::Branch message;
  ToProto(branch, &message);
  EXPECT_FALSE(message.has_time_left());
  EXPECT_EQ(FromProto(std::move(message), false).time_left, absl::InfiniteDuration());
}

TEST(ConvertTest, AYesComesBackWithItsDigestAndRows) {
  BranchVote vote;
  vote.kind = VoteKind::kYes;
  vote.digest = 0x8000'0000'0000'0001;
  vote.execution_time = absl::Microseconds(12);
  StatementResult statement;
  statement.columns = {{"id", "INTEGER"}, {"count(*)", ""}};
  statement.rows = {{int64_t{1}, std::monostate{}}, {2.5, "text"s}};
  statement.rows_affected = 3;
  statement.last_insert_rowid = -9;
  vote.results.push_back({4, {statement, StatementResult{}}});
  v1::BranchVote message;
  ToProto(BranchVote(vote), &message);
  const BranchVote back = FromProto(std::move(message));
  EXPECT_EQ(back.kind, VoteKind::kYes);
  EXPECT_EQ(back.digest, vote.digest);
  EXPECT_EQ(back.execution_time, vote.execution_time);
  EXPECT_FALSE(back.error.has_value());
  ASSERT_EQ(back.results.size(), 1u);
  EXPECT_EQ(back.results[0].operation, 4);
  ASSERT_EQ(back.results[0].statements.size(), 2u);
  EXPECT_EQ(back.results[0].statements[0].columns, statement.columns);
  EXPECT_EQ(back.results[0].statements[0].rows, statement.rows);
  EXPECT_EQ(back.results[0].statements[0].rows_affected, 3);
  EXPECT_EQ(back.results[0].statements[0].last_insert_rowid, -9);
}

TEST(ConvertTest, ANoComesBackWithItsReason) {
  BranchVote vote;
  vote.kind = VoteKind::kNo;
  vote.error.emplace();
  vote.error->reason = Reason::kConstraintViolation;
  vote.error->message = "NOT NULL: t.v";
  v1::BranchVote message;
  ToProto(std::move(vote), &message);
  const BranchVote back = FromProto(std::move(message));
  EXPECT_EQ(back.kind, VoteKind::kNo);
  EXPECT_EQ(back.error->reason, Reason::kConstraintViolation);
  EXPECT_EQ(back.error->message, "NOT NULL: t.v");
}

TEST(ConvertTest, AVoteThatIsNotUnderstoodIsNeverAYes) {
  for (const int unknown : {0, 4, 99}) {
    v1::BranchVote message;
    message.set_vote(static_cast<v1::Vote>(unknown));
    const BranchVote vote = FromProto(std::move(message));
    EXPECT_EQ(vote.kind, VoteKind::kNo);
    EXPECT_EQ(vote.error->reason, Reason::kInvariantBroken);
  }
  v1::BranchVote no_reason;
  no_reason.set_vote(v1::VOTE_NO);
  EXPECT_EQ(FromProto(std::move(no_reason)).error->reason, Reason::kInvariantBroken);
}

TEST(ConvertTest, ADeferIsNoMoreThanThat) {
  BranchVote vote;
  vote.kind = VoteKind::kDefer;
  v1::BranchVote message;
  ToProto(std::move(vote), &message);
  const BranchVote back = FromProto(std::move(message));
  EXPECT_EQ(back.kind, VoteKind::kDefer);
  EXPECT_FALSE(back.error.has_value());
}

TEST(ConvertTest, AffectedRowsThatDoNotFitStayAtTheHighestNumber) {
  StatementResult result;
  result.rows_affected = int64_t{1} << 40;
  v1::StatementResult message;
  ToProto(std::move(result), &message);
  EXPECT_EQ(message.rows_affected(), std::numeric_limits<uint32_t>::max());
}

TEST(ConvertTest, AGuardIsTheSameOnTheWire) {
  v1::Statement message;
  EXPECT_FALSE(FromProto(v1::Statement(message)).guard);
  message.mutable_expect()->set_rows(0);
  EXPECT_EQ(FromProto(v1::Statement(message)).guard, (Guard{0, 0}));
  for (const Guard& guard : {Guard{3, 3}, Guard{0, 3}, Guard{3, Guard().max_rows}, Guard{0, 0}}) {
    Statement statement;
    statement.guard = guard;
    message.Clear();
    ToProto(statement, &message);
    EXPECT_EQ(FromProto(std::move(message)).guard, guard);
  }
}

}  // namespace
}  // namespace lockstep::rpc
