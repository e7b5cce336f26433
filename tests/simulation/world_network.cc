// The network of a simulated world.
#include <utility>

#include "tests/simulation/trace.h"
#include "tests/simulation/world.h"

namespace lockstep::simulation {

using coordinator::CallFailure;

size_t World::PickMessage() {
  return random_.Chance(options_.reorder) ? random_.Below(network_.size()) : 0;
}

// What is cut off may be lost, or arrive when the cut is healed.
bool World::HasToWait(const Message& message) {
  if (const auto* request = std::get_if<Request>(&message)) {
    return busy_until_[request->participant] > now_ ||
           outages_.Blocks(request->participant, Outages::Direction::kRequests, now_);
  }
  return outages_.Blocks(std::get<Answer>(message).participant, Outages::Direction::kAnswers, now_);
}

void World::DeliverOne() {
  const size_t index = PickMessage();
  if (random_.Chance(options_.delay)) return;
  if (HasToWait(network_[index])) {
    // Others may pass it; it is lost when nobody waits for it any more.
    Message waits = std::move(network_[index]);
    network_.erase(network_.begin() + static_cast<std::ptrdiff_t>(index));
    if (!random_.Chance(options_.cut_off_is_lost)) network_.push_back(std::move(waits));
    return;
  }
  const bool repeat =
      std::holds_alternative<Request>(network_[index]) && random_.Chance(options_.repeat_request);
  Message message = repeat ? network_[index] : std::move(network_[index]);
  if (!repeat) network_.erase(network_.begin() + static_cast<std::ptrdiff_t>(index));
  if (std::holds_alternative<Request>(message)) {
    Deliver(std::move(std::get<Request>(message)));
  } else {
    Deliver(std::get<Answer>(message));
  }
}

void World::LoseCall(const Request& request, CallFailure failure) {
  auto& calls = coordinators_[request.coordinator]->calls;
  const auto call = calls.find(request.call);
  if (call == calls.end()) return;
  call->second.fails_at =
      std::min(call->second.fails_at, now_ + DrawBelow(options_.longest_loss, &random_));
  call->second.failure = failure;
}

void World::Deliver(Request request) {
  SimParticipant& participant = *participants_[request.participant];
  const CallFailure seen =
      random_.Chance(options_.loss_is_seen) ? CallFailure::kUnavailable : CallFailure::kTimeout;
  if (random_.Chance(options_.lose_request)) return LoseCall(request, seen);
  if (!participant.alive()) return LoseCall(request, CallFailure::kUnavailable);
  Answer answer;
  answer.call = request.call;
  answer.coordinator = request.coordinator;
  answer.participant = request.participant;
  if (random_.Chance(options_.slow_disk)) {
    busy_until_[request.participant] = now_ + DrawBelow(options_.longest_disk_pause, &random_);
  }
  const SimParticipant::Handled handled = participant.Handle(request, &answer);
  Check(request.participant);
  Trace("p", request.participant, " ", Describe(request), " -> ",
        handled == SimParticipant::Handled::kDied ? std::string("dies") : Describe(answer));
  if (handled == SimParticipant::Handled::kDied) {
    return LoseCall(request, CallFailure::kUnavailable);
  }
  if (handled == SimParticipant::Handled::kWait) {
    const auto& calls = coordinators_[request.coordinator]->calls;
    if (calls.contains(request.call)) network_.emplace_back(std::move(request));
    return;
  }
  if (random_.Chance(options_.lose_answer)) return LoseCall(request, seen);
  network_.emplace_back(std::move(answer));
}

void World::Deliver(const Answer& answer) {
  Coordinator& coordinator = *coordinators_[answer.coordinator];
  const auto found = coordinator.calls.find(answer.call);
  if (!coordinator.alive || found == coordinator.calls.end()) return;
  const Call call = found->second;
  coordinator.calls.erase(found);
  if (answer.ok) {
    Answered(&coordinator, call, answer);
  } else {
    coordinator.inbox.emplace_back(
        coordinator::Heard{call.participant, answer.report.boot_id, answer.report.durable});
    if (answer.strayed) {
      coordinator.inbox.emplace_back(coordinator::FenceRefused{call.participant, "strayed"});
    } else {
      Fail(&coordinator, call, answer.failure);
    }
  }
}

void World::Answered(Coordinator* coordinator, const Call& call, const Answer& answer) {
  const ParticipantIndex p = call.participant;
  auto& inbox = coordinator->inbox;
  switch (call.kind) {
    case Request::Kind::kPrepare: {
      coordinator::PrepareAnswered event{p, call.round, answer.report, answer.votes,
                                         absl::Microseconds(random_.Below(20000))};
      truth_.Voted(event);
      for (Vote& vote : event.votes) {
        vote.vetoed = vote.kind == Vote::Kind::kYes && random_.Chance(options_.veto);
      }
      inbox.emplace_back(std::move(event));
      break;
    }
    case Request::Kind::kCommit:
      inbox.emplace_back(coordinator::CommitAnswered{p, call.round, answer.report});
      break;
    case Request::Kind::kRollback:
      inbox.emplace_back(coordinator::RollbackAnswered{p, call.round, answer.report});
      break;
    case Request::Kind::kFence:
      if (IsOnCopy(*coordinator)) truth_.Violate("an old copy of the log was obeyed (R22)");
      inbox.emplace_back(coordinator::FenceAnswered{p, answer.report});
      break;
    case Request::Kind::kStatus:
      inbox.emplace_back(coordinator::StatusAnswered{p, answer.report});
      break;
    case Request::Kind::kRead:
      clients_[call.client].busy = false;
      ++reads_;
      history_.HasRead({config_.participants[p].database, call.invoked, now_, answer.rows});
      if (answer.visible < call.must_show) {
        truth_.Violate("a read misses a transaction that was answered before it (R21)");
      }
      break;
  }
}

void World::Fail(Coordinator* coordinator, const Call& call, CallFailure failure) {
  const ParticipantIndex p = call.participant;
  auto& inbox = coordinator->inbox;
  switch (call.kind) {
    case Request::Kind::kPrepare:
      inbox.emplace_back(coordinator::PrepareFailed{p, call.round, failure});
      break;
    case Request::Kind::kCommit:
      inbox.emplace_back(coordinator::CommitFailed{p, call.round, failure});
      break;
    case Request::Kind::kRollback:
      inbox.emplace_back(coordinator::RollbackFailed{p, call.round, failure});
      break;
    case Request::Kind::kFence:
      inbox.emplace_back(coordinator::FenceFailed{p, failure, "as told to"});
      break;
    case Request::Kind::kStatus:
      inbox.emplace_back(coordinator::StatusFailed{p, failure});
      break;
    case Request::Kind::kRead:
      clients_[call.client].busy = false;
      break;
  }
}

void World::FailOverdueCalls() {
  for (const auto& coordinator : coordinators_) {
    if (!coordinator->alive) continue;
    for (auto call = coordinator->calls.begin(); call != coordinator->calls.end();) {
      if (call->second.fails_at > now_) {
        ++call;
        continue;
      }
      const Call failed = call->second;
      call = coordinator->calls.erase(call);
      Fail(coordinator.get(), failed, failed.failure);
    }
  }
}

}  // namespace lockstep::simulation
