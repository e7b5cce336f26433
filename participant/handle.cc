#include "participant/handle.h"

#include <utility>

#include "participant/core.h"
#include "participant/errors.h"

namespace lockstep::participant {
namespace {

// An actor that works on one thing for so long is busy; a health check does not wait for it.
constexpr absl::Duration kBusyAfter = absl::Milliseconds(100);

constexpr char kClients[] = "queue of clients' calls (queue_places)";

}  // namespace

const NodeIdentity& ParticipantHandle::name() const { return core_->options.engine.name; }

NodeReport ParticipantHandle::Report() const { return core_->board.Get(); }

void ParticipantHandle::WatchServing(std::function<void(bool)> watcher) const {
  core_->board.WatchServing(std::move(watcher));
}

template <typename TheMessage>
void ParticipantHandle::Push(TheMessage its) const {
  Message message(std::move(its));
  // Clients have taken a place of their own number before.
  if (core_->actor->Push(std::move(message), Place::kReserved)) return;
  std::get<TheMessage>(message).done(
      NoPlace("mailbox", core_->options.client_places + core_->options.coordinator_places));
}

Error ParticipantHandle::NoPlace(const char* where, size_t places) const {
  return core_->actor->stopped() ? ShuttingDown(name()) : QueueFull(where, places, name());
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
  Places::Place place = stuck ? nullptr : core_->client_places.Take();
  if (place == nullptr) {
    health.busy = true;
    return done(health);
  }
  Push(HealthMessage{[health, done = std::move(done)](Result<Ok> alive) mutable {
                       done(alive.ok() ? Result<Health>(health)
                                       : Result<Health>(std::move(alive).error()));
                     },
                     std::move(place)});
}

void ParticipantHandle::Execute(LocalCall call, Done<std::vector<StatementResult>> done) const {
  Places::Place place = core_->client_places.Take();
  if (place == nullptr) return done(NoPlace(kClients, core_->options.client_places));
  Push(LocalMessage{std::move(call.statements), core_->clock.MonotonicNow() + call.timeout,
                    std::move(done), std::move(place)});
}

void ParticipantHandle::Query(QueryCall call, Done<QueryRows> done) const {
  Places::Place place = core_->client_places.Take();
  if (place == nullptr) return done(NoPlace(kClients, core_->options.client_places));
  core_->readers.Submit(std::move(call), Asker::kClient, std::move(place), std::move(done));
}

void ParticipantHandle::QueryOfCoordinator(QueryCall call, Done<QueryRows> done) const {
  Places::Place place = core_->coordinator_reads.Take();
  if (place == nullptr) {
    return done(NoPlace("queue of the coordinator's reads", core_->options.coordinator_reads));
  }
  core_->readers.Submit(std::move(call), Asker::kCoordinator, std::move(place), std::move(done));
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
    return QueryOfCoordinator(std::move(call.query), std::move(done));
  }
  ReadTermMessage message{call.target.term, least, nullptr};
  message.done = [handle = *this, query = std::move(call.query),
                  done = std::move(done)](Result<Ok> admitted) mutable {
    if (!admitted.ok()) return done(std::move(admitted).error());
    handle.QueryOfCoordinator(std::move(query), std::move(done));
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
