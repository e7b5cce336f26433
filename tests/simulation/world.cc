#include "tests/simulation/world.h"

#include <sqlite3.h>

#include <utility>

#include "absl/strings/str_cat.h"
#include "tests/simulation/trace.h"

namespace lockstep::simulation {
namespace {

// How long, in simulated time, a quiet world may take to come to rest.
constexpr absl::Duration kLongestUnrest = absl::Seconds(120);

std::vector<DatabaseIndex> DatabasesOf(const Options& options) {
  std::vector<DatabaseIndex> databases;
  for (DatabaseIndex database = 0; database < options.replicas.size(); ++database) {
    databases.insert(databases.end(), options.replicas[database], database);
  }
  return databases;
}

}  // namespace

World::World(Options options, uint64_t seed)
    : options_(std::move(options)),
      random_(seed),
      truth_(DatabasesOf(options_), options_.level == Level::kModel),
      clients_(static_cast<size_t>(options_.clients)),
      busy_until_(DatabasesOf(options_).size()) {
  // It draws the salts of WALs from a generator of its own; what a torn frame unmasks to depends on
  // them.
  sqlite3_test_control(SQLITE_TESTCTRL_PRNG_SEED, static_cast<int>(Mix(seed) | 1), nullptr);
  config_.broken = options_.broken;
  config_.round_caps.transactions = static_cast<uint32_t>(1 + random_.Below(8));
  for (const DatabaseIndex database : DatabasesOf(options_)) {
    const auto p = static_cast<ParticipantIndex>(participants_.size());
    const bool is_master =
        config_.participants.empty() || config_.participants.back().database != database;
    config_.participants.push_back({absl::StrCat("node", p), database, is_master});
    participants_.push_back(MakeParticipant(p, database, &options_, &random_, MakeObserver()));
    participants_.back()->Start();
  }
  log_ = MakeLog(config_, &options_, &random_, MakeLogObserver());
}

SimParticipant::Observer World::MakeObserver() {
  SimParticipant::Observer observer;
  observer.on_execute = [this](ParticipantIndex index, RoundId round, RoundId applied) {
    truth_.Executes(index, round, applied);
  };
  observer.on_rolled_back = [this](ParticipantIndex index, RoundId round) {
    truth_.RolledBack(index, round);
  };
  observer.on_no_space = [this](ParticipantIndex index, RoundId round) {
    truth_.HadNoSpace(index, round);
  };
  observer.on_violation = [this](const std::string& what) { truth_.Violate(what); };
  observer.now = [this] { return now(); };
  return observer;
}

SimLog::Observer World::MakeLogObserver() {
  SimLog::Observer observer;
  observer.on_decided = [this](const coordinator::LogDecision& record) { truth_.Decided(record); };
  observer.on_violation = [this](const std::string& what) { truth_.Violate(what); };
  observer.now = [this] { return coordinator::Now{now_, right_time()}; };
  return observer;
}

std::optional<std::string> World::Run() {
  StartCoordinator();
  for (int step = 0; step < options_.steps && !truth_.violation(); ++step) {
    Break();
    Step();
  }
  StopFaults();
  ComeToRest();
  // Rest is not enough: the cluster has to be of use. A try may meet a restart that nobody noticed.
  for (int tries = 0; tries < 3 && !truth_.violation() && !all_voted_; ++tries) {
    SubmitToAll();
    ComeToRest();
  }
  if (!truth_.violation()) CheckHistory();
  if (!all_voted_) truth_.Violate("at rest, but no transaction is voted on");
  return truth_.violation();
}

coordinator::Now World::NowOf(const Coordinator& coordinator) const {
  const absl::Duration passed = now_ * coordinator.pace;
  return {passed, absl::FromUnixSeconds(1700000000) + passed + skew_};
}

void World::ComeToRest() {
  const absl::Duration end = now_ + kLongestUnrest;
  while (!truth_.violation() && !AtRest()) {
    if (now_ > end) truth_.Violate("no rest after the faults have stopped: " + Unrest());
    Step();
  }
}

void World::Step() {
  now_ +=
      ending_ ? absl::Milliseconds(1 + random_.Below(20)) : absl::Microseconds(random_.Below(2000));
  const uint64_t deliveries = 1 + random_.Below(4);
  for (uint64_t i = 0; i < deliveries && !network_.empty(); ++i) DeliverOne();
  FailOverdueCalls();
  for (size_t i = 0; i < coordinators_.size(); ++i) {
    if (coordinators_[i]->alive && random_.Chance(0.6)) RunLog(i);
    if (coordinators_[i]->alive && random_.Chance(0.7)) RunCoordinator(i);
  }
  if (random_.Chance(0.2)) DeliverLateTry();
  for (size_t client = 0; client < clients_.size(); ++client) {
    if (!ending_ && !clients_[client].busy && random_.Chance(0.3)) RunClient(client);
  }
  for (ParticipantIndex p = 0; p < participants_.size(); ++p) {
    if (!participants_[p]->alive() || !random_.Chance(options_.idle_sync)) continue;
    participants_[p]->Idle();
    Check(p);
  }
  Restart();
  Check();
}

void World::Break() {
  for (const auto& participant : participants_) {
    if (participant->alive() && random_.Chance(options_.participant_crash)) {
      Trace("crash of a participant");
      participant->Crash(random_.Chance(options_.power_loss));
    }
  }
  for (size_t i = 0; i < coordinators_.size(); ++i) {
    if (coordinators_[i]->alive && random_.Chance(options_.coordinator_crash)) EndCoordinator(i);
  }
  if (random_.Chance(options_.second_coordinator)) StartCoordinator();
  if (random_.Chance(options_.old_log)) StartOnCopy();
  const size_t participants = participants_.size();
  if (random_.Chance(options_.partition)) {
    outages_.Partition(participants, /*one_way=*/false, now_, options_, &random_);
  }
  if (random_.Chance(options_.one_way_partition)) {
    outages_.Partition(participants, /*one_way=*/true, now_, options_, &random_);
  }
  if (random_.Chance(options_.swizzle)) outages_.Swizzle(participants, now_, options_, &random_);
  const absl::Duration longest = options_.longest_time_jump;
  if (random_.Chance(options_.time_jump)) now_ += DrawBelow(longest, &random_);
  if (random_.Chance(options_.time_jump)) skew_ += DrawBelow(2 * longest, &random_) - longest;
}

void World::Restart() {
  for (const auto& participant : participants_) {
    if (participant->alive() || !random_.Chance(ending_ ? 1 : options_.restart)) continue;
    participant->Start();
    ++participant_starts_;
    Trace("start of a participant", participant->alive() ? "" : " in vain");
  }
  bool any = false;
  for (const auto& coordinator : coordinators_) {
    any = any || (coordinator->alive && !IsOnCopy(*coordinator));
  }
  if (!any && random_.Chance(ending_ ? 1 : options_.restart)) StartCoordinator();
}

void World::StopFaults() {
  ending_ = true;
  EndThoseOnCopy();
  late_tries_.clear();
  outages_.HealAll();
  options_.old_log = 0;
  options_.participant_crash = 0;
  options_.coordinator_crash = 0;
  options_.second_coordinator = 0;
  options_.time_jump = 0;
  options_.lose_request = 0;
  options_.lose_answer = 0;
  options_.repeat_request = 0;
  options_.delay = 0;
  options_.crash_inside = 0;
  options_.disk_full = 0;
  options_.io_fails = 0;
  options_.slow_disk = 0;
  options_.write_fails = 0;
  options_.vote_defer = 0;
  options_.nondeterministic = 0;
  options_.veto = 0;
  options_.idle_sync = 0.3;
}

bool World::AtRest() { return Unrest().empty(); }

// What keeps the world from rest; empty if nothing does.
std::string World::Unrest() {
  if (!network_.empty()) return "messages are under way";
  for (const auto& participant : participants_) {
    if (!participant->alive()) return "a participant is down";
  }
  for (ParticipantIndex p = 0; p < participants_.size(); ++p) {
    const RoundId held = participants_[p]->held();
    if (!held.is_none()) return absl::StrCat("participant ", p, " holds round ", held.value());
    if (participants_[p]->applied() != truth_.LastDecided(p)) {
      return absl::StrCat("participant ", p, " does not show all that was decided");
    }
  }
  for (const Client& client : clients_) {
    if (client.busy) return absl::StrCat("transaction ", client.transaction, " is not answered");
  }
  size_t alive = 0;
  for (const auto& coordinator : coordinators_) {
    if (!coordinator->alive) continue;
    ++alive;
    const coordinator::View view = coordinator->protocol.GetView();
    for (ParticipantIndex p = 0; p < participants_.size(); ++p) {
      if (view.participants[p].free) continue;
      return absl::StrCat("participant ", p, " is not free: ", view.participants[p].reason);
    }
    if (view.queue_length + view.rounds_in_flight > 0) return "a coordinator is at work";
    if (view.undelivered_decisions > 0) return "a decision is kept";
    if (!coordinator->inbox.empty() || !coordinator->waiting.empty()) return "work is waiting";
  }
  if (alive != 1) return absl::StrCat(alive, " coordinators are alive");
  if (log_->open_decisions() > 0) return "the log is not empty";
  if (log_->superseded()) return "the newest log was taken for an older copy";
  return "";
}

// All is at rest, and what participants show is equal to what was decided: to each other, too.
void World::CheckHistory() {
  std::vector<Rows> finals;
  for (ParticipantIndex p = 0; p < participants_.size(); ++p) {
    if (config_.participants[p].database == finals.size()) {
      finals.push_back(participants_[p]->rows());
    }
  }
  if (const auto wrong = history_.Check(finals)) truth_.Violate(*wrong);
}

void World::Check() {
  for (ParticipantIndex p = 0; p < participants_.size(); ++p) Check(p);
}

void World::Check(ParticipantIndex participant) {
  const SimParticipant& its = *participants_[participant];
  if (its.is_known()) truth_.Check(participant, its);
}

}  // namespace lockstep::simulation
