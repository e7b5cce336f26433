#include "participant/engine.h"

#include <algorithm>
#include <random>
#include <utility>

#include "absl/strings/str_cat.h"
#include "common/check.h"
#include "common/failpoint.h"
#include "common/logging.h"
#include "participant/errors.h"
#include "participant/storage/own_tables.h"

namespace lockstep::participant {
namespace {

uint64_t DrawNumber() {
  std::random_device device;
  uint64_t number = 0;
  while (number == 0) number = (uint64_t{device()} << 32) | device();
  return number;
}

}  // namespace

Engine::Engine(EngineOptions options, const Clock* clock, ReportBoard* board, ReaderPool* readers)
    : options_(std::move(options)),
      clock_(*clock),
      board_(*board),
      readers_(*readers),
      boot_id_(DrawNumber()),
      protocol_(options_.standalone),
      locals_(options_, clock_, DrawNumber()),
      checkpointer_(&options_, readers) {}

Engine::~Engine() { Close(); }

void Engine::Close() {
  locals_.RefuseAll(ShuttingDown(options_.name));
  if (store_ == nullptr) return;
  BeforeReopen();
  if (const absl::Status synced = store_->SyncIdle(); !synced.ok()) {
    Log(LogLevel::kError, "the last sync failed", {{"reason", std::string(synced.message())}});
  }
  store_.reset();
}

absl::Status Engine::Open() {
  StoreOptions store_options = options_.store;
  // Pages that are only kept count like changed ones: half of each limit is left for the latter.
  store_options.page_cache_bytes =
      std::min({store_options.page_cache_bytes, options_.round.cache_bytes / 2,
                options_.execution.max_changed_bytes / 2});
  store_options.before_reopen = [this] { BeforeReopen(); };
  auto store = PrepareStore::Open(std::move(store_options));
  if (!store.ok()) return store.status();
  store_ = *std::move(store);
  Failpoint("start_resolved");
  return TakeOver();
}

void Engine::BeforeReopen() {
  readers_.Close();
  executor_.reset();
}

// After a scan: takes what it found, and makes the connections anew.
absl::Status Engine::TakeOver() {
  protocol_.Scanned(WhatTheStoreFound());
  held_since_ = clock_.WallNow();
  held_.reset();
  const std::optional<HeldRound>& held = store_->held();
  if (held && held->has_record) {
    auto body = RoundBody::Parse(held->record);
    if (!body.ok()) return body.status();
    held_ = Held{held->round, *std::move(body), held_since_};
  }
  if (absl::Status ready = SetUpConnections(); !ready.ok()) return ready;
  Publish();
  return absl::OkStatus();
}

absl::Status Engine::SetUpConnections() {
  auto executor = BranchExecutor::Create(&store_->writer(), &store_->frozen_clock(), &clock_,
                                         NodeName{options_.name.database, options_.name.node_id},
                                         options_.execution);
  if (!executor.ok()) return executor.status();
  executor_ = *std::move(executor);
  std::vector<std::unique_ptr<sqlite::Connection>> connections;
  for (int i = 0; i < options_.readers; ++i) {
    auto connection = store_->OpenReader();
    if (!connection.ok()) return connection.status();
    connections.push_back(*std::move(connection));
  }
  return readers_.Open(std::move(connections), kAppliedRoundSql);
}

Scan Engine::WhatTheStoreFound() const {
  Scan scan;
  scan.term = store_->term();
  scan.coordinator = store_->coordinator();
  scan.tombstone = store_->tombstone();
  scan.applied = store_->applied();
  scan.identified = !store_->identity().log_id.empty();
  scan.replicated = store_->identity().replicas > 1;
  if (store_->redo()) scan.redo = store_->redo()->round;
  if (store_->held()) scan.in_doubt = {store_->held()->round, store_->held()->has_record};
  return scan;
}

void Engine::Handle(std::vector<Message>& batch) {
  for (Message& message : batch) {
    if (auto* health = std::get_if<HealthMessage>(&message)) On(*health);
  }
  for (Message& message : batch) {
    if (std::holds_alternative<HealthMessage>(message)) continue;
    std::visit([this](auto& its) { On(its); }, message);
  }
  last_message_ = clock_.MonotonicNow();
  Maintain();
}

void Engine::Idle() { Maintain(); }

void Engine::On(HealthMessage& message) {
  if (absl::Status alive = store_->writer().Exec("SELECT 1"); !alive.ok()) {
    message.done(FromStorage(alive, "run SELECT 1", options_.name));
  } else {
    message.done(Ok());
  }
}

void Engine::On(LocalMessage& message) { locals_.Add(std::move(message)); }

void Engine::On(ReadTermMessage& message) {
  const Decision decision = protocol_.Read(message.term, message.least_round);
  if (std::optional<Error> failed = MakeDurable(decision)) return message.done(*failed);
  if (decision.action == Action::kRefuse) {
    Error error = Refused(decision, message.term, message.least_round);
    if (error.field == "round") error.field = "least_round";
    return message.done(std::move(error));
  }
  message.done(Ok());
}

Error Engine::Refused(const Decision& decision, Term term, RoundId round) const {
  return RefusedBy(decision.refusal, protocol_.state(), term, round, options_.name);
}

// What comes before a decision's action, but for a Fence's.
std::optional<Error> Engine::MakeDurable(const Decision& decision) {
  if (decision.persist_tombstone) {
    absl::Status status = store_->PersistTombstone(*decision.persist_tombstone);
    if (!status.ok()) return FromStorage(status, "make the rollback durable", options_.name);
    protocol_.TombstonePersisted(*decision.persist_tombstone);
  }
  Publish();
  return std::nullopt;
}

void Engine::RunLocals() {
  if (locals_.empty()) return;
  locals_.Expire();
  const Decision decision = protocol_.ExecuteLocal();
  if (decision.action == Action::kRefuse) {
    locals_.RefuseAll(Refused(decision, 0, RoundId()));
  } else if (decision.action == Action::kRunLocal) {
    locals_.Run(store_.get(), executor_.get());
    Publish();
  }
}

// What is due between messages.
void Engine::Maintain() {
  const absl::Duration now = clock_.MonotonicNow();
  if (protocol_.state().phase == RoundPhase::kReexecuting && now >= next_reexecution_) {
    // Logged there; repeated until it succeeds, by nobody's leave (rule R7).
    Reexecute().IgnoreError();
  }
  RunLocals();
  const State& state = protocol_.state();
  if (state.durable < state.applied && now >= last_commit_ + kIdleSyncAfter) {
    const absl::Status synced = store_->SyncIdle();
    if (synced.ok()) {
      Publish();
    } else {
      Log(LogLevel::kError, "an idle sync could not be made, and will be tried again",
          {{"reason", std::string(synced.message())}});
      last_commit_ = now;
    }
  }
  if (protocol_.state().phase != RoundPhase::kIdle) {
    checkpointer_.Wait(now);
  } else if (checkpointer_.Run(store_.get(), now, last_message_)) {
    Publish();
  }
}

absl::Duration Engine::NextWake() const {
  const absl::Duration now = clock_.MonotonicNow();
  absl::Duration next = absl::InfiniteDuration();
  const State& state = protocol_.state();
  if (state.phase == RoundPhase::kReexecuting) next = std::min(next, next_reexecution_);
  if (state.durable < state.applied) next = std::min(next, last_commit_ + kIdleSyncAfter);
  if (!locals_.empty()) {
    next = std::min(next, state.phase == RoundPhase::kPrepared ? *locals_.NextDeadline() : now);
  }
  next = std::min(
      next, checkpointer_.NextWake(*store_, now, last_message_, state.phase != RoundPhase::kIdle));
  return std::max(next - now, absl::ZeroDuration());
}

void Engine::Publish() {
  protocol_.Synced(store_->durable());
  const State& state = protocol_.state();
  NodeReport report;
  report.boot_id = boot_id_;
  report.applied = state.applied;
  report.durable = state.durable;
  if (!state.round.is_none()) {
    report.held = HeldRoundReport{state.round, state.phase == RoundPhase::kInDoubt,
                                  state.has_record, held_since_};
  }
  report.serving = state.phase == RoundPhase::kIdle || state.phase == RoundPhase::kPrepared;
  report.identified = state.identified;
  report.ready = report.serving && (state.identified || options_.standalone);
  report.term = state.term;
  report.coordinator = state.coordinator;
  report.tombstone = state.tombstone;
  report.wal_bytes = store_->wal_bytes();
  report.syncs = store_->syncs();
  report.prepared_rounds = prepared_rounds_;
  board_.Publish(report);
  readers_.SetVisible(state.applied);
}

}  // namespace lockstep::participant
