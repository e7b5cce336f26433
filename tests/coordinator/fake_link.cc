#include "tests/coordinator/fake_link.h"

#include <grpcpp/impl/grpc_library.h>

#include <memory>

#include "common/check.h"

namespace lockstep::coordinator {
namespace {

// Slices need gRPC's core, which a program without a channel or a server does not set up.
const grpc::internal::GrpcLibraryInitializer kInitializer;

}  // namespace

template <typename Response>
bool FakeLink::FailsAsDown(OnAnswer<Response>& done) const {
  if (!node_->is_down) return false;
  Answered<Response> answer;
  answer.failed.emplace();
  answer.failed->failure = CallFailure::kUnavailable;
  answer.failed->error.reason = Reason::kParticipantUnavailable;
  answer.failed->error.message = "connection refused";
  done(std::move(answer));
  return true;
}

void FakeLink::Prepare(const grpc::ByteBuffer& bytes, absl::Duration,
                       OnAnswer<v1::PrepareResponse> done) {
  if (FailsAsDown(done)) return;
  grpc::ByteBuffer copy(bytes);
  v1::PrepareRequest request;
  LOCKSTEP_CHECK((grpc::SerializationTraits<v1::PrepareRequest>::Deserialize(&copy, &request).ok()),
                 "a Prepare that cannot be read");
  node_->prepared.push_back(request);
  Answered<v1::PrepareResponse> answer;
  node_->Fill(answer.response.mutable_report(), request.target().term());
  for (int i = 0; i + node_->missing_votes < request.branches_size(); ++i) {
    v1::BranchVote* vote = answer.response.add_votes();
    vote->set_vote(v1::VOTE_YES);
    if (node_->vote) *vote = node_->vote(request.branches(i));
  }
  answer.response.mutable_sync_time()->set_nanos(1000);
  if (!node_->holds_votes) return done(std::move(answer));
  auto held =
      std::make_shared<std::pair<OnAnswer<v1::PrepareResponse>, Answered<v1::PrepareResponse>>>(
          std::move(done), std::move(answer));
  node_->held.push_back([held] { held->first(std::move(held->second)); });
}

void FakeLink::Commit(const v1::CommitRequest& request, absl::Duration,
                      OnAnswer<v1::CommitResponse> done) {
  if (FailsAsDown(done)) return;
  node_->committed.push_back(request);
  node_->applied = request.round();
  Answered<v1::CommitResponse> answer;
  node_->Fill(answer.response.mutable_report(), request.target().term());
  done(std::move(answer));
}

void FakeLink::Rollback(const v1::RollbackRequest& request, absl::Duration,
                        OnAnswer<v1::RollbackResponse> done) {
  if (FailsAsDown(done)) return;
  node_->rolled_back.push_back(request);
  Answered<v1::RollbackResponse> answer;
  node_->Fill(answer.response.mutable_report(), request.target().term());
  done(std::move(answer));
}

void FakeLink::Fence(const v1::FenceRequest& request, absl::Duration,
                     OnAnswer<v1::FenceResponse> done) {
  if (FailsAsDown(done)) return;
  node_->fenced.push_back(request);
  Answered<v1::FenceResponse> answer;
  if (node_->fence_error) {
    answer.failed.emplace();
    answer.failed->failure = CallFailure::kRefused;
    answer.failed->error = *node_->fence_error;
  } else {
    node_->Fill(answer.response.mutable_report(), request.target().term());
  }
  done(std::move(answer));
}

void FakeLink::Status(const v1::StatusRequest& request, absl::Duration, bool,
                      OnAnswer<v1::StatusResponse> done) {
  if (FailsAsDown(done)) return;
  Answered<v1::StatusResponse> answer;
  node_->Fill(answer.response.mutable_report(), request.target().term());
  done(std::move(answer));
}

void FakeLink::Read(const v1::ReadRequest& request, absl::Duration,
                    OnAnswer<v1::ReadResponse> done) {
  if (FailsAsDown(done)) return;
  done(node_->read(request));
}

}  // namespace lockstep::coordinator
