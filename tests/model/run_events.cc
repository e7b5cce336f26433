#include "tests/model/run_events.h"

#include <utility>
#include <variant>

namespace lockstep::model {

using coordinator::CallFailure;
using coordinator::Event;
using simulation::Request;

namespace {

Event EventOfOk(const Message& message, Deeds* deeds) {
  const simulation::ParticipantIndex p = message.request.participant;
  const RoundId round = message.request.round;
  const simulation::Report& report = message.answer.report;
  switch (message.request.kind) {
    case Request::Kind::kPrepare: {
      coordinator::PrepareAnswered event{p, round, report, message.answer.votes, {}};
      deeds->emplace_back(event);
      return event;
    }
    case Request::Kind::kCommit:
      return coordinator::CommitAnswered{p, round, report};
    case Request::Kind::kRollback:
      return coordinator::RollbackAnswered{p, round, report};
    case Request::Kind::kFence:
      return coordinator::FenceAnswered{p, report};
    case Request::Kind::kStatus:
      return coordinator::StatusAnswered{p, report};
    case Request::Kind::kRead:
      break;
  }
  if (message.answer.visible < message.must_show) {
    deeds->emplace_back(Violation{"a read misses a transaction that was answered before it (R21)"});
  }
  return coordinator::Heard{p, report.boot_id, report.durable};
}

}  // namespace

std::vector<Event> EventsOfAnswer(const Message& message, Deeds* deeds) {
  if (message.answer.ok) return {EventOfOk(message, deeds)};
  const simulation::ParticipantIndex p = message.request.participant;
  const simulation::Report& report = message.answer.report;
  std::vector<Event> events = {coordinator::Heard{p, report.boot_id, report.durable}};
  if (message.answer.strayed) {
    events.emplace_back(coordinator::FenceRefused{p, "strayed"});
  } else {
    for (Event& event : EventsOfFailure(message.request, message.answer.failure)) {
      events.push_back(std::move(event));
    }
  }
  return events;
}

std::vector<Event> EventsOfFailure(const Request& request, CallFailure failure) {
  const simulation::ParticipantIndex p = request.participant;
  switch (request.kind) {
    case Request::Kind::kPrepare:
      return {coordinator::PrepareFailed{p, request.round, failure}};
    case Request::Kind::kCommit:
      return {coordinator::CommitFailed{p, request.round, failure}};
    case Request::Kind::kRollback:
      return {coordinator::RollbackFailed{p, request.round, failure}};
    case Request::Kind::kFence:
      return {coordinator::FenceFailed{p, failure, "as told to"}};
    case Request::Kind::kStatus:
      return {coordinator::StatusFailed{p, failure}};
    case Request::Kind::kRead:
      break;
  }
  return {};
}

bool RequestOf(const coordinator::Effect& effect, Request* request) {
  if (const auto* prepare = std::get_if<coordinator::SendPrepare>(&effect)) {
    request->kind = Request::Kind::kPrepare;
    request->participant = prepare->participant;
    request->round = prepare->round;
    request->branches = prepare->branches;
  } else if (const auto* commit = std::get_if<coordinator::SendCommit>(&effect)) {
    request->kind = Request::Kind::kCommit;
    request->participant = commit->participant;
    request->round = commit->round;
    request->cut = commit->cut;
  } else if (const auto* rollback = std::get_if<coordinator::SendRollback>(&effect)) {
    request->kind = Request::Kind::kRollback;
    request->participant = rollback->participant;
    request->round = rollback->round;
  } else if (const auto* fence = std::get_if<coordinator::SendFence>(&effect)) {
    request->kind = Request::Kind::kFence;
    request->participant = fence->participant;
  } else if (const auto* status = std::get_if<coordinator::SendStatus>(&effect)) {
    request->kind = Request::Kind::kStatus;
    request->participant = status->participant;
  } else {
    return false;
  }
  return true;
}

}  // namespace lockstep::model
