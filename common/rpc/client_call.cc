#include "common/rpc/client_call.h"

#include "absl/time/clock.h"
#include "common/check.h"

namespace lockstep::rpc {

void CallGroup::CancelAll() {
  std::lock_guard lock(mutex_);
  cancelled_ = true;
  for (grpc::ClientContext* context : contexts_) context->TryCancel();
}

GroupMember::GroupMember(std::shared_ptr<CallGroup> group, grpc::ClientContext* context)
    : group_(std::move(group)), context_(context) {
  std::lock_guard lock(group_->mutex_);
  group_->contexts_.insert(context_);
  // A call that is cancelled before it starts ends as soon as it does.
  if (group_->cancelled_) context_->TryCancel();
}

GroupMember::~GroupMember() {
  std::lock_guard lock(group_->mutex_);
  group_->contexts_.erase(context_);
}

namespace internal {

std::unique_ptr<grpc::ClientContext> NewContext(const CallOptions& options) {
  LOCKSTEP_CHECK(options.timeout < absl::InfiniteDuration(), "every call has a deadline");
  auto context = std::make_unique<grpc::ClientContext>();
  // A span, not a date: a step of the wall clock must neither end nor prolong the call.
  context->set_deadline(
      gpr_time_from_nanos(absl::ToInt64Nanoseconds(options.timeout), GPR_TIMESPAN));
  context->set_wait_for_ready(options.wait_for_ready);
  return context;
}

grpc::Status QueueShutDown() {
  return grpc::Status(grpc::StatusCode::CANCELLED, "this process is stopping");
}

}  // namespace internal
}  // namespace lockstep::rpc
