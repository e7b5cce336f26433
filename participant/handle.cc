#include "participant/handle.h"

#include <utility>

#include "participant/core.h"
#include "participant/errors.h"

namespace lockstep::participant {
namespace {

// An actor that works on one thing for so long is busy; a health check does not wait for it.
constexpr absl::Duration kBusyAfter = absl::Milliseconds(100);

template <typename TheMessage>
constexpr Place PlaceOf() {
  const bool of_a_client =
      std::is_same_v<TheMessage, LocalMessage> || std::is_same_v<TheMessage, HealthMessage>;
  return of_a_client ? Place::kOrdinary : Place::kReserved;
}

}  // namespace

const NodeIdentity& ParticipantHandle::name() const { return core_->options.engine.name; }

NodeReport ParticipantHandle::Report() const { return core_->board.Get(); }

void ParticipantHandle::WatchServing(std::function<void(bool)> watcher) const {
  core_->board.WatchServing(std::move(watcher));
}

template <typename TheMessage>
void ParticipantHandle::Push(TheMessage its) const {
  Message message(std::move(its));
  if (core_->actor->Push(std::move(message), PlaceOf<TheMessage>())) return;
  const ParticipantOptions& options = core_->options;
  const size_t places =
      options.mailbox + (PlaceOf<TheMessage>() == Place::kReserved ? options.reserved : 0);
  std::get<TheMessage>(message).done(
      core_->actor->stopped() ? ShuttingDown(name()) : QueueFull("mailbox", places, name()));
}

std::optional<Error> ParticipantHandle::WrongTarget(const Target& target) const {
  if (target.cluster_id != name().cluster_id) {
    return NotMeantForThisNode("target.cluster_id", target.cluster_id, name().cluster_id, name());
  }
  if (target.node_id != name().node_id) {
    return NotMeantForThisNode("target.node_id", target.node_id, name().node_id, name());
  }
  return std::nullopt;
}

void ParticipantHandle::CheckHealth(Done<Health> done) const {
  Health health;
  health.mailbox_length = static_cast<uint32_t>(core_->actor->size());
  const absl::Duration since = absl::Nanoseconds(core_->busy_since.load());
  const bool stuck =
      since > absl::ZeroDuration() && core_->clock.MonotonicNow() - since > kBusyAfter;
  if (stuck || health.mailbox_length >= core_->options.mailbox) {
    health.busy = true;
    return done(health);
  }
  Push(HealthMessage{[health, done = std::move(done)](Result<Ok> alive) mutable {
    done(alive.ok() ? Result<Health>(health) : Result<Health>(std::move(alive).error()));
  }});
}

void ParticipantHandle::Execute(LocalCall call, Done<std::vector<StatementResult>> done) const {
  Push(LocalMessage{std::move(call.statements), core_->clock.MonotonicNow() + call.timeout,
                    std::move(done)});
}

void ParticipantHandle::Query(QueryCall call, Done<QueryRows> done) const {
  core_->readers.Submit(std::move(call), std::move(done));
}

void ParticipantHandle::Prepare(PrepareCall call, Done<Votes> done) const {
  if (std::optional<Error> wrong = WrongTarget(call.target)) return done(*wrong);
  Push(PrepareMessage{std::move(call), core_->clock.MonotonicNow(), std::move(done)});
}

void ParticipantHandle::Commit(CommitCall call, Done<Ok> done) const {
  if (std::optional<Error> wrong = WrongTarget(call.target)) return done(*wrong);
  Push(CommitMessage{std::move(call), std::move(done)});
}

void ParticipantHandle::Rollback(RollbackCall call, Done<Ok> done) const {
  if (std::optional<Error> wrong = WrongTarget(call.target)) return done(*wrong);
  Push(RollbackMessage{std::move(call), std::move(done)});
}

void ParticipantHandle::Fence(FenceCall call, Done<Ok> done) const {
  if (std::optional<Error> wrong = WrongTarget(call.target)) return done(*wrong);
  Push(FenceMessage{std::move(call), std::move(done)});
}

void ParticipantHandle::Read(ReadCall call, Done<QueryRows> done) const {
  if (std::optional<Error> wrong = WrongTarget(call.target)) return done(*wrong);
  const NodeReport report = Report();
  const RoundId least = call.query.least_round;
  if (report.identified && call.target.term == report.term && least.term() <= report.term &&
      least.value() >= 0) {
    return Query(std::move(call.query), std::move(done));
  }
  ReadTermMessage message{call.target.term, least, nullptr};
  message.done = [handle = *this, query = std::move(call.query),
                  done = std::move(done)](Result<Ok> admitted) mutable {
    if (!admitted.ok()) return done(std::move(admitted).error());
    handle.Query(std::move(query), std::move(done));
  };
  Push(std::move(message));
}

std::optional<Error> ParticipantHandle::Status(const StatusCall& call) const {
  if (std::optional<Error> wrong = WrongTarget(call.target)) return wrong;
  State state;
  state.term = Report().term;
  if (call.target.term >= state.term) return std::nullopt;
  return RefusedBy(Refusal::kTermOutdated, state, call.target.term, RoundId(), name());
}

}  // namespace lockstep::participant
