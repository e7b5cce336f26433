#include "coordinator/prepare_encoder.h"

#include <google/protobuf/util/message_differencer.h>
#include <gtest/gtest.h>

#include <string>
#include <utility>
#include <vector>

#include "common/rpc/convert.h"
#include "lockstep/v1/two_phase_commit.pb.h"

namespace lockstep::coordinator {
namespace {

using google::protobuf::util::MessageDifferencer;

const CallTarget kTarget{.cluster_id = "cluster", .node_id = "bank-1", .term = 7};

v1::ExecuteRequest SomeRequest() {
  v1::ExecuteRequest request;
  for (const char* database : {"bank", "shop", "bank"}) {
    auto* operation = request.add_operations();
    operation->set_database(database);
    auto* insert = operation->add_statements();
    insert->set_sql("INSERT INTO t VALUES (?, ?)");
    insert->add_params()->set_int_value(-1);
    insert->add_params();  // NULL
    auto* update = operation->add_statements();
    update->set_sql("UPDATE t SET v = :v");
    (*update->mutable_named_params())["v"].set_blob_value(std::string("\0\xFF", 2));
  }
  return request;
}

v1::PrepareRequest Parse(const grpc::ByteBuffer& buffer) {
  std::vector<grpc::Slice> slices;
  EXPECT_TRUE(buffer.Dump(&slices).ok());
  std::string bytes;
  for (const grpc::Slice& slice : slices) {
    bytes.append(reinterpret_cast<const char*>(slice.begin()), slice.size());
  }
  v1::PrepareRequest request;
  EXPECT_TRUE(request.ParseFromString(bytes));
  return request;
}

// What the encoder must be equal to: the message, built as usual.
void AddExpected(const v1::ExecuteRequest& request, const std::vector<int>& indexes,
                 const std::string& transaction_id, absl::Time clock, uint64_t seed,
                 absl::Duration time_left, v1::PrepareRequest* expected) {
  v1::Branch* branch = expected->add_branches();
  branch->set_transaction_id(transaction_id);
  rpc::ToProto(clock, branch->mutable_clock());
  branch->set_seed(seed);
  rpc::ToProto(time_left, branch->mutable_time_left());
  for (const int index : indexes) {
    v1::BranchOperation* operation = branch->add_operations();
    operation->set_operation(static_cast<uint32_t>(index));
    *operation->mutable_statements() = request.operations(index).statements();
  }
}

TEST(PrepareEncoderTest, TheBytesAreThoseOfTheMessage) {
  const v1::ExecuteRequest request = SomeRequest();
  const absl::Time clock = absl::FromUnixNanos(1'700'000'000'123'456'789);
  v1::PrepareRequest expected;
  expected.mutable_target()->set_cluster_id(kTarget.cluster_id);
  expected.mutable_target()->set_node_id(kTarget.node_id);
  expected.mutable_target()->set_term(kTarget.term);
  expected.set_round(RoundId::Make(7, 42).value());
  expected.set_want_rows(true);
  BranchesEncoder encoder;
  for (const std::vector<int>& indexes : {std::vector<int>{0, 2}, std::vector<int>{1}}) {
    encoder.Add("7-42", clock, UINT64_MAX, absl::Milliseconds(1500),
                EncodeOperations(request, indexes));
    AddExpected(request, indexes, "7-42", clock, UINT64_MAX, absl::Milliseconds(1500), &expected);
  }
  const grpc::Slice branches = std::move(encoder).Encode();
  const v1::PrepareRequest encoded =
      Parse(EncodePrepare(kTarget, RoundId::Make(7, 42), true, branches));
  EXPECT_TRUE(MessageDifferencer::Equals(encoded, expected)) << encoded.DebugString();
}

TEST(PrepareEncoderTest, ReplicasDifferInTheirHeaderOnly) {
  const v1::ExecuteRequest request = SomeRequest();
  BranchesEncoder encoder(1000);
  encoder.Add("t", absl::UnixEpoch(), 0, absl::ZeroDuration(), EncodeOperations(request, {1}));
  const grpc::Slice branches = std::move(encoder).Encode();
  CallTarget backup = kTarget;
  backup.node_id = "bank-2";
  const auto for_master = Parse(EncodePrepare(kTarget, RoundId::Make(1, 1), true, branches));
  const auto for_backup = Parse(EncodePrepare(backup, RoundId::Make(1, 1), false, branches));
  EXPECT_TRUE(for_master.want_rows());
  EXPECT_FALSE(for_backup.want_rows());
  EXPECT_EQ(for_backup.target().node_id(), "bank-2");
  ASSERT_EQ(for_master.branches_size(), 1);
  EXPECT_EQ(for_master.branches(0).SerializeAsString(), for_backup.branches(0).SerializeAsString());
}

TEST(PrepareEncoderTest, EmptyOnesAreFine) {
  EXPECT_EQ(EncodeOperations(SomeRequest(), {}), "");
  BranchesEncoder encoder;
  encoder.Add("", absl::UnixEpoch(), 0, absl::ZeroDuration(), "");
  const auto request = Parse(EncodePrepare({}, RoundId(), false, std::move(encoder).Encode()));
  ASSERT_EQ(request.branches_size(), 1);
  EXPECT_EQ(request.branches(0).operations_size(), 0);
  EXPECT_EQ(Parse(EncodePrepare({}, RoundId(), false, BranchesEncoder().Encode())).branches_size(),
            0);
}

TEST(PrepareEncoderTest, LargeStatementsKeepTheirLengths) {
  v1::ExecuteRequest request;
  auto* statement = request.add_operations()->add_statements();
  statement->set_sql(std::string(100'000, 's'));
  statement->add_params()->set_text_value(std::string(3 << 20, 'v'));
  BranchesEncoder encoder;
  for (int i = 0; i < 3; ++i) {
    encoder.Add("t", absl::UnixEpoch(), 1, absl::Seconds(1), EncodeOperations(request, {0}));
  }
  const auto parsed =
      Parse(EncodePrepare(kTarget, RoundId::Make(1, 1), false, std::move(encoder).Encode()));
  ASSERT_EQ(parsed.branches_size(), 3);
  for (const v1::Branch& branch : parsed.branches()) {
    EXPECT_TRUE(MessageDifferencer::Equals(branch.operations(0).statements(0), *statement));
  }
}

}  // namespace
}  // namespace lockstep::coordinator
