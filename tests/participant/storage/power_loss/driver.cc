#include "tests/participant/storage/power_loss/driver.h"

#include <sqlite3.h>

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"

namespace lockstep::participant {
namespace {

constexpr absl::Time kInstant = absl::UnixEpoch();

}  // namespace

Driver::Driver(const DriverOptions& options)
    : options_(options),
      random_(options.seed),
      disk_(options.sector_size),
      oracle_(options.oracle_faults) {
  // SQLite draws salts from a generator of its own.
  sqlite3_test_control(SQLITE_TESTCTRL_PRNG_SEED, static_cast<int>(options.seed | 1), nullptr);
}

Driver::~Driver() {
  CloseReaders();
  store_.reset();
}

void Driver::Violate(const std::string& what) {
  if (violation_.empty() && !disk_.crashed()) violation_ = what;
}

bool Driver::Failed(const absl::Status& status, const std::string& what) {
  if (disk_.crashed()) return true;  // whatever the ghost says
  if (status.ok()) return false;
  Violate(absl::StrCat(what, ": ", std::string(status.ToString())));
  return true;
}

void Driver::PlanCrash(int64_t operations) {
  if (Alive()) disk_.CrashBefore(operations);
}

void Driver::MaybeCrashNow(int percent) {
  if (Chance(percent)) disk_.CrashNow();
}

void Driver::Replied() {
  if (!Alive()) return;
  if (!oracle_.Durable(store_->durable())) {
    Violate(absl::StrCat("the durable round fell to ", store_->durable().value()));
  }
}

void Driver::Run(int64_t images) {
  SetUp();
  while (violation_.empty() && counts_.images < images) {
    PlanCrash(1 + static_cast<int64_t>(random_() % 40));
    for (int step = 0; Alive() && step < 12; ++step) {
      switch (random_() % 16) {
        case 0:
          RunLocal();
          break;
        case 1:
          RollBackUnseenRound();
          break;
        case 2:
          RestartCoordinator();
          break;
        case 3:
          PinReader();
          break;
        case 4:
          ReleaseReader();
          break;
        case 5:
        case 6:
          Checkpoint();
          break;
        case 7:
          RepeatOldPrepare();
          break;
        default:
          RunRound();
      }
    }
    if (violation_.empty()) Recover();
  }
}

void Driver::SetUp() {
  while (violation_.empty()) {
    if (Chance(70)) PlanCrash(1 + static_cast<int64_t>(random_() % 40));
    if (Start() && !ReadModel(store_->writer()).ok()) {
      absl::Status status = store_->Begin();
      if (status.ok()) status = store_->writer().Exec(kModelSchema);
      if (status.ok()) status = store_->CommitLocal(kInstant);
      Failed(status, "making the tables");
    }
    if (Alive()) break;
    store_.reset();
    if (disk_.crashed()) disk_.LosePower(random_);
  }
  disk_.Spare();
}

bool Driver::RunBranch(const TestBranch& branch, Model* model) {
  sqlite::Connection& writer = store_->writer();
  Model after = *model;
  if (Failed(writer.Exec("SAVEPOINT branch"), "SAVEPOINT")) return false;
  for (const Action& action : branch.actions) {
    if (Failed(writer.Exec(after.Sql(action)), "running a branch")) return false;
    after.Apply(action);
  }
  if (!branch.yes) {
    return !Failed(writer.Exec("ROLLBACK TO branch; RELEASE branch"), "ROLLBACK TO");
  }
  *model = std::move(after);
  return !Failed(writer.Exec("RELEASE branch"), "RELEASE");
}

bool Driver::PrepareRound(RoundId round, const std::vector<TestBranch>& branches) {
  if (Failed(store_->Begin(), "BEGIN")) return false;
  Model model = oracle_.model();
  bool any_yes = false;
  for (const TestBranch& branch : branches) {
    if (!RunBranch(branch, &model)) return false;
    any_yes = any_yes || branch.yes;
  }
  if (!any_yes) {
    ++counts_.no_only;
    Failed(store_->RollbackTransaction(), "ROLLBACK");
    return false;
  }
  if (Failed(store_->Prepare(round, kInstant, EncodeBranches(branches)), "PREPARE")) return false;
  Replied();
  return Alive();
}

Decision Driver::RandomDecision(const std::vector<TestBranch>& branches) {
  size_t cut = branches.size();
  if (Chance(30)) {
    // At least the first YES branch is kept: what keeps none is sent as a Rollback.
    const auto first_yes = std::find_if(branches.begin(), branches.end(),
                                        [](const TestBranch& branch) { return branch.yes; });
    const size_t least = static_cast<size_t>(first_yes - branches.begin()) + 1;
    cut = least + random_() % (branches.size() - least + 1);
  }
  Decision decision;
  decision.all = cut == branches.size();
  for (size_t i = 0; i < cut; ++i) {
    if (branches[i].yes) decision.kept.push_back(branches[i]);
  }
  return decision;
}

void Driver::RunRound() {
  ++counts_.rounds;
  const RoundId round = oracle_.NextRound();
  std::vector<TestBranch> branches(1 + random_() % 4);
  for (TestBranch& branch : branches) branch = RandomBranch(random_);
  if (!PrepareRound(round, branches)) return;
  if (Chance(25)) CheckState();
  MaybeCrashNow(4);  // the votes are lost
  if (!Alive()) return;

  const bool decided = Chance(65);
  if (decided) oracle_.Decide(round, RandomDecision(branches));
  if (Chance(10)) RestartCoordinator();
  MaybeCrashNow(3);
  if (!Alive()) return;
  if (!decided) {
    DeliverRollback(round);
  } else if (const Decision decision = *oracle_.Find(round); decision.all) {
    DeliverCommit(round);
  } else {
    DeliverCut(round, decision);
  }
}

void Driver::DeliverCommit(RoundId round) {
  ++counts_.commits;
  if (Failed(store_->Commit(), "COMMIT")) return;
  if (Chance(25)) CheckState();
  MaybeCrashNow(3);
  if (!Alive()) return;
  oracle_.Acknowledged(round);
  Replied();
  if (Chance(5)) {
    Failed(store_->SyncIdle(), "an idle sync");
    Replied();
  }
}

void Driver::DeliverCut(RoundId round, const Decision& decision) {
  ++counts_.cuts;
  if (Failed(store_->WriteRedo(round, EncodeBranches(decision.kept)), "redo")) return;
  if (Failed(store_->Forget(), "dropping the prepared state")) return;
  FinishRedo();
  if (!Alive()) return;
  oracle_.Acknowledged(round);
  Replied();
}

void Driver::FinishRedo() {
  if (Failed(store_->Begin(), "BEGIN of a re-execution")) return;
  absl::StatusOr<Model> model = ReadModel(store_->writer());
  if (Failed(model.status(), "reading before a re-execution")) return;
  for (const TestBranch& branch : DecodeBranches(store_->redo()->body)) {
    if (!RunBranch(branch, &*model)) return;
  }
  Failed(store_->CommitRedone(kInstant), "COMMIT of a re-execution");
}

void Driver::DeliverRollback(RoundId round) {
  ++counts_.rollbacks;
  // Only for a round of the current term (P6): older ones are refused by their term.
  if (round.term() == oracle_.term()) {
    if (Failed(store_->PersistTombstone(round), "tombstone")) return;
    oracle_.promised_tombstone = std::max(oracle_.promised_tombstone, round);
  }
  if (Failed(store_->Forget(), "forgetting")) return;
  Replied();
  if (Chance(25)) CheckState();
}

void Driver::RollBackUnseenRound() {
  ++counts_.unseen_rollbacks;
  const RoundId round = oracle_.NextRound();
  if (Failed(store_->PersistTombstone(round), "tombstone of an unseen round")) return;
  oracle_.promised_tombstone = std::max(oracle_.promised_tombstone, round);
}

void Driver::RepeatOldPrepare() {
  const RoundId finished = std::max(store_->applied(), store_->tombstone());
  if (finished.is_none() || Failed(store_->Begin(), "BEGIN")) return;
  if (store_->Prepare(finished, kInstant, "0").ok()) Violate("a finished round was prepared again");
}

void Driver::RestartCoordinator() {
  oracle_.Restart();
  if (Failed(store_->PersistTerm(oracle_.term(), oracle_.term()), "a new term")) return;
  oracle_.promised_term = oracle_.term();
}

void Driver::RunLocal() {
  ++counts_.locals;
  const TestBranch branch = RandomBranch(random_);
  if (Failed(store_->Begin(), "BEGIN of a local transaction")) return;
  Model before = oracle_.model();
  Model after = before;
  if (!RunBranch(branch, &after)) return;
  model_with_local_ = after;
  if (Failed(store_->CommitLocal(kInstant), "COMMIT of a local transaction")) return;
  MaybeCrashNow(3);
  if (!Alive()) return;
  oracle_.set_model(after);
  model_with_local_.reset();
  Replied();
}

void Driver::PinReader() {
  if (pinned_reader_ != nullptr) return;
  absl::StatusOr<std::unique_ptr<sqlite::Connection>> reader = store_->OpenReader();
  if (Failed(reader.status(), "opening a reader")) return;
  if (Failed((*reader)->Exec("BEGIN"), "BEGIN of a reader")) return;
  absl::StatusOr<Model> model = ReadModel(**reader);
  if (Failed(model.status(), "reading")) return;
  pinned_reader_ = *std::move(reader);
  pinned_model_ = *std::move(model);
}

void Driver::ReleaseReader() {
  if (pinned_reader_ == nullptr) return;
  absl::StatusOr<Model> model = ReadModel(*pinned_reader_);
  pinned_reader_.reset();
  if (Failed(model.status(), "reading in a pinned reader")) return;
  if (*model != pinned_model_) Violate("a pinned reader saw another state");
}

void Driver::CloseReaders() {
  reader_.reset();
  pinned_reader_.reset();
}

void Driver::Checkpoint() {
  ++counts_.checkpoints;
  Failed(store_->Checkpoint(), "a checkpoint");
  Replied();
}

void Driver::CheckState() {
  if (!Alive()) return;
  if (reader_ == nullptr) {
    absl::StatusOr<std::unique_ptr<sqlite::Connection>> reader = store_->OpenReader();
    if (Failed(reader.status(), "opening a reader")) return;
    reader_ = *std::move(reader);
  }
  absl::StatusOr<Model> model = ReadModel(*reader_);
  if (Failed(model.status(), "reading")) return;
  const bool held = store_->held().has_value();
  if (*model != oracle_.model() && !(model_with_local_ && *model == *model_with_local_)) {
    Violate(absl::StrCat(held ? "while a round is held, " : "", "a reader sees ", model->ToString(),
                         "and not ", oracle_.model().ToString()));
    return;
  }
  if (*model != oracle_.model()) oracle_.set_model(*model);
  model_with_local_.reset();
}

}  // namespace lockstep::participant
