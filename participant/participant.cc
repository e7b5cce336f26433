#include "participant/participant.h"

#include <utility>

#include "participant/core.h"

namespace lockstep::participant {
namespace {

ReaderPoolOptions ReadersOf(const ParticipantOptions& options) {
  ReaderPoolOptions readers;
  readers.name = options.engine.name;
  readers.readers = options.engine.readers;
  readers.limits = options.engine.execution;
  readers.limits.statement_budget = options.query_budget;
  return readers;
}

}  // namespace

internal::Core::Core(ParticipantOptions its_options, const Clock* its_clock)
    : options(std::move(its_options)),
      clock(*its_clock),
      client_places(options.client_places),
      coordinator_reads(options.coordinator_reads),
      readers(its_clock, ReadersOf(options)),
      engine(options.engine, its_clock, &board, &readers) {}

absl::StatusOr<std::unique_ptr<Participant>> Participant::Start(ParticipantOptions options,
                                                                const Clock* clock) {
  auto core = std::make_shared<internal::Core>(std::move(options), clock);
  if (absl::Status opened = core->engine.Open(); !opened.ok()) return opened;
  core->open_times = core->engine.open_times();
  internal::Core* its = core.get();
  const auto work = [its](auto&& step) {
    its->actor_is_set.wait();
    its->busy_since.store(absl::ToInt64Nanoseconds(its->clock.MonotonicNow()));
    step();
    its->actor->SetIdleAfter(its->engine.NextWake());
    its->busy_since.store(0);
  };
  core->actor = std::make_unique<Actor<Message>>(
      "writer", core->options.client_places, core->options.coordinator_places,
      [its, work](std::vector<Message>& batch) { work([&] { its->engine.Handle(batch); }); },
      core->engine.NextWake(), [its, work] { work([&] { its->engine.Idle(); }); });
  core->actor_is_set.count_down();
  return std::make_unique<Participant>(std::move(core));
}

const OpenTimes& Participant::open_times() const { return core_->open_times; }

Participant::~Participant() { Stop(); }

void Participant::Stop() {
  core_->actor->Stop();
  core_->readers.Stop();
  core_->engine.Close();
}

}  // namespace lockstep::participant
