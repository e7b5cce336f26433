// Clients that retry with a request_id, and what coordinators make of it (rules R18, R19).
#include <algorithm>
#include <utility>

#include "tests/simulation/trace.h"
#include "tests/simulation/world.h"

namespace lockstep::simulation {

using coordinator::RequestTable;

namespace {

// It is sent again for so long.
constexpr absl::Duration kRequestLifetime = absl::Milliseconds(500);

}  // namespace

// One that a later one has followed cannot have the log any more (R20).
std::optional<size_t> World::LatestCoordinator() const {
  std::optional<size_t> latest;
  for (size_t i = 0; i < coordinators_.size(); ++i) {
    if (!IsOnCopy(*coordinators_[i])) latest = i;
  }
  return latest && coordinators_[*latest]->alive ? latest : std::nullopt;
}

// Sends it to the latest coordinator, with a higher attempt each time, until it is committed, or
// asks for it. A try that is given up waits in the network, and dies with the coordinator that it
// was sent to.
void World::TryRequest(size_t client) {
  Client& its = clients_[client];
  const std::optional<size_t> latest = LatestCoordinator();
  if (!latest) return;
  if (its.request && its.request->its.expires <= right_time() + its.ahead) its.request.reset();
  if (its.request && random_.Chance(options_.question)) return AskForRequest(client, *latest);
  if (!its.request) {
    its.request.emplace();
    its.request->its.id = absl::StrCat("c", client, "-", next_transaction_);
    its.request->its.key = random_.Below(1000);  // some ids share one
    its.request->its.body.low = next_transaction_;
    // Its clock is right, or jumps with the coordinators' machine.
    its.ahead = random_.Chance(0.5) ? skew_ : absl::ZeroDuration();
    its.request->its.expires = right_time() + its.ahead + kRequestLifetime;
    its.request->transaction = NewTransaction(DrawDatabases());
  }
  ++its.request->its.attempt;
  its.request->transaction = NewTransaction(its.request->transaction >> kDatabasesShift);
  its.request->participants = ParticipantsOf(its.request->transaction);
  truth_.Tried(*its.request);
  if (random_.Chance(options_.late_try)) {
    late_tries_.push_back({*latest, *its.request});
    return;
  }
  its.busy = true;
  its.coordinator = *latest;
  its.transaction = its.request->transaction;
  Admit(*latest, SimTry(*its.request));
}

// As GetTransaction does, with an attempt above those that were tried; but that it is remembered
// until the tries expire, so that what is told here holds for all of them.
void World::AskForRequest(size_t client, size_t index) {
  Coordinator& coordinator = *coordinators_[index];
  coordinator::RequestTry& its = clients_[client].request->its;
  ++its.attempt;
  coordinator::RequestTry asked = its;
  asked.retention = coordinator.requests.RetentionOf(asked, RequestNowOf(coordinator));
  if (options_.attempts_are_ignored) asked.attempt = 0;
  bool has_room = false;
  const RequestTable::Standing standing = coordinator.requests.Ask(asked, &has_room);
  if (!has_room) return truth_.Violate("no question has room (R19)");
  Trace("c", index, " is asked for attempt ", its.attempt, " of ", its.id,
        standing.in_flight ? ", in flight" : "", standing.aborted ? ", aborted" : "");
  if (standing.in_flight) return;
  asked.retention = {};
  std::optional<CommittedTry> answer;
  if (!standing.rounds.empty() &&
      !coordinator.log->FindAnswer(coordinator.term, asked, standing.rounds, &answer)) {
    return EndCoordinator(index);
  }
  if (answer) {
    const std::string id = its.id;
    clients_[client].request.reset();
    return truth_.ToldCommitted(id, answer->second);
  }
  standing.aborted ? truth_.ToldAborted(its.id, its.attempt)
                   : truth_.ToldUnknown(its.id, its.attempt);
}

void World::DeliverLateTry() {
  if (late_tries_.empty()) return;
  std::swap(late_tries_[random_.Below(late_tries_.size())], late_tries_.back());
  const LateTry late = std::move(late_tries_.back());
  late_tries_.pop_back();
  if (coordinators_[late.coordinator]->alive) Admit(late.coordinator, late.its);
}

void World::Admit(size_t index, const SimTry& its) {
  Coordinator& coordinator = *coordinators_[index];
  const coordinator::RequestTime now = RequestNowOf(coordinator);
  SimTry taken = its;
  taken.its.retention = coordinator.requests.RetentionOf(taken.its, now);
  if (options_.attempts_are_ignored) taken.its.attempt = 0;
  const RequestTable::Admission admission =
      coordinator.requests.Admit(taken.its, taken.transaction, now);
  Trace("c", index, " try ", its.its.attempt, " of ", its.its.id, " as tx",
        its.transaction & (kNondeterministicBit - 1), ", verdict ",
        static_cast<int>(admission.verdict));
  switch (admission.verdict) {
    case RequestTable::Verdict::kRun:
      return RunTry(index, taken);
    case RequestTable::Verdict::kLookUp: {
      std::optional<CommittedTry> answer;
      if (!coordinator.log->FindAnswer(coordinator.term, taken.its, admission.rounds, &answer)) {
        return EndCoordinator(index);
      }
      if (!answer) return RunAfterLookUp(index, taken, now);
      for (const TransactionHandle joined : coordinator.requests.End(taken.its, answer->first)) {
        Tell(joined, answer->second);
      }
      return Tell(its.transaction, answer->second);
    }
    case RequestTable::Verdict::kJoin:
      return;
    default:
      return RefuseFor(admission.verdict, taken.transaction);
  }
}

void World::RunAfterLookUp(size_t index, const SimTry& its, const coordinator::RequestTime& now) {
  RequestTable& requests = coordinators_[index]->requests;
  const RequestTable::Verdict verdict = requests.AdmitUnknown(its.its, now).verdict;
  if (verdict == RequestTable::Verdict::kRun) return RunTry(index, its);
  for (const TransactionHandle joined : requests.EndUnknown(its.its)) Refuse(joined);
  RefuseFor(verdict, its.transaction);
}

void World::RefuseFor(RequestTable::Verdict verdict, TransactionHandle of_try) {
  const bool is_latest = std::any_of(clients_.begin(), clients_.end(), [&](const Client& client) {
    return client.busy && client.transaction == of_try;
  });
  if (verdict == RequestTable::Verdict::kOutdated && is_latest) {
    truth_.Violate("the latest attempt is refused (R19)");
  } else if (verdict == RequestTable::Verdict::kExpired) {
    Refuse(of_try);
  } else if (verdict != RequestTable::Verdict::kOutdated) {
    truth_.Violate("a try is refused for no reason (R18)");
  }
}

void World::RunTry(size_t index, const SimTry& its) {
  coordinators_[index]->tries.emplace(its.transaction, its);
  Submit(index, its.transaction, its.participants);
}

std::vector<SimTry> World::TriesOf(const Coordinator& coordinator,
                                   const coordinator::LogDecision& record) const {
  std::vector<SimTry> tries;
  for (const TransactionHandle transaction : record.committed) {
    const auto its = coordinator.tries.find(transaction);
    if (its == coordinator.tries.end()) continue;
    tries.push_back(its->second);
    coordinator::RequestTry& request = tries.back().its;
    request.retention =
        coordinator.requests.RetentionOfAnswer(request.id, RequestNowOf(coordinator));
  }
  return tries;
}

void World::EndTry(size_t index, const coordinator::Complete& complete) {
  Coordinator& coordinator = *coordinators_[index];
  const auto ended = coordinator.tries.extract(complete.transaction);
  if (ended.empty()) return;
  const bool committed = complete.ending == coordinator::Ending::kCommitted;
  std::optional<TransactionHandle> as;
  if (committed) as = complete.transaction;
  for (const TransactionHandle joined :
       coordinator.requests.End(ended.mapped().its, committed ? complete.round : RoundId())) {
    Tell(joined, as);
  }
  Tell(complete.transaction, as);
}

// Its expire_time has passed, by the coordinator's clock or by one that it had: nothing is told of
// earlier tries.
void World::Refuse(TransactionHandle of_try) {
  for (Client& client : clients_) {
    if (client.request && client.transaction == of_try) client.busy = false;
  }
}

// Answers the client whose latest try this is; nobody waits for one that was given up.
void World::Tell(TransactionHandle of_try, std::optional<TransactionHandle> committed) {
  for (Client& client : clients_) {
    if (!client.request || client.transaction != of_try) continue;
    client.busy = false;
    const coordinator::RequestTry its = client.request->its;
    if (committed) {
      client.request.reset();
      truth_.ToldCommitted(its.id, *committed);
    } else {
      truth_.ToldAborted(its.id, its.attempt);
    }
  }
}

}  // namespace lockstep::simulation
