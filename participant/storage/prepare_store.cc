#include "participant/storage/prepare_store.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "common/check.h"
#include "common/failpoint.h"
#include "common/logging.h"
#include "participant/storage/prepare_record.h"
#include "participant/storage/volume.h"

namespace lockstep::participant {
namespace {

class NativePrepareStore final : public PrepareStore {
 public:
  explicit NativePrepareStore(std::unique_ptr<Volume> volume) : volume_(std::move(volume)) {}
  ~NativePrepareStore() override { volume_->CloseWriter(); }
  // Decides what the files of a start, or of a second scan, say.
  absl::Status Resolve();

  Term term() const override { return volume_->side->state().term; }
  uint64_t coordinator() const override { return volume_->side->state().coordinator; }
  RoundId tombstone() const override { return volume_->side->state().tombstone; }
  RoundId applied() const override { return volume_->row.applied; }
  RoundId durable() const override;
  const std::optional<HeldRound>& held() const override { return held_; }
  const std::optional<Redo>& redo() const override { return redo_; }
  const Identity& identity() const override { return volume_->identity; }
  absl::Time latest_instant() const override { return volume_->row.latest_instant; }
  const OpenTimes& open_times() const override { return volume_->times; }

  sqlite::Connection& writer() override { return *volume_->writer; }
  sqlite::FrozenClock& frozen_clock() override { return volume_->clock; }
  absl::StatusOr<std::unique_ptr<sqlite::Connection>> OpenReader() override {
    return volume_->OpenReader();
  }

  absl::Status PersistTerm(Term term, uint64_t coordinator) override;
  absl::Status PersistTombstone(RoundId round) override;
  absl::Status SetIdentity(const std::string& log_id, int role, uint32_t replicas) override;
  absl::Status Begin() override;
  absl::Status RollbackTransaction() override;
  absl::Status Prepare(RoundId round, absl::Time latest_instant, std::string_view body) override;
  absl::Status Commit() override;
  absl::Status Forget() override;
  absl::Status WriteRedo(RoundId round, std::string_view body) override;
  absl::Status CommitRedone(absl::Time latest_instant) override;
  absl::Status CommitLocal(absl::Time latest_instant) override;
  absl::Status CommitInDoubt() override;
  absl::Status Checkpoint() override;
  absl::Status SyncIdle() override;
  int64_t wal_bytes() const override;
  int64_t checkpoint_backlog_bytes() const override;
  int64_t syncs() const override { return volume_->syncs(); }

 private:
  const StoreFaults& faults() const { return volume_->options.faults; }
  int64_t FrameBytes(uint32_t frames) const;
  absl::Status CheckMayPrepare(RoundId round) const;
  absl::Status CommitMasked(RoundId round, std::string_view body);
  absl::Status NoticeOldState();
  absl::Status CommitWithRow(const OwnRow& row, bool sync);
  OwnRow NextRow(RoundId applied, absl::Time latest_instant) const;
  void Applied(const OwnRow& row);

  const std::unique_ptr<Volume> volume_;
  std::optional<HeldRound> held_;
  std::optional<Redo> redo_;
  // Of a round that this process prepared: what Commit writes and shows.
  sqlite::CommitFrame held_frame_;
  OwnRow held_row_;
  // The writer may still believe in a round that was forgotten.
  bool writer_is_ahead_ = false;
  // durable() is durable_ until a sync of the WAL starts after the applied round was written: that
  // is when more of them have returned than had then.
  RoundId durable_;
  int64_t syncs_before_commit_ = 0;
};

absl::Status NativePrepareStore::Resolve() {
  durable_ = applied();
  held_.reset();
  redo_.reset();
  absl::StatusOr<std::optional<SideFile::RedoBlock>> block = volume_->side->ReadRedo();
  if (!block.ok()) return block.status();
  if (*block && (*block)->round > applied() && !faults().redo_ignored) {
    // Decided: a masked frame is this round's, and its branches are run again.
    redo_ = Redo{.round = (*block)->round, .body = std::move((*block)->body)};
    return absl::OkStatus();
  }
  FoundRound& found = volume_->found;
  if (!found.masked) return absl::OkStatus();
  const RoundId round = found.masked->round;
  if (faults().tombstone_at_start && round <= tombstone()) return absl::OkStatus();
  if (round <= applied()) {
    Log(LogLevel::kWarning, "ignored a masked frame of a round that is applied already",
        {{"round", round.value()}, {"applied_round", applied().value()}});
    return absl::OkStatus();
  }
  held_ = HeldRound{.round = round,
                    .in_doubt = true,
                    .has_record = found.has_record,
                    .record = std::move(found.record)};
  held_frame_ = found.masked->frame;
  return absl::OkStatus();
}

RoundId NativePrepareStore::durable() const {
  return volume_->vfs->wal_syncs() > syncs_before_commit_ ? applied() : durable_;
}

absl::Status NativePrepareStore::PersistTerm(Term term, uint64_t coordinator) {
  LOCKSTEP_CHECK(term > this->term() && term <= RoundId::kMaxTerm, "a term only grows");
  SideFile::State next = volume_->side->state();
  next.term = term;
  next.coordinator = coordinator;
  return volume_->side->Persist(next, !faults().no_term_sync);
}

absl::Status NativePrepareStore::PersistTombstone(RoundId round) {
  if (round <= applied()) {
    return absl::FailedPreconditionError(absl::StrCat("round ", round.value(),
                                                      " cannot be rolled back: round ",
                                                      applied().value(), " is applied"));
  }
  if (round <= tombstone()) return absl::OkStatus();
  SideFile::State next = volume_->side->state();
  next.tombstone = round;
  return volume_->side->Persist(next, !faults().no_tombstone_sync);
}

absl::Status NativePrepareStore::SetIdentity(const std::string& log_id, int role,
                                             uint32_t replicas) {
  if (absl::Status status = Begin(); !status.ok()) return status;
  Identity next = identity();
  next.log_id = log_id;
  next.role = role;
  next.replicas = replicas;
  if (absl::Status status = volume_->own->WriteIdentity(next); !status.ok()) {
    volume_->RollbackIfOpen();
    return status;
  }
  if (absl::Status status = volume_->CommitPlainly(/*sync=*/true); !status.ok()) return status;
  volume_->identity = std::move(next);
  return absl::OkStatus();
}

absl::Status NativePrepareStore::Begin() {
  LOCKSTEP_CHECK(!held_, "a transaction is begun while a round is held");
  LOCKSTEP_CHECK(volume_->writer->autocommit(), "a transaction is begun inside another");
  if (writer_is_ahead_) {
    if (absl::Status status = NoticeOldState(); !status.ok()) return status;
  }
  return volume_->own->Begin();
}

absl::Status NativePrepareStore::RollbackTransaction() {
  LOCKSTEP_CHECK(!held_, "a transaction is rolled back while a round is held");
  volume_->RollbackIfOpen();
  return absl::OkStatus();
}

absl::Status NativePrepareStore::CheckMayPrepare(RoundId round) const {
  LOCKSTEP_CHECK(!held_ && !redo_, "a round is prepared while another is held");
  if (round > std::max(applied(), tombstone()) && round.term() > 0 && round.term() <= term()) {
    return absl::OkStatus();
  }
  return absl::FailedPreconditionError(
      absl::StrCat("round ", round.value(), " cannot be prepared in term ", term(), ": round ",
                   std::max(applied(), tombstone()).value(), " is finished"));
}

OwnRow NativePrepareStore::NextRow(RoundId applied, absl::Time latest_instant) const {
  return {.applied = applied,
          .latest_instant = std::max(volume_->row.latest_instant, latest_instant)};
}

absl::Status NativePrepareStore::Prepare(RoundId round, absl::Time latest_instant,
                                         std::string_view body) {
  const OwnRow row = NextRow(round, latest_instant);
  absl::Status status = CheckMayPrepare(round);
  if (status.ok() && volume_->writer->autocommit()) {
    status = absl::FailedPreconditionError("the round's transaction is gone");
  }
  if (status.ok()) status = volume_->own->WriteRow(row);
  if (!status.ok()) {
    volume_->RollbackIfOpen();
    return status;
  }
  if (status = CommitMasked(round, body); !status.ok()) return status;
  held_row_ = row;
  held_ = HeldRound{.round = round};
  return absl::OkStatus();
}

// P3. An error before the sync leaves a masked frame that nobody voted for: the writer
// forgets it, and a start finds it in doubt and is told that it was aborted.
absl::Status NativePrepareStore::CommitMasked(RoundId round, std::string_view body) {
  sqlite::TwoPhaseVfs& vfs = *volume_->vfs;
  vfs.ArmMasked(static_cast<uint64_t>(round.value()));
  const absl::Status committed = volume_->own->Commit();
  const std::optional<sqlite::CommitFrame> frame = vfs.Disarm(committed.ok());
  if (!committed.ok()) {
    volume_->RollbackIfOpen();
    return committed;
  }
  LOCKSTEP_CHECK(frame, "a COMMIT that changed the own row wrote no frame");
  Failpoint("prepare_frames_written");
  vfs.Hide();
  held_frame_ = *frame;
  absl::Status written = vfs.WriteWal(frame->end, EncodePrepareRecord(round, held_frame_, body));
  if (!written.ok()) {
    writer_is_ahead_ = true;
    return written;
  }
  Failpoint("prepare_record_written");
  if (!faults().no_prepare_sync) vfs.SyncWal();
  Failpoint("prepare_synced");
  return absl::OkStatus();
}

void NativePrepareStore::Applied(const OwnRow& row) {
  durable_ = faults().durable_at_commit ? row.applied : durable();
  syncs_before_commit_ = volume_->vfs->wal_syncs();
  volume_->row = row;
}

absl::Status NativePrepareStore::Commit() {
  LOCKSTEP_CHECK(held_ && !held_->in_doubt, "nothing is prepared that could be committed");
  if (absl::Status status = volume_->vfs->Unmask(held_frame_); !status.ok()) return status;
  Failpoint("commit_unmasked");
  volume_->vfs->Publish();
  Failpoint("commit_published");
  Applied(held_row_);
  held_.reset();
  return absl::OkStatus();
}

absl::Status NativePrepareStore::Forget() {
  LOCKSTEP_CHECK(held_, "nothing is held that could be forgotten");
  if (!held_->in_doubt) writer_is_ahead_ = true;
  held_.reset();
  if (const absl::Status noticed = NoticeOldState(); !noticed.ok()) {
    // Begin tries again: until then nothing needs the writer to know.
    Log(LogLevel::kWarning, "cannot read the database after a round was dropped",
        {{"error", std::string(noticed.message())}});
  }
  return absl::OkStatus();
}

// The writer's connection believes that it committed the round, schema changes too.
absl::Status NativePrepareStore::NoticeOldState() {
  absl::StatusOr<OwnRow> row = volume_->own->ReadRow();
  if (!row.ok()) return row.status();
  LOCKSTEP_CHECK(row->applied == applied() || faults().no_hidden_header,
                 "the writer still sees a round that was forgotten");
  writer_is_ahead_ = false;
  return absl::OkStatus();
}

absl::Status NativePrepareStore::WriteRedo(RoundId round, std::string_view body) {
  LOCKSTEP_CHECK(held_ && held_->round == round, "a cut of a round that is not held");
  if (absl::Status status = volume_->side->WriteRedo(round, body, !faults().no_redo_sync);
      !status.ok()) {
    return status;
  }
  Failpoint("cut_redo_synced");
  redo_ = Redo{.round = round, .body = std::string(body)};
  return absl::OkStatus();
}

absl::Status NativePrepareStore::CommitWithRow(const OwnRow& row, bool sync) {
  LOCKSTEP_CHECK(!held_, "a transaction is committed while a round is held");
  if (volume_->writer->autocommit()) {
    return absl::FailedPreconditionError("the transaction is gone");
  }
  if (absl::Status status = volume_->own->WriteRow(row); !status.ok()) {
    volume_->RollbackIfOpen();
    return status;
  }
  if (absl::Status status = volume_->CommitPlainly(sync); !status.ok()) return status;
  Applied(row);
  if (sync) durable_ = row.applied;
  return absl::OkStatus();
}

absl::Status NativePrepareStore::CommitRedone(absl::Time latest_instant) {
  LOCKSTEP_CHECK(redo_, "no cut is to be committed");
  absl::Status status = CommitWithRow(NextRow(redo_->round, latest_instant), /*sync=*/true);
  if (status.ok()) redo_.reset();
  return status;
}

absl::Status NativePrepareStore::CommitLocal(absl::Time latest_instant) {
  LOCKSTEP_CHECK(!redo_, "a local transaction while a cut is to be run again");
  return CommitWithRow(NextRow(applied(), latest_instant), !faults().no_local_sync);
}

absl::Status NativePrepareStore::CommitInDoubt() {
  LOCKSTEP_CHECK(held_ && held_->in_doubt && !redo_, "nothing is in doubt");
  const RoundId round = held_->round;
  if (absl::Status status = volume_->vfs->Unmask(held_frame_); !status.ok()) return status;
  Failpoint("doubt_unmasked");
  if (!faults().no_unmask_sync) volume_->vfs->SyncWal();
  Failpoint("doubt_synced");

  // SQLite has recovered the WAL without the round: it has to do so again.
  if (volume_->options.before_reopen) volume_->options.before_reopen();
  volume_->CloseWriter();
  volume_->vfs->DropWalIndex();
  Failpoint("doubt_closed");
  absl::Status status = volume_->ScanAndOpenWriter();
  if (status.ok()) status = Resolve();
  if (!status.ok()) {
    volume_->Fatal(absl::StrCat("cannot open the database again: ", std::string(status.message())));
    return status;
  }
  if (applied() != round) volume_->Fatal("a round in doubt was committed, but is not applied");
  return absl::OkStatus();
}

absl::Status NativePrepareStore::Checkpoint() {
  LOCKSTEP_CHECK(!held_ && volume_->writer->autocommit(), "a checkpoint inside a round");
  Failpoint("checkpoint_begins");
  const absl::Status done = volume_->writer->CheckpointPassive().status();
  Failpoint("checkpoint_ends");
  return done;
}

absl::Status NativePrepareStore::SyncIdle() {
  if (durable() < applied()) volume_->vfs->SyncWal();
  Failpoint("idle_synced");
  return absl::OkStatus();
}

int64_t NativePrepareStore::FrameBytes(uint32_t frames) const {
  return int64_t{frames} * (volume_->page_size + 24);
}

int64_t NativePrepareStore::wal_bytes() const { return FrameBytes(volume_->vfs->frames()); }

int64_t NativePrepareStore::checkpoint_backlog_bytes() const {
  return FrameBytes(volume_->vfs->frames() - volume_->vfs->backfilled_frames());
}

}  // namespace

absl::StatusOr<std::unique_ptr<PrepareStore>> PrepareStore::Open(StoreOptions options) {
  absl::StatusOr<std::unique_ptr<Volume>> volume = Volume::Open(std::move(options));
  if (!volume.ok()) return volume.status();
  auto store = std::make_unique<NativePrepareStore>(*std::move(volume));
  if (absl::Status status = store->Resolve(); !status.ok()) return status;
  return store;
}

}  // namespace lockstep::participant
