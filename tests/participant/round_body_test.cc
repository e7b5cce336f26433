// The bytes of a round: what is recorded is what was sent, with the votes filled in later.
#include "participant/round_body.h"

#include <gtest/gtest.h>

#include <string>

#include "common/rpc/convert.h"
#include "lockstep/v1/record.pb.h"
#include "lockstep/v1/two_phase_commit.pb.h"

namespace lockstep::participant {
namespace {

v1::PrepareRequest ThreeBranches(size_t text_bytes = 3) {
  v1::PrepareRequest request;
  for (int i = 0; i < 3; ++i) {
    v1::Branch* branch = request.add_branches();
    branch->set_transaction_id("t" + std::to_string(i));
    branch->set_seed(~uint64_t{0} - static_cast<uint64_t>(i));
    branch->mutable_clock()->set_seconds(1'800'000'000);
    v1::Statement* statement = branch->add_operations()->add_statements();
    statement->set_sql("INSERT INTO t VALUES(:a)");
    (*statement->mutable_named_params())["a"].set_blob_value(std::string(text_bytes, '\0'));
  }
  return request;
}

TEST(RoundBodyTest, IsARoundRecordWithEveryBranchAsItWasSent) {
  const v1::PrepareRequest request = ThreeBranches();
  RoundBody body = RoundBody::Encode("cluster", "node", request, 1 << 20);
  body.SetVote(0, VoteKind::kYes, 0xfedcba9876543210);
  body.SetVote(2, VoteKind::kDefer, 0);
  v1::RoundRecord record;
  ASSERT_TRUE(record.ParseFromString(std::string(body.bytes())));
  EXPECT_EQ(record.cluster_id(), "cluster");
  EXPECT_EQ(record.node_id(), "node");
  ASSERT_EQ(record.branches_size(), 3);
  for (int i = 0; i < 3; ++i) {
    EXPECT_EQ(record.branches(i).branch().SerializeAsString(),
              request.branches(i).SerializeAsString());
  }
  EXPECT_EQ(record.branches(0).vote(), v1::VOTE_YES);
  EXPECT_EQ(record.branches(0).digest(), 0xfedcba9876543210);
  EXPECT_EQ(record.branches(1).vote(), v1::VOTE_NO);
  EXPECT_EQ(record.branches(2).vote(), v1::VOTE_DEFER);
}

TEST(RoundBodyTest, IsTheSameAfterItWasWrittenAndParsed) {
  RoundBody body = RoundBody::Encode("cluster", "node", ThreeBranches(), 1 << 20);
  body.SetVote(1, VoteKind::kYes, 77);
  const auto parsed = RoundBody::Parse(body.bytes());
  ASSERT_TRUE(parsed.ok());
  EXPECT_EQ(parsed->bytes(), body.bytes());
  EXPECT_EQ(parsed->vote(1), VoteKind::kYes);
  EXPECT_EQ(parsed->vote(0), VoteKind::kNo);
}

TEST(RoundBodyTest, R7_ACutKeepsTheYesBranchesBeforeIt) {
  RoundBody body = RoundBody::Encode("cluster", "node", ThreeBranches(), 1 << 20);
  body.SetVote(0, VoteKind::kYes, 1);
  body.SetVote(2, VoteKind::kYes, 3);
  EXPECT_EQ(body.KeptBy(0), 0u);
  EXPECT_EQ(body.KeptBy(2), 1u);
  EXPECT_EQ(body.KeptBy(99), 2u);
  const auto kept = DecodeBranches(body.Kept(2));
  ASSERT_TRUE(kept.ok());
  ASSERT_EQ(kept->size(), 1u);
  EXPECT_EQ((*kept)[0].digest, 1u);
  EXPECT_EQ((*kept)[0].branch.transaction_id, "t0");
  EXPECT_EQ((*kept)[0].branch.seed, ~uint64_t{0});
  EXPECT_EQ((*kept)[0].branch.time_left, absl::InfiniteDuration());
  EXPECT_FALSE((*kept)[0].branch.want_rows);
  EXPECT_EQ((*kept)[0].branch.operations[0].statements[0].named_params[0].first, "a");
}

TEST(RoundBodyTest, StaysWithinItsCapacityAndSaysWhatDidNotFit) {
  const v1::PrepareRequest request = ThreeBranches(1000);
  const RoundBody two = RoundBody::Encode("cluster", "node", request, 2500);
  EXPECT_LE(two.bytes().size(), 2500u);
  EXPECT_TRUE(two.fits(0));
  EXPECT_TRUE(two.fits(1));
  EXPECT_FALSE(two.fits(2));
  EXPECT_FALSE(two.too_large(2));
  const RoundBody none = RoundBody::Encode("cluster", "node", request, 500);
  EXPECT_FALSE(none.fits(0));
  EXPECT_TRUE(none.too_large(0));
  EXPECT_EQ(none.size(), 3u);
}

TEST(RoundBodyTest, BytesThatAreNoRecordAreRefused) {
  EXPECT_FALSE(RoundBody::Parse("\xff\xff\xff").ok());
  EXPECT_FALSE(DecodeBranches("\xff\xff\xff").ok());
}

}  // namespace
}  // namespace lockstep::participant
