#include "tests/model/message.h"

namespace lockstep::model {
namespace {

uint64_t Word(RoundId round) { return static_cast<uint64_t>(round.value()); }

void AppendRequest(const simulation::Request& request, Words* words) {
  words->push_back(static_cast<uint64_t>(request.kind));
  words->push_back(request.coordinator);
  words->push_back(request.participant);
  words->push_back(request.term);
  words->push_back(Word(request.round));
  words->push_back(request.cut);
  words->push_back(request.runs.size());
  words->insert(words->end(), request.runs.begin(), request.runs.end());
  words->push_back(request.branches.size());
  for (const simulation::PreparedBranch& branch : request.branches) {
    words->push_back(branch.transaction);
    words->push_back(branch.seed);
  }
}

void AppendAnswer(const simulation::Answer& answer, Words* words) {
  words->push_back(answer.ok ? 1 : 0);
  words->push_back(static_cast<uint64_t>(answer.failure));
  words->push_back(answer.strayed ? 1 : 0);
  words->push_back(answer.report.boot_id);
  words->push_back(answer.report.term);
  for (const RoundId round :
       {answer.report.applied, answer.report.durable, answer.report.prepared, answer.visible}) {
    words->push_back(Word(round));
  }
  words->push_back(answer.report.in_doubt ? 1 : 0);
  for (const simulation::Vote& vote : answer.votes) {
    words->push_back(static_cast<uint64_t>(vote.kind));
    words->push_back(vote.digest);
  }
}

}  // namespace

Id Messages::Intern(const Message& message) {
  Words words = {static_cast<uint64_t>(message.kind), message.live ? uint64_t{1} : 0,
                 Word(message.must_show)};
  AppendRequest(message.request, &words);
  if (message.kind == Message::Kind::kAnswer) AppendAnswer(message.answer, &words);
  return messages_.Intern(words, message);
}

Id Messages::Orphan(Id id) {
  Message message = at(id);
  const bool only_asks = message.request.kind == simulation::Request::Kind::kStatus ||
                         message.request.kind == simulation::Request::Kind::kRead;
  if (message.kind != Message::Kind::kRequest || only_asks) return 0;
  message.live = false;
  return Intern(message);
}

}  // namespace lockstep::model
