#include "tests/simulation/sqlite_participant.h"

#include <algorithm>
#include <random>
#include <utility>

#include "absl/strings/str_cat.h"
#include "common/check.h"
#include "common/check_hook.h"
#include "participant/storage/prepare_store.h"
#include "tests/simulation/sql_model.h"

namespace lockstep::simulation {

namespace {

// Thrown in the place of an end of the real process.
struct ProcessEnded {
  std::string why;
};

constexpr int kSectorBytes = 512;

Vote::Kind KindOf(VoteKind kind) {
  switch (kind) {
    case VoteKind::kYes:
      return Vote::Kind::kYes;
    case VoteKind::kNo:
      return Vote::Kind::kNo;
    case VoteKind::kDefer:
      return Vote::Kind::kDefer;
  }
  return Vote::Kind::kNo;
}

}  // namespace

SqliteParticipant::SqliteParticipant(ParticipantIndex index, DatabaseIndex database,
                                     const Options* options, Random* random, Observer observer)
    : index_(index),
      database_(database),
      options_(options),
      random_(random),
      observer_(std::move(observer)),
      disk_(kSectorBytes),
      engine_options_(MakeOptions()),
      last_now_(observer_.now().monotonic) {
  MakeVolume();
}

SqliteParticipant::~SqliteParticipant() { node_.reset(); }

participant::EngineOptions SqliteParticipant::MakeOptions() {
  participant::EngineOptions options = participant::TestOptions("/volume");
  options.store.base_vfs = disk_.vfs_name();
  options.store.take_ownership = false;
  options.store.page_size = 1024;
  options.store.redo_capacity = int64_t{1} << 15;
  options.store.faults = options_->store_faults;
  options.store.on_fatal = [this](const std::string& why) {
    ended_ = why;
    disk_.CrashNow();
  };
  options.round.record_bytes = size_t{1} << 15;
  options.readers = 1;
  options.wal_limit_bytes = int64_t{1} << (14 + random_->Below(5));
  return options;
}

// As an operator would have to: before a coordinator knows it, by a local transaction.
void SqliteParticipant::MakeVolume() {
  auto store = participant::PrepareStore::Open(engine_options_.store);
  LOCKSTEP_CHECK(store.ok(), std::string(store.status().message()));
  absl::Status status = (*store)->Begin();
  for (const std::string& sql : SchemaSql()) {
    if (status.ok()) status = (*store)->writer().Exec(sql);
  }
  if (status.ok()) status = (*store)->CommitLocal(absl::UnixEpoch());
  LOCKSTEP_CHECK(status.ok(), std::string(status.message()));
}

void SqliteParticipant::SetClock() {
  const coordinator::Now now = observer_.now();
  node_->clock().Advance(now.monotonic - last_now_);
  node_->clock().SetWall(now.wall);
  last_now_ = now.monotonic;
}

void SqliteParticipant::PlanFaults() {
  const auto place = [this] {
    return static_cast<int64_t>(1 + random_->Below(options_->fault_within));
  };
  if (random_->Chance(options_->crash_inside)) disk_.CrashBefore(place());
  io_fails_ = random_->Chance(options_->io_fails);
  if (io_fails_) {
    switch (random_->Below(3)) {
      case 0:
        disk_.FailNextSync();
        break;
      case 1:
        disk_.BreakWrite(place());
        break;
      default:
        disk_.BreakRead(place());
        break;
    }
  } else if (random_->Chance(options_->disk_full)) {
    disk_.FailWrite(place());
  }
}

template <typename Act>
void SqliteParticipant::Step(Act act) {
  SetClock();
  PlanFaults();
  ended_.reset();
  internal::SetCheckFailureHook([](const std::string& message) { throw ProcessEnded{message}; });
  try {
    act();
  } catch (const ProcessEnded& process) {
    ended_ = process.why;
  }
  internal::SetCheckFailureHook(nullptr);
}

bool SqliteParticipant::Survived() {
  // What was planned and has not come yet may come right now, before the answer.
  const bool strikes = random_->Chance(options_->crash_inside);
  disk_.Spare();
  const bool io_failed = io_fails_ && disk_.failed();
  disk_.SpareFailures();
  if (io_failed && !ended_ && !disk_.crashed()) {
    observer_.on_violation("the disk failed, and the process lives on");
  }
  if (ended_ && !io_failed && !disk_.crashed()) {
    observer_.on_violation("a participant ended itself: " + *ended_);
  }
  if (strikes || ended_) disk_.CrashNow();
  if (!disk_.crashed()) return true;
  Crash(random_->Chance(options_->power_loss));
  return false;
}

void SqliteParticipant::Start() {
  last_run_ = RoundId();
  rows_are_of_.reset();
  node_ = std::make_unique<participant::TestNode>(engine_options_);
  Step([this] {
    const absl::Status opened = node_->Open();
    if (opened.ok()) return;
    // As main does: it is told, and the process ends.
    ended_ = std::string(opened.message());
    if (disk_.failed()) disk_.CrashNow();
  });
  if (Survived()) Look();
}

void SqliteParticipant::Crash(bool power) {
  disk_.Spare();
  disk_.CrashNow();
  node_.reset();
  if (power) {
    std::mt19937_64 random(random_->Next());
    disk_.LosePower(random);
  } else {
    disk_.KillProcess();
  }
}

void SqliteParticipant::Look() {
  report_ = node_->Report();
  if (rows_are_of_ == disk_.operations()) return;
  rows_are_of_ = disk_.operations();
  LookAtRows();
}

void SqliteParticipant::LookAtRows() {
  const Result<participant::QueryRows> read = node_->Query(kReadRowsSql);
  if (!read.ok()) {
    return observer_.on_violation("a reader is refused: " + read.error().message);
  }
  const absl::StatusOr<Rows> rows = RowsOf(read.value().rows);
  if (!rows.ok()) return observer_.on_violation(std::string(rows.status().message()));
  if (read.value().round != report_.applied) {
    observer_.on_violation("a reader is shown another round than the one that is applied");
  }
  rows_ = *rows;
}

void SqliteParticipant::Idle() {
  Step([this] { node_->engine().Idle(); });
  if (Survived()) Look();
}

SimParticipant::Handled SqliteParticipant::Handle(const Request& request, Answer* answer) {
  bool answers = true;
  Step([&] { answers = Obey(request, answer); });
  if (!Survived()) return Handled::kDied;
  if (request.kind == Request::Kind::kRead) rows_are_of_.reset();
  Look();
  if (!answers) return Handled::kWait;
  answer->report = MakeReport();
  if (request.kind == Request::Kind::kRead) {
    answer->visible = report_.applied;
    answer->rows = rows_;
  }
  if (request.kind == Request::Kind::kRollback && answer->ok) {
    observer_.on_rolled_back(index_, request.round);
  }
  if (request.kind == Request::Kind::kCommit && answer->ok && report_.applied < request.round) {
    observer_.on_violation("Commit answered OK, and not visible (R8)");
  }
  return Handled::kAnswered;
}

// Whether it is answered now.
bool SqliteParticipant::Obey(const Request& request, Answer* answer) {
  switch (request.kind) {
    case Request::Kind::kPrepare:
      Prepare(request, answer);
      break;
    case Request::Kind::kCommit: {
      std::optional<uint32_t> cut;
      if (request.cut != coordinator::kKeepAll) cut = request.cut;
      TakeOk(node_->Commit(request.round, cut, request.term), answer);
      break;
    }
    case Request::Kind::kRollback:
      TakeOk(node_->Rollback(request.round, request.term), answer);
      break;
    case Request::Kind::kFence: {
      const std::vector<uint64_t> earlier(request.runs.begin(), request.runs.end() - 1);
      TakeOk(node_->FenceBy(request.term, request.runs.back(), earlier), answer);
      break;
    }
    case Request::Kind::kStatus:
      answer->ok = request.term >= node_->Report().term;
      if (!answer->ok) answer->failure = coordinator::CallFailure::kTermOutdated;
      break;
    case Request::Kind::kRead:
      return Read(request, answer);
  }
  return true;
}

void SqliteParticipant::Prepare(const Request& request, Answer* answer) {
  std::vector<Branch> branches;
  for (const PreparedBranch& prepared : request.branches) {
    branches.push_back(SqlBranchOf(prepared, database_, index_));
  }
  const participant::Answer<participant::Votes> got =
      node_->PrepareBranches(request.round, branches, /*want_rows=*/false);
  if (disk_.crashed() || !got.result) return;
  if (!got.ok()) return Refuse(got.result->error(), answer);
  if (request.round != last_run_) observer_.on_execute(index_, request.round, applied());
  last_run_ = request.round;
  TakeVotes(request, got.result->value(), answer);
}

void SqliteParticipant::TakeVotes(const Request& request, const participant::Votes& votes,
                                  Answer* answer) {
  answer->ok = true;
  for (const BranchVote& vote : *votes.votes) {
    answer->votes.push_back({KindOf(vote.kind), vote.digest});
    if (!vote.error) continue;
    const Reason reason = vote.error->reason;
    if (reason == Reason::kDiskFull) {
      observer_.on_no_space(index_, request.round);
    } else if (reason != Reason::kGuardFailed && reason != Reason::kConstraintViolation) {
      observer_.on_violation("a NO for no reason of the model: " + vote.error->message);
    }
  }
}

void SqliteParticipant::Refuse(const Error& error, Answer* answer) const {
  answer->ok = false;
  answer->strayed = error.reason == Reason::kRequestInvalid && error.field == "earlier_boot_ids";
  if (error.reason == Reason::kRequestInvalid && !answer->strayed) {
    observer_.on_violation("a call is refused as invalid: " + error.message);
  }
  answer->failure = error.reason == Reason::kTermOutdated ? coordinator::CallFailure::kTermOutdated
                                                          : coordinator::CallFailure::kRefused;
}

void SqliteParticipant::TakeOk(const OkAnswer& got, Answer* answer) const {
  if (disk_.crashed() || !got.result) return;
  if (!got.ok()) return Refuse(got.result->error(), answer);
  answer->ok = true;
}

bool SqliteParticipant::Read(const Request& request, Answer* answer) {
  TakeOk(node_->ReadAt(request.term, request.round), answer);
  return !answer->ok || node_->Report().applied >= request.round;
}

Report SqliteParticipant::MakeReport() const {
  Report report;
  report.boot_id = report_.boot_id;
  report.applied = report_.applied;
  report.durable = report_.durable;
  report.prepared = held();
  report.in_doubt = report_.held && report_.held->in_doubt;
  report.term = report_.term;
  return report;
}

}  // namespace lockstep::simulation
