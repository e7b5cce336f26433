// How the driver crashes a store, starts it again, answers its questions and checks what is left.
#include <utility>

#include "absl/strings/str_cat.h"
#include "tests/participant/storage/power_loss/driver.h"

namespace lockstep::participant {
namespace {

StoreOptions OptionsOf(const DriverOptions& options, const SimDisk& disk) {
  StoreOptions store;
  store.directory = "/volume";
  store.cluster_id = "test";
  store.node_id = "node";
  store.database = "data";
  store.redo_capacity = 4096;
  store.wal_reserve = options.seed % 2 == 0 ? 0 : 48 << 10;
  store.page_size = options.page_size;
  store.base_vfs = disk.vfs_name();
  store.take_ownership = false;
  store.faults = options.store_faults;
  return store;
}

}  // namespace

void Driver::Recover() {
  while (violation_.empty()) {
    disk_.CrashNow();
    CloseReaders();
    store_.reset();
    if (Chance(25)) {
      ++counts_.kills;
      disk_.KillProcess();
    } else {
      ++counts_.images;
      disk_.LosePower(random_);
    }
    disk_.Spare();
    if (Chance(40)) PlanCrash(1 + static_cast<int64_t>(random_() % 12));
    if (Chance(25)) oracle_.Restart();
    if (Start()) {
      ResolveHeldRounds();
      DeliverKeptDecisions();
      CheckEverything();
    }
    if (!disk_.crashed()) return;
    ++counts_.recoveries_cut_off;
  }
}

bool Driver::Start() {
  StoreOptions options = OptionsOf(options_, disk_);
  options.on_fatal = [this](const std::string& why) { Violate(why); };
  options.before_reopen = [this] { CloseReaders(); };
  absl::StatusOr<std::unique_ptr<PrepareStore>> opened = PrepareStore::Open(options);
  if (Failed(opened.status(), "starting")) return false;
  store_ = *std::move(opened);
  if (store_->term() < oracle_.promised_term) Violate("a term is forgotten");
  if (store_->tombstone() < oracle_.promised_tombstone) Violate("a tombstone is forgotten");
  if (store_->term() < oracle_.term()) {
    if (Failed(store_->PersistTerm(oracle_.term(), oracle_.term()), "a new term")) return false;
  }
  if (!Alive()) return false;
  oracle_.promised_term = oracle_.term();
  Replied();
  return Alive();
}

void Driver::ResolveHeldRounds() {
  while (Alive()) {
    if (store_->redo()) {
      ++counts_.redone;
      FinishRedo();
      continue;
    }
    if (!store_->held()) return;
    const HeldRound held = *store_->held();
    ++counts_.in_doubt;
    if (!held.has_record) ++counts_.in_doubt_without_record;
    const Decision* decision = oracle_.FindInDoubt(held.round, held.has_record);
    if (decision == nullptr) {
      // Without a record nothing derived from it may be made durable (P6).
      if (held.has_record && held.round.term() == oracle_.term()) {
        if (Failed(store_->PersistTombstone(held.round), "tombstone")) return;
        oracle_.promised_tombstone = std::max(oracle_.promised_tombstone, held.round);
      }
      Failed(store_->Forget(), "forgetting");
    } else if (decision->all) {
      if (!held.has_record) ++counts_.in_doubt_committed;
      Failed(store_->CommitInDoubt(), "COMMIT in doubt");
    } else if (!held.has_record) {
      Violate("a cut of a round in doubt without its record");
    } else {
      const std::string body = EncodeBranches(decision->kept);
      if (Failed(store_->WriteRedo(held.round, body), "redo in doubt")) return;
      Failed(store_->Forget(), "dropping what is in doubt");
    }
    Replied();
  }
}

void Driver::DeliverKeptDecisions() {
  if (!Alive()) return;
  for (const auto& [round, decision] : oracle_.kept()) {
    if (round > store_->applied()) {
      Violate(absl::StrCat("round ", round.value(), " is decided, but neither applied nor held"));
      return;
    }
  }
  Replied();
}

void Driver::CheckEverything() {
  if (!Alive()) return;
  if (store_->applied() != oracle_.decided()) {
    Violate(absl::StrCat("round ", store_->applied().value(), " is applied, but ",
                         oracle_.decided().value(), " was the last one decided"));
  }
  CheckState();
  if (Alive() && Chance(10)) {
    absl::StatusOr<sqlite::Statement> check = store_->writer().Prepare("PRAGMA integrity_check");
    if (Failed(check.status(), "integrity_check")) return;
    if (check->Step() != sqlite::StepResult::kRow || check->Column(0) != Value(std::string("ok"))) {
      Violate("the database is corrupt");
    }
  }
}

}  // namespace lockstep::participant
