// Coordinators and clients of a simulated world.
#include <algorithm>
#include <utility>

#include "tests/simulation/trace.h"
#include "tests/simulation/world.h"

namespace lockstep::simulation {

using coordinator::Effect;
using coordinator::Event;

namespace {

constexpr absl::Duration kCallTimeout = absl::Seconds(1);
constexpr absl::Duration kReadTimeout = absl::Milliseconds(500);
// Chance per turn of a log's thread that has nothing to write.
constexpr double kLogTidies = 0.1;

}  // namespace

void World::StartCoordinator(SimLog* log) {
  const std::optional<coordinator::TermStart> start = log->Open();
  if (!start) return Trace("start of a coordinator in vain");
  double pace = 1;
  if (random_.Chance(options_.clock_drift)) {
    pace += options_.largest_drift * (static_cast<double>(random_.Below(100)) / 50 - 1);
  }
  coordinators_.push_back(std::make_unique<Coordinator>(config_, *start, log, now_, pace));
  Trace("start of coordinator ", coordinators_.size() - 1, " with term ", start->state.term,
        IsOnCopy(*coordinators_.back()) ? " on an old copy" : "");
  std::vector<Effect> effects;
  coordinators_.back()->protocol.Start(NowOf(*coordinators_.back()), &effects);
  if (!options_.is_broken) coordinators_.back()->invariants.ObserveStart(effects);
  CarryOut(coordinators_.size() - 1, std::move(effects));
}

void World::EndCoordinator(size_t index) {
  Coordinator& coordinator = *coordinators_[index];
  Trace("end of coordinator ", index);
  coordinator.alive = false;
  coordinator.log->End(coordinator.term, coordinator.waiting);
  for (Client& client : clients_) {
    if (client.busy && client.coordinator == index) client.busy = false;
  }
}

void World::Die(size_t index, const coordinator::Fatal& fatal) {
  Coordinator& coordinator = *coordinators_[index];
  if (fatal.superseded && !random_.Chance(options_.mark_fails)) {
    coordinator.log->MarkSuperseded(coordinator.term);
  }
  if (log_->superseded()) truth_.Violate("the newest log was taken for an older copy (R22)");
  EndCoordinator(index);
}

void World::EndThoseOnCopy() {
  for (size_t i = 0; i < coordinators_.size(); ++i) {
    if (coordinators_[i]->alive && IsOnCopy(*coordinators_[i])) EndCoordinator(i);
  }
}

// From then on nothing but the copy's own ignorance stands in its way.
bool World::AllHaveLeftCopyBehind() const {
  for (const auto& participant : participants_) {
    const uint64_t run = participant->coordinator();
    const bool knows =
        std::find(copied_runs_.begin(), copied_runs_.end(), run) != copied_runs_.end();
    if (run == 0 || knows) return false;
  }
  return true;
}

void World::StartOnCopy() {
  if (copy_ == nullptr) {
    copy_ = log_->Copy();
    copied_runs_ = log_->runs();
    Trace("the log is copied");
    return;
  }
  if (!AllHaveLeftCopyBehind()) return;
  const uint64_t most = options_.level == Level::kModel ? 6 : 2;  // a real start takes its time
  for (uint64_t starts = 1 + random_.Below(most); starts > 0 && !copy_->superseded(); --starts) {
    EndThoseOnCopy();
    StartCoordinator(copy_.get());
  }
}

void World::RunCoordinator(size_t index) {
  Coordinator& coordinator = *coordinators_[index];
  const coordinator::Now its_now = NowOf(coordinator);
  if (coordinator.next_tick <= its_now.monotonic) {
    coordinator.inbox.emplace_back(coordinator::Tick{});
    coordinator.next_tick = its_now.monotonic + coordinator::kTickInterval;
  }
  if (coordinator.inbox.empty()) return;
  const std::vector<Event> events = std::exchange(coordinator.inbox, {});
  std::vector<Effect> effects;
  coordinator.protocol.StepAll(events, its_now, &effects);
  if (!options_.is_broken) {
    coordinator.invariants.ObserveAll(events, effects);
    coordinator.protocol.CheckInvariants();
  }
  CarryOut(index, std::move(effects));
}

void World::CarryOut(size_t index, std::vector<Effect> effects) {
  Coordinator& coordinator = *coordinators_[index];
  for (Effect& effect : effects) {
    Trace("c", index, " ", Describe(effect));
    Request request;
    if (auto* prepare = std::get_if<coordinator::SendPrepare>(&effect)) {
      truth_.Sent(*prepare);
      request.kind = Request::Kind::kPrepare;
      request.participant = prepare->participant;
      request.round = prepare->round;
      request.branches = std::move(prepare->branches);
      Send(index, std::move(request), prepare->vote_deadline - NowOf(coordinator).monotonic);
    } else if (auto* record = std::get_if<coordinator::LogDecision>(&effect)) {
      std::vector<SimTry> tries = TriesOf(coordinator, *record);
      coordinator.waiting.decisions.push_back(
          {std::move(*record), std::move(tries), RequestNowOf(coordinator).log});
    } else if (auto* commit = std::get_if<coordinator::SendCommit>(&effect)) {
      request.kind = Request::Kind::kCommit;
      request.participant = commit->participant;
      request.round = commit->round;
      request.cut = commit->cut;
      Send(index, std::move(request), kCallTimeout);
    } else if (auto* rollback = std::get_if<coordinator::SendRollback>(&effect)) {
      request.kind = Request::Kind::kRollback;
      request.participant = rollback->participant;
      request.round = rollback->round;
      Send(index, std::move(request), kCallTimeout);
    } else if (auto* fence = std::get_if<coordinator::SendFence>(&effect)) {
      request.kind = Request::Kind::kFence;
      request.participant = fence->participant;
      Send(index, std::move(request), kCallTimeout);
    } else if (auto* status = std::get_if<coordinator::SendStatus>(&effect)) {
      request.kind = Request::Kind::kStatus;
      request.participant = status->participant;
      Send(index, std::move(request), coordinator::kStatusTimeout);
    } else if (auto* complete = std::get_if<coordinator::Complete>(&effect)) {
      truth_.Told(*complete);
      history_.Completed(complete->transaction, complete->ending == coordinator::Ending::kCommitted,
                         now_);
      EndClient(*complete);
      EndTry(index, *complete);
    } else if (auto* alarm = std::get_if<coordinator::Alarm>(&effect)) {
      truth_.Violate("alarm: " + alarm->reason);
    } else if (const auto* fatal = std::get_if<coordinator::Fatal>(&effect)) {
      return Die(index, *fatal);
    } else if (const auto* forget = std::get_if<coordinator::ForgetDecision>(&effect)) {
      coordinator.waiting.forget.push_back(forget->round);
    } else if (const auto* durable = std::get_if<coordinator::RecordDurable>(&effect)) {
      coordinator.waiting.durable_rounds.emplace_back(durable->participant, durable->durable);
    }
  }
}

void World::Send(size_t index, Request request, absl::Duration timeout) {
  Coordinator& coordinator = *coordinators_[index];
  request.call = next_call_++;
  request.coordinator = index;
  request.term = coordinator.term;
  if (request.kind == Request::Kind::kFence) request.runs = coordinator.runs;
  Call call;
  call.kind = request.kind;
  call.participant = request.participant;
  call.round = request.round;
  call.fails_at = now_ + timeout;
  coordinator.calls[request.call] = call;
  network_.emplace_back(std::move(request));
}

// One turn of the log's thread.
void World::RunLog(size_t index) {
  Coordinator& coordinator = *coordinators_[index];
  if (coordinator.log_busy_until > now_) return;
  if (random_.Chance(options_.slow_disk)) {
    coordinator.log_busy_until = now_ + DrawBelow(options_.longest_disk_pause, &random_);
  }
  if (!coordinator.waiting.empty()) {
    WriteLog(index);
  } else if (random_.Chance(kLogTidies)) {
    TidyLog(index);
  }
}

// All decisions that wait are one batch; the rest rides along, or waits until none does.
void World::WriteLog(size_t index) {
  Coordinator& coordinator = *coordinators_[index];
  LogWrite batch = std::exchange(coordinator.waiting, {});
  if (!batch.decisions.empty() && random_.Chance(0.5)) {
    std::swap(batch.forget, coordinator.waiting.forget);
    std::swap(batch.durable_rounds, coordinator.waiting.durable_rounds);
  }
  const bool written = coordinator.log->Write(coordinator.term, batch);
  if (!written) Trace("c", index, " write fails");
  if (!written && batch.decisions.empty()) return EndCoordinator(index);
  for (const DecisionWrite& write : batch.decisions) {
    const RoundId round = write.record.round;
    if (written) {
      coordinator.inbox.emplace_back(coordinator::DecisionDurable{round});
    } else {
      coordinator.inbox.emplace_back(coordinator::DecisionFailed{round, "as told to"});
    }
  }
}

void World::TidyLog(size_t index) {
  Coordinator& coordinator = *coordinators_[index];
  std::vector<coordinator::ForgottenAnswers> forgotten;
  const coordinator::RequestTime now = RequestNowOf(coordinator);
  if (!coordinator.log->Tidy(coordinator.term, now.log, &forgotten)) return EndCoordinator(index);
  for (const coordinator::ForgottenAnswers& answers : forgotten) {
    coordinator.requests.Forget(answers.round, answers.keys, answers.expires);
  }
  coordinator.requests.Expire(now);
}

void World::RunClient(size_t client) {
  if (clients_[client].request || random_.Chance(options_.request_id)) return TryRequest(client);
  std::vector<size_t> alive;
  for (size_t i = 0; i < coordinators_.size(); ++i) {
    if (coordinators_[i]->alive) alive.push_back(i);
  }
  if (alive.empty()) return;
  // Mostly the newest; an old one that still lives is asked too.
  clients_[client].coordinator =
      random_.Chance(0.7) ? alive.back() : alive[random_.Below(alive.size())];
  if (random_.Chance(0.3)) {
    SendRead(client, static_cast<DatabaseIndex>(random_.Below(options_.replicas.size())));
  } else {
    SubmitTransaction(client);
  }
}

void World::SubmitTransaction(size_t client) {
  clients_[client].busy = true;
  clients_[client].transaction = NewTransaction(DrawDatabases());
  Submit(clients_[client].coordinator, clients_[client].transaction,
         ParticipantsOf(clients_[client].transaction));
}

// In some of the databases, given as bits.
TransactionHandle World::NewTransaction(uint64_t databases) {
  TransactionHandle transaction = next_transaction_++ | databases << kDatabasesShift;
  if (random_.Chance(options_.nondeterministic)) transaction |= kNondeterministicBit;
  return transaction;
}

uint64_t World::AllDatabases() const { return (uint64_t{1} << options_.replicas.size()) - 1; }

uint64_t World::DrawDatabases() {
  const uint64_t chosen = random_.Below(AllDatabases() + 1);
  return chosen == 0 ? AllDatabases() : chosen;
}

ParticipantList World::ParticipantsOf(TransactionHandle transaction) const {
  ParticipantList list;
  for (ParticipantIndex p = 0; p < participants_.size(); ++p) {
    if (ChangesDatabase(transaction, config_.participants[p].database)) list.push_back(p);
  }
  return list;
}

void World::Submit(size_t index, TransactionHandle transaction,
                   const ParticipantList& participants) {
  coordinator::Submit submit;
  submit.transaction = transaction;
  submit.participants = participants;
  submit.bytes = 100;
  submit.deadline =
      NowOf(*coordinators_[index]).monotonic + (random_.Chance(options_.short_deadline)
                                                    ? absl::Milliseconds(random_.Below(200))
                                                    : absl::Seconds(1 + random_.Below(10)));
  truth_.Submitted(transaction, participants);
  history_.Invoked(transaction, now_);
  coordinators_[index]->inbox.emplace_back(std::move(submit));
}

void World::SubmitToAll() {
  coordinator::Submit submit;
  submit.transaction = NewTransaction(AllDatabases());
  submit.participants = ParticipantsOf(submit.transaction);
  last_transaction_ = submit.transaction;
  clients_[0].busy = true;
  clients_[0].transaction = submit.transaction;
  truth_.Submitted(submit.transaction, submit.participants);
  history_.Invoked(submit.transaction, now_);
  for (clients_[0].coordinator = 0; !coordinators_[clients_[0].coordinator]->alive;) {
    ++clients_[0].coordinator;
  }
  Coordinator& coordinator = *coordinators_[clients_[0].coordinator];
  submit.deadline = NowOf(coordinator).monotonic + absl::Seconds(10);
  coordinator.inbox.emplace_back(std::move(submit));
}

void World::SendRead(size_t client, DatabaseIndex database) {
  const size_t index = clients_[client].coordinator;
  const auto route = coordinators_[index]->protocol.RouteRead(database);
  if (!route) return;
  Request request;
  request.kind = Request::Kind::kRead;
  request.participant = route->participant;
  request.round = route->least_round;
  clients_[client].busy = true;
  Send(index, std::move(request), kReadTimeout);
  Call& call = coordinators_[index]->calls.rbegin()->second;
  call.client = client;
  call.invoked = now_;
  call.must_show = truth_.MustShow(route->participant);
}

void World::EndClient(const coordinator::Complete& complete) {
  const bool voted = complete.reason == coordinator::EndingReason::kNone ||
                     complete.reason == coordinator::EndingReason::kVoteNo;
  all_voted_ = all_voted_ || (voted && complete.transaction == last_transaction_);
  for (Client& client : clients_) {
    if (client.busy && client.transaction == complete.transaction) client.busy = false;
  }
}

}  // namespace lockstep::simulation
