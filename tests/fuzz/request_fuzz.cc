// Requests from the network: validation, and a transaction's way to the participants' records.
#include <google/protobuf/stubs/logging.h>
#include <grpcpp/impl/grpc_library.h>

#include <cstdint>
#include <string>
#include <utility>

#include "common/check.h"
#include "common/rpc/convert.h"
#include "common/rpc/validate.h"
#include "coordinator/prepare_encoder.h"
#include "coordinator/transaction.h"
#include "lockstep/v1/coordinator.pb.h"
#include "lockstep/v1/participant.pb.h"
#include "lockstep/v1/two_phase_commit.pb.h"
#include "participant/round_body.h"

namespace lockstep {
namespace {

const coordinator::Cluster& FuzzCluster() {
  static const coordinator::Cluster cluster =
      coordinator::Cluster::Make(
          "demo", {{"bank-1", "bank", coordinator::MemberRole::kMaster, "127.0.0.1:1"},
                   {"bank-2", "bank", coordinator::MemberRole::kBackup, "127.0.0.1:2"},
                   {"stock-1", "stock", coordinator::MemberRole::kMaster, "127.0.0.1:3"}})
          .value();
  return cluster;
}

// Low enough to be met.
rpc::RequestLimits FuzzLimits() {
  rpc::RequestLimits limits;
  limits.statements = 20;
  limits.databases = 3;
  limits.sql_bytes = 200;
  limits.value_bytes = 100;
  limits.request_bytes = 2000;
  return limits;
}

// Whether the request may run. A refusal names what is wrong, and says that nothing happened.
template <typename Request>
bool MayRun(const Request& request) {
  const rpc::Violation violation = rpc::ValidateRequest(request, FuzzLimits());
  if (!violation) return true;
  LOCKSTEP_CHECK(violation->outcome == FailureOutcome::kNotStarted, "a refusal that did something");
  LOCKSTEP_CHECK(!violation->message.empty(), "a refusal without words");
  LOCKSTEP_CHECK(violation->reason == Reason::kLimitExceeded ||
                     (violation->reason == Reason::kRequestInvalid && !violation->field.empty()),
                 "a refusal that names no field");
  return false;
}

void CheckTimeout(const v1::ExecuteRequest& request) {
  const rpc::RequestLimits limits;
  const Result<absl::Duration> time = rpc::EffectiveTimeout(
      request.has_timeout(), request.timeout(), absl::InfiniteDuration(), limits);
  LOCKSTEP_CHECK(
      !time.ok() || (time.value() > absl::ZeroDuration() && time.value() <= limits.max_timeout),
      "a timeout out of its bounds");
}

// What one participant gets is what the client sent.
void CheckOperations(const v1::ExecuteRequest& request, const v1::Branch& branch) {
  for (const v1::BranchOperation& operation : branch.operations()) {
    LOCKSTEP_CHECK(operation.operation() < static_cast<uint32_t>(request.operations_size()),
                   "an operation that the request does not have");
    const v1::Operation& sent = request.operations(static_cast<int>(operation.operation()));
    LOCKSTEP_CHECK(sent.statements_size() == operation.statements_size(), "a statement is lost");
    for (int i = 0; i < sent.statements_size(); ++i) {
      const v1::Statement& got = operation.statements(i);
      LOCKSTEP_CHECK(sent.statements(i).sql() == got.sql() &&
                         sent.statements(i).ByteSizeLong() == got.ByteSizeLong(),
                     "a statement changes on its way");
    }
  }
}

// The record of a round gives back what was written, and what is kept of it.
void CheckRecord(const v1::PrepareRequest& prepare) {
  auto body = participant::RoundBody::Encode("demo", "bank-1", prepare, 4000);
  for (size_t i = 0; i < body.size(); ++i) {
    if (body.fits(i) && i % 2 == 0) body.SetVote(i, VoteKind::kYes, i * 0x0123456789abcdef);
  }
  const auto parsed = participant::RoundBody::Parse(body.bytes());
  LOCKSTEP_CHECK(parsed.ok() && parsed->bytes() == body.bytes(), "a record changes");
  const auto branches = participant::DecodeBranches(body.bytes());
  LOCKSTEP_CHECK(branches.ok() && branches->size() == body.size(), "a branch is lost");
  for (size_t cut = 0; cut <= body.size(); ++cut) {
    const auto kept = participant::DecodeBranches(body.Kept(cut));
    LOCKSTEP_CHECK(kept.ok() && kept->size() == body.KeptBy(cut), "what a cut keeps");
  }
}

void Execute(const v1::ExecuteRequest& request) {
  CheckTimeout(request);
  if (!MayRun(request)) return;
  Result<std::unique_ptr<coordinator::Transaction>> made =
      coordinator::MakeTransaction(request, FuzzCluster());
  if (!made.ok()) {
    LOCKSTEP_CHECK(made.error().reason == Reason::kDatabaseUnknown, "another refusal");
    return;
  }
  int operations = 0;
  v1::PrepareRequest all;
  for (const coordinator::DatabaseShare& share : made.value()->shares) {
    coordinator::BranchesEncoder encoder;
    encoder.Add("1-1", absl::UnixEpoch(), 7, absl::Seconds(1), share.operations);
    const grpc::Slice encoded = std::move(encoder).Encode();
    v1::PrepareRequest prepare;
    LOCKSTEP_CHECK(prepare.ParseFromArray(encoded.begin(), static_cast<int>(encoded.size())) &&
                       prepare.branches_size() == 1,
                   "a branch cannot be read");
    CheckOperations(request, prepare.branches(0));
    operations += prepare.branches(0).operations_size();
    all.MergeFrom(prepare);
    CheckRecord(prepare);
  }
  LOCKSTEP_CHECK(operations == request.operations_size(), "an operation is lost");
  CheckRecord(all);
  LOCKSTEP_CHECK(rpc::BranchesOf(&all).size() == made.value()->shares.size(), "a branch is lost");
}

// What a file gives instead of a record.
void ReadRecord(const std::string& bytes) {
  const auto body = participant::RoundBody::Parse(bytes);
  const auto branches = participant::DecodeBranches(bytes);
  LOCKSTEP_CHECK(body.ok() == branches.ok(), "one reader finds a record, another does not");
  if (!body.ok()) return;
  LOCKSTEP_CHECK(body->size() == branches->size(), "the number of branches");
  for (size_t cut = 0; cut <= body->size(); ++cut) {
    const auto kept = participant::DecodeBranches(body->Kept(cut));
    LOCKSTEP_CHECK(kept.ok() && kept->size() == body->KeptBy(cut), "what a cut keeps");
  }
}

template <typename Request>
void Validate(const std::string& bytes) {
  Request request;
  if (request.ParseFromString(bytes)) MayRun(request);
}

}  // namespace
}  // namespace lockstep

// What is wrong with a message is for the log of a server, not for that of millions of tries.
extern "C" int LLVMFuzzerInitialize(int*, char***) {
  google::protobuf::SetLogHandler(nullptr);
  static const grpc::internal::GrpcLibraryInitializer slices_need_it;
  return 0;
}

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace lockstep;  // NOLINT
  if (size == 0) return 0;
  const std::string bytes(reinterpret_cast<const char*>(data) + 1, size - 1);
  switch (data[0] % 10) {
    case 0:
      Validate<v1::QueryRequest>(bytes);
      break;
    case 1:
      Validate<v1::GetTransactionRequest>(bytes);
      break;
    case 2:
      Validate<v1::GetTableVersionRequest>(bytes);
      break;
    case 3:
      Validate<v1::ParticipantServiceExecuteRequest>(bytes);
      break;
    case 4:
      Validate<v1::ParticipantServiceQueryRequest>(bytes);
      break;
    case 5:
      Validate<v1::ReadRequest>(bytes);
      break;
    case 6:
      ReadRecord(bytes);
      break;
    default: {
      v1::ExecuteRequest request;
      if (request.ParseFromString(bytes)) Execute(request);
      break;
    }
  }
  return 0;
}
