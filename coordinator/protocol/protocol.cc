#include "coordinator/protocol/protocol.h"

#include <utility>

#include "coordinator/protocol/core.h"

namespace lockstep::coordinator {

Protocol::Protocol(Config config, StartState start)
    : core_(std::make_unique<Core>(std::move(config), std::move(start))) {}
Protocol::~Protocol() = default;
Protocol::Protocol(const Protocol& other) : core_(std::make_unique<Core>(*other.core_)) {}

void Protocol::Start(Now now, std::vector<Effect>* effects) { core_->Start(now, effects); }

void Protocol::Step(const Event& event, Now now, std::vector<Effect>* effects) {
  core_->StepAll(absl::MakeConstSpan(&event, 1), now, effects);
}

void Protocol::StepAll(absl::Span<const Event> events, Now now, std::vector<Effect>* effects) {
  core_->StepAll(events, now, effects);
}

std::optional<ReadRoute> Protocol::RouteRead(DatabaseIndex database) const {
  return core_->RouteRead(database);
}

std::optional<ReadRoute> Protocol::RouteReadTo(ParticipantIndex participant) const {
  return core_->RouteReadTo(participant);
}

RoundId Protocol::DatabaseVersion(DatabaseIndex database) const {
  return core_->DatabaseVersion(database);
}

uint64_t Protocol::queue_length() const { return core_->queue_length(); }

View Protocol::GetView() const { return core_->GetView(); }

void Protocol::CheckInvariants() const { core_->CheckInvariants(); }

void Protocol::AppendState(std::vector<uint64_t>* words) const { core_->AppendState(words); }

}  // namespace lockstep::coordinator
