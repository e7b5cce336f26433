#include "common/rpc/server_call.h"

#include <grpc/support/time.h>

namespace lockstep::rpc::internal {
namespace {

Error NotStarted(Reason reason, std::string message) {
  Error error;
  error.reason = reason;
  error.message = std::move(message);
  error.outcome = FailureOutcome::kNotStarted;
  return error;
}

}  // namespace

std::optional<Error> Admit(MethodState* state) {
  const int before = state->in_flight.fetch_add(1, std::memory_order_relaxed);
  if (state->options.refuse_when_stopping && state->stopping->load(std::memory_order_relaxed)) {
    return NotStarted(Reason::kShuttingDown,
                      "this server is stopping, nothing was started; ask again once it is back");
  }
  if (before >= state->options.max_in_flight) {
    return NotStarted(Reason::kQueueFull,
                      state->name + " has " + std::to_string(state->options.max_in_flight) +
                          " calls waiting, its limit" +
                          (state->options.setting.empty() ? "" : " by " + state->options.setting) +
                          "; nothing was started, try again later");
  }
  return std::nullopt;
}

grpc::Status DroppedStatus(const MethodState& state) {
  return grpc::Status(grpc::StatusCode::INTERNAL, state.name + " ended without an answer");
}

absl::Duration TimeLeft(const grpc::ServerContext& context) {
  const gpr_timespec deadline = context.raw_deadline();
  if (gpr_time_cmp(deadline, gpr_inf_future(deadline.clock_type)) == 0) {
    return absl::InfiniteDuration();
  }
  const gpr_timespec left = gpr_time_sub(deadline, gpr_now(deadline.clock_type));
  return absl::Seconds(left.tv_sec) + absl::Nanoseconds(left.tv_nsec);
}

}  // namespace lockstep::rpc::internal
