#include "tests/simulation/scenario.h"

#include <cstdlib>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"
#include "tests/simulation/trace.h"

namespace lockstep::simulation {
namespace {

constexpr int kLongestSettlingMs = 60'000;

// Of "p1" or "c1"; of a number that is just that.
size_t NumberOf(const std::string& word) {
  return std::strtoull(word.c_str() + (word[0] == 'p' || word[0] == 'c' ? 1 : 0), nullptr, 10);
}

uint64_t DatabasesIn(const std::vector<std::string>& words, size_t first) {
  uint64_t databases = 0;
  for (size_t i = first; i < words.size(); ++i) databases |= uint64_t{1} << NumberOf(words[i]);
  return databases;
}

Options WithoutChance() {
  Options options;
  options.vote_defer = 0;
  options.nondeterministic = 0;
  options.veto = 0;
  options.short_deadline = 0;
  return options;
}

}  // namespace

std::vector<std::string> Scenario::Run(const std::vector<std::string>& steps) {
  options_ = WithoutChance();
  for (const std::string& step : steps) {
    lines_.push_back(step);
    Carry(absl::StrSplit(step, ' ', absl::SkipEmpty()));
    if (world_ != nullptr) {
      world_->Check();
      if (!failed_) failed_ = world_->truth().violation();
    }
    if (!failed_) continue;
    lines_.push_back("BROKEN: " + *failed_);
    break;
  }
  return lines_;
}

void Scenario::Carry(const Words& words) {
  if (SetUp(words)) return;
  if (world_ == nullptr) Make();
  if (!DoCoordinator(words) && !DoParticipant(words) && !DoMessage(words)) {
    Fail("this step is not known");
  }
}

bool Scenario::SetUp(const Words& words) {
  const std::string& what = words[0];
  if (what == "replicas") {
    options_.replicas.clear();
    for (size_t i = 1; i < words.size(); ++i) {
      options_.replicas.push_back(static_cast<uint32_t>(NumberOf(words[i])));
    }
  } else if (what == "seed") {
    seed_ = NumberOf(words[1]);
  } else if (what == "level") {
    options_.level = words[1] == "sqlite" ? Level::kSqlite : Level::kModel;
  } else {
    return false;
  }
  return true;
}

void Scenario::Make() {
  world_ = std::make_unique<World>(options_, seed_);
  world_->on_trace_ = [this](const std::string& line) { Tell(line); };
}

bool Scenario::DoCoordinator(const Words& words) {
  const std::string& what = words[0];
  if (what == "coordinator") {
    world_->StartCoordinator();
  } else if (what == "end") {
    world_->EndCoordinator(NumberOf(words[1]));
  } else if (what == "run") {
    RunCoordinators();
  } else if (what == "write-fails") {
    WriteAndFail(NumberOf(words[1]));
  } else if (what == "submit") {
    Submit(words);
  } else if (what == "try") {
    Try(words);
  } else if (what == "read") {
    Read(words);
  } else if (what == "wait") {
    Wait(static_cast<int64_t>(NumberOf(words[1])));
  } else if (what == "settle") {
    Settle();
  } else {
    return false;
  }
  return true;
}

bool Scenario::DoParticipant(const Words& words) {
  const std::string& what = words[0];
  if (what != "crash" && what != "start" && what != "idle") return false;
  SimParticipant& participant = *world_->participants_[NumberOf(words[1])];
  if ((what == "start") == participant.alive()) {
    Fail("the participant is not in the state for it");
  } else if (what == "crash") {
    participant.Crash(/*power=*/words.size() > 2 && words[2] == "power");
  } else if (what == "idle") {
    participant.Idle();
  } else {
    participant.Start();
    Tell(absl::StrCat("applied ", Describe(participant.applied()), " holds ",
                      Describe(participant.held())));
  }
  return true;
}

bool Scenario::DoMessage(const Words& words) {
  const std::string& what = words[0];
  if (what == "deliver" || what == "repeat") {
    if (auto request = TakeRequest(words, /*stays=*/what == "repeat")) world_->Deliver(*request);
  } else if (what == "lose") {
    if (auto request = TakeRequest(words, /*stays=*/false)) {
      world_->LoseCall(*request, coordinator::CallFailure::kTimeout);
    }
  } else if (what == "answer") {
    if (auto answer = TakeAnswer(words[1])) world_->Deliver(*answer);
  } else if (what == "lose-answer") {
    TakeAnswer(words[1]);  // its call fails in its time
  } else {
    return false;
  }
  return true;
}

void Scenario::RunCoordinators() {
  bool any = true;
  while (any) {
    any = false;
    for (size_t i = 0; i < world_->coordinators_.size(); ++i) {
      World::Coordinator& coordinator = *world_->coordinators_[i];
      if (!coordinator.alive) continue;
      if (!coordinator.waiting.empty()) {
        world_->RunLog(i);
        any = true;
      }
      any = any || !coordinator.inbox.empty();
      if (coordinator.alive) world_->RunCoordinator(i);
    }
  }
}

// Its decision gets to the disk, and the coordinator is told that it did not.
void Scenario::WriteAndFail(size_t index) {
  World::Coordinator& coordinator = *world_->coordinators_[index];
  world_->RunCoordinator(index);
  const LogWrite write = std::exchange(coordinator.waiting, {});
  if (write.decisions.size() != 1) return Fail("it has no decision to write");
  coordinator.log->Write(coordinator.term, write);
  coordinator.inbox.emplace_back(
      coordinator::DecisionFailed{write.decisions[0].record.round, "as told to"});
}

void Scenario::Submit(const Words& words) {
  const TransactionHandle transaction = world_->NewTransaction(DatabasesIn(words, 2));
  world_->Submit(NumberOf(words[1]), transaction, world_->ParticipantsOf(transaction));
}

void Scenario::Try(const Words& words) {
  SimTry its;
  its.its.id = words[2];
  its.its.attempt = static_cast<uint32_t>(NumberOf(words[3]));
  its.transaction = world_->NewTransaction(DatabasesIn(words, 4));
  its.participants = world_->ParticipantsOf(its.transaction);
  world_->truth_.Tried(its);
  world_->Admit(NumberOf(words[1]), its);
}

void Scenario::Read(const Words& words) {
  const size_t coordinator = NumberOf(words[1]);
  const size_t sent = world_->network_.size();
  world_->clients_[0].coordinator = coordinator;
  world_->SendRead(0, static_cast<DatabaseIndex>(NumberOf(words[2])));
  if (world_->network_.size() == sent) Tell("nobody can be read from");
}

void Scenario::Wait(int64_t ms) {
  world_->now_ += absl::Milliseconds(ms);
  world_->FailOverdueCalls();
}

// All that is under way arrives, in order, until nothing is left to be done.
void Scenario::Settle() {
  world_->options_.reorder = 0;
  world_->options_.delay = 0;
  for (int ms = 0; ms < kLongestSettlingMs; ++ms) {
    while (!world_->network_.empty()) {
      world_->DeliverOne();
      RunCoordinators();
    }
    for (const auto& participant : world_->participants_) {
      if (participant->alive()) participant->Idle();
    }
    Wait(1);
    RunCoordinators();
    if (world_->AtRest()) return;
  }
  Fail("no rest: " + world_->Unrest());
}

std::optional<Request> Scenario::TakeRequest(const Words& words, bool stays) {
  auto& network = world_->network_;
  for (size_t i = 0; i < network.size(); ++i) {
    const auto* request = std::get_if<Request>(&network[i]);
    if (request == nullptr || NameOf(request->kind) != words[1]) continue;
    if (request->participant != NumberOf(words[2])) continue;
    Request taken = *request;
    if (!stays) network.erase(network.begin() + static_cast<std::ptrdiff_t>(i));
    return taken;
  }
  Fail("no such request is under way");
  return std::nullopt;
}

std::optional<Answer> Scenario::TakeAnswer(const std::string& participant) {
  auto& network = world_->network_;
  for (size_t i = 0; i < network.size(); ++i) {
    const auto* answer = std::get_if<Answer>(&network[i]);
    if (answer == nullptr || answer->participant != NumberOf(participant)) continue;
    Answer taken = *answer;
    network.erase(network.begin() + static_cast<std::ptrdiff_t>(i));
    return taken;
  }
  Fail("no such answer is under way");
  return std::nullopt;
}

}  // namespace lockstep::simulation
