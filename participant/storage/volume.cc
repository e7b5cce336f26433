#include "participant/storage/volume.h"

#include <utility>
#include <variant>

#include "absl/strings/str_cat.h"
#include "common/check.h"
#include "common/clock.h"
#include "common/directory.h"
#include "common/failpoint.h"
#include "common/logging.h"
#include "common/sqlite/file.h"
#include "participant/storage/prepare_record.h"

namespace lockstep::participant {
namespace {

// Readers take SQLite's write lock for an instant when they look twice at a header that changes
// under them; whoever meets that waits. Nobody holds it for long: it only has to outlast a thread
// that is not scheduled.
constexpr absl::Duration kBusyTimeout = absl::Seconds(5);

// Refuses each COMMIT that the store has not armed, a client's above all.
class ArmedCommitsOnly final : public sqlite::CommitHook {
 public:
  explicit ArmedCommitsOnly(const sqlite::TwoPhaseVfs* vfs) : vfs_(*vfs) {}
  bool OnCommit() override { return vfs_.armed(); }

 private:
  const sqlite::TwoPhaseVfs& vfs_;
};

class Stopwatch {
 public:
  Stopwatch() : start_(SystemClock().MonotonicNow()) {}
  absl::Duration Read() const { return SystemClock().MonotonicNow() - start_; }

 private:
  const absl::Duration start_;
};

absl::Status Refuse(const std::string& why) { return absl::FailedPreconditionError(why); }

}  // namespace

Volume::Volume(StoreOptions store_options)
    : options(std::move(store_options)),
      database_path(options.directory + "/data.db"),
      wal_path(database_path + "-wal"),
      side_path(options.directory + "/data.side") {}

void Volume::Fatal(const std::string& why) const {
  if (options.on_fatal) {
    options.on_fatal(why);
  } else {
    LOCKSTEP_CHECK(false, why);
  }
}

absl::StatusOr<std::unique_ptr<Volume>> Volume::Open(StoreOptions options) {
  auto volume = std::make_unique<Volume>(std::move(options));
  absl::Status status = volume->OpenFiles();
  if (status.ok()) status = volume->ScanAndOpenWriter();
  if (!status.ok()) {
    volume->CloseWriter();
    return status;
  }
  volume->ReserveWal();
  return volume;
}

// Zeros behind the frames are no frames to SQLite and to the scan, as is what an earlier, longer
// run of the WAL left there. A node on a full disk has to start without: it may hold a round in
// doubt.
void Volume::ReserveWal() {
  const absl::Status enlarged =
      sqlite::EnlargeInAdvance(options.base_vfs, wal_path, options.wal_reserve);
  if (!enlarged.ok()) {
    Log(LogLevel::kWarning, "the WAL could not be enlarged in advance; commits will be slower",
        {{"reason", std::string(enlarged.message())}});
  }
  vfs->SyncWal();
}

absl::Status Volume::OpenFiles() {
  if (options.take_ownership) {
    if (absl::Status status = MakeDirectory(options.directory, !options.scratch); !status.ok())
      return status;
    absl::StatusOr<std::unique_ptr<sqlite::FileOwnership>> taken =
        sqlite::FileOwnership::Take(database_path);
    if (!taken.ok()) return taken.status();
    ownership = *std::move(taken);
  }
  if (may_have_unsynced()) {
    const Stopwatch syncing;
    if (absl::Status status = SyncAll(); !status.ok()) return status;
    times.sync = syncing.Read();
    Failpoint("start_synced");
  }
  if (absl::Status status = OpenSideFile(); !status.ok()) return status;

  sqlite::TwoPhaseVfsOptions shim;
  shim.base_vfs = options.base_vfs;
  shim.clock = &clock;
  shim.on_fatal = [this](const std::string& why) { Fatal(why); };
  shim.sync = !options.scratch;
  shim.wal.mask = !options.faults.no_mask;
  shim.wal.close_gate = !options.faults.no_publish_gate;
  shim.hide = !options.faults.no_hidden_header;
  absl::StatusOr<std::unique_ptr<sqlite::TwoPhaseVfs>> registered =
      sqlite::TwoPhaseVfs::Register(std::move(shim));
  if (!registered.ok()) return registered.status();
  vfs = *std::move(registered);
  commit_hook = std::make_unique<ArmedCommitsOnly>(vfs.get());
  return absl::OkStatus();
}

// P8 (a): after a kill the page cache may hold what the disk does not, and what is read
// now has to stay true. After a sync that failed this syncs nothing, or tells of it before anything
// is written (R9): what is believed of the side file and the WAL is written again when it is known.
// Of the database it need not be: what a checkpoint did not sync is in the WAL, from which the next
// one writes it again.
absl::Status Volume::SyncAll() {
  for (const std::string* path : {&side_path, &wal_path, &database_path}) {
    absl::StatusOr<bool> exists = sqlite::File::Exists(options.base_vfs, *path);
    if (!exists.ok()) return exists.status();
    if (!*exists) continue;
    absl::StatusOr<std::unique_ptr<sqlite::File>> file =
        sqlite::File::Open(options.base_vfs, *path, sqlite::File::Mode::kExisting);
    if (!file.ok()) return file.status();
    if (absl::Status status = (*file)->Sync(); !status.ok()) {
      Fatal(std::string(status.message()));
      return status;
    }
    ++start_syncs_;
  }
  // That the files are there at all may be known to the page cache only.
  return options.take_ownership ? SyncDirectory(options.directory) : absl::OkStatus();
}

absl::Status Volume::OpenSideFile() {
  absl::StatusOr<bool> exists = sqlite::File::Exists(options.base_vfs, side_path);
  if (!exists.ok()) return exists.status();
  if (!*exists) return absl::OkStatus();  // the database's content tells whether that is right
  absl::StatusOr<std::unique_ptr<sqlite::File>> file =
      sqlite::File::Open(options.base_vfs, side_path, sqlite::File::Mode::kExisting);
  if (!file.ok()) return file.status();
  auto opened = std::make_unique<SideFile>(*std::move(file), options.scratch,
                                           [this](const std::string& why) { Fatal(why); });
  const absl::Status loaded = may_have_unsynced() ? opened->LoadDurably() : opened->Load();
  if (absl::IsNotFound(loaded)) return absl::OkStatus();
  if (loaded.ok()) side = std::move(opened);
  return loaded;
}

absl::Status Volume::ScanAndOpenWriter() {
  const Stopwatch scanning;
  if (absl::Status status = ScanFiles(); !status.ok()) return status;
  times.scan = scanning.Read();
  Failpoint("start_scanned");
  const Stopwatch opening;
  const absl::Status opened = OpenWriter();
  times.open = opening.Read();
  Failpoint("start_opened");
  return opened;
}

absl::Status Volume::ScanFiles() {
  found = {};
  absl::StatusOr<bool> exists = sqlite::File::Exists(options.base_vfs, wal_path);
  if (!exists.ok()) return exists.status();
  if (!*exists || side == nullptr) return absl::OkStatus();
  absl::StatusOr<std::unique_ptr<sqlite::File>> wal =
      sqlite::File::Open(options.base_vfs, wal_path, sqlite::File::Mode::kExisting);
  if (!wal.ok()) return wal.status();
  absl::StatusOr<FoundRound> scanned = Scan(**wal);
  if (!scanned.ok()) return scanned.status();
  while (may_have_unsynced() && scanned->end > durable_end_) {
    if (absl::Status status = MakeDurable(wal->get(), scanned->end); !status.ok()) return status;
    scanned = Scan(**wal);
    if (!scanned.ok()) return scanned.status();
  }
  found = *std::move(scanned);
  return absl::OkStatus();
}

absl::StatusOr<FoundRound> Volume::Scan(const sqlite::File& wal) const {
  absl::StatusOr<WalScan> scan = ScanWal(wal, wal_path, side->state().term);
  if (!scan.ok()) return scan.status();
  FoundRound round;
  round.end = scan->end;
  round.masked = scan->masked;
  if (!round.masked) return round;
  round.end = round.masked->frame.end;
  absl::StatusOr<std::string> record =
      ReadPrepareRecord(wal, round.masked->round, round.masked->frame);
  if (absl::IsNotFound(record.status())) return round;
  if (!record.ok()) return record.status();
  round.has_record = true;
  round.record = *std::move(record);
  round.end += PrepareRecordSize(round.record);
  return round;
}

// R9: what is believed of it, and was not before.
absl::Status Volume::MakeDurable(sqlite::File* wal, int64_t end) {
  if (absl::Status status = wal->WriteAgain(durable_end_, end); !status.ok()) return status;
  const absl::Status synced = wal->Sync();
  if (!synced.ok()) Fatal(std::string(synced.message()));
  ++start_syncs_;
  durable_end_ = end;
  return synced;
}

absl::Status Volume::OpenWriter() {
  absl::StatusOr<std::unique_ptr<sqlite::Connection>> opened = sqlite::Connection::Open(
      database_path, {.vfs = vfs->writer_name(), .busy_timeout = kBusyTimeout});
  if (!opened.ok()) return opened.status();
  writer = *std::move(opened);
  if (absl::Status status = TuneWriter(); !status.ok()) return status;

  absl::StatusOr<DatabaseContent> content = InspectDatabase(*writer);
  if (!content.ok()) return content.status();
  switch (*content) {
    case DatabaseContent::kForeign:
      return Refuse(absl::StrCat(database_path,
                                 " was not made by Lockstep: give the node an empty directory and "
                                 "load the data through a coordinator"));
    case DatabaseContent::kOurs:
      if (side == nullptr) {
        return Refuse(absl::StrCat("the database of ", options.directory, " is there, but ",
                                   side_path,
                                   " is missing or has no state: restore both from one copy"));
      }
      break;
    case DatabaseContent::kEmpty:
      if (absl::Status status = SetUp(); !status.ok()) return status;
      break;
  }
  return ReadOwnTables();
}

absl::Status Volume::TuneWriter() {
  if (absl::Status status = writer->Set(sqlite::Switch::kNoCheckpointOnClose, true); !status.ok()) {
    return status;
  }
  // cache_spill: SQLite 3.40 loses commits when ROLLBACK TO follows a spill (P0).
  // temp_store: a read-only root has no place for temporary files.
  return writer->Exec(
      absl::StrCat(options.faults.cache_spill
                       ? std::string("PRAGMA cache_size = 4; PRAGMA cache_spill = 1;")
                       : absl::StrCat("PRAGMA cache_size = -", options.page_cache_bytes >> 10,
                                      "; PRAGMA cache_spill = OFF;"),
                   "PRAGMA synchronous = NORMAL; PRAGMA temp_store = MEMORY; PRAGMA mmap_size = 0;"
                   "PRAGMA foreign_keys = ON; PRAGMA wal_autocheckpoint = 0;"));
}

absl::Status Volume::SetUp() {
  if (side != nullptr && (side->state().term > 0 || !side->state().tombstone.is_none())) {
    return Refuse(absl::StrCat(side_path, " is there, but the database is missing: restore both ",
                               "from one copy"));
  }
  absl::StatusOr<std::unique_ptr<sqlite::File>> file =
      sqlite::File::Open(options.base_vfs, side_path, sqlite::File::Mode::kCreate);
  if (!file.ok()) return file.status();
  auto made = std::make_unique<SideFile>(*std::move(file), options.scratch,
                                         [this](const std::string& why) { Fatal(why); });
  if (absl::Status status = made->Initialize(options.redo_capacity); !status.ok()) return status;
  side = std::move(made);
  Failpoint("set_up_side_file");

  // EXTRA: the rollback journal, used just once, must not come back after a power loss.
  if (absl::Status status =
          writer->Exec(absl::StrCat("PRAGMA page_size = ", options.page_size,
                                    "; PRAGMA synchronous = EXTRA; PRAGMA journal_mode = WAL;"
                                    "PRAGMA synchronous = NORMAL; BEGIN IMMEDIATE;"));
      !status.ok()) {
    return status;
  }
  own = std::make_unique<OwnTables>(writer.get());
  if (absl::Status status = own->Create({.cluster_id = options.cluster_id,
                                         .node_id = options.node_id,
                                         .database = options.database});
      !status.ok()) {
    return status;
  }
  vfs->ArmPlain();
  const absl::Status committed = writer->Exec("COMMIT");
  vfs->Disarm(committed.ok());
  Failpoint("set_up_written");
  if (committed.ok()) vfs->SyncWal();
  return committed;
}

absl::StatusOr<Value> Volume::ReadPragma(const std::string& name) {
  absl::StatusOr<sqlite::Statement> pragma = writer->Prepare("PRAGMA " + name);
  if (!pragma.ok()) return pragma.status();
  if (pragma->Step() != sqlite::StepResult::kRow) return pragma->error().ToStatus();
  return pragma->Column(0);
}

absl::Status Volume::ReadOwnTables() {
  own = std::make_unique<OwnTables>(writer.get());
  absl::StatusOr<OwnRow> own_row = own->ReadRow();
  if (!own_row.ok()) return own_row.status();
  row = *own_row;
  absl::StatusOr<Identity> own_identity = own->ReadIdentity();
  if (!own_identity.ok()) return own_identity.status();
  identity = *std::move(own_identity);
  if (absl::Status status = CheckIdentity(); !status.ok()) return status;

  absl::StatusOr<Value> mode = ReadPragma("journal_mode");
  if (!mode.ok()) return mode.status();
  if (*mode != Value(std::string("wal"))) return Refuse(database_path + " is not in WAL mode");
  absl::StatusOr<Value> size = ReadPragma("page_size");
  if (!size.ok()) return size.status();
  page_size = std::get<int64_t>(*size);
  writer->SetCommitHook(commit_hook.get());
  if (absl::Status status = side->Reserve(options.redo_capacity); !status.ok()) return status;
  return own->PrepareStatements();
}

absl::Status Volume::CheckIdentity() const {
  if (identity.cluster_id == options.cluster_id && identity.node_id == options.node_id &&
      identity.database == options.database) {
    return absl::OkStatus();
  }
  return Refuse(absl::StrCat(options.directory, " belongs to node ", identity.node_id,
                             " (database ", identity.database, ", cluster ", identity.cluster_id,
                             "), but this is node ", options.node_id, " (database ",
                             options.database, ", cluster ", options.cluster_id, ")"));
}

void Volume::CloseWriter() {
  own.reset();
  writer.reset();
}

absl::StatusOr<std::unique_ptr<sqlite::Connection>> Volume::OpenReader() const {
  absl::StatusOr<std::unique_ptr<sqlite::Connection>> reader = sqlite::Connection::Open(
      database_path, {.vfs = vfs->reader_name(), .read_only = true, .busy_timeout = kBusyTimeout});
  if (!reader.ok()) return reader;
  absl::Status status = (*reader)->Set(sqlite::Switch::kNoCheckpointOnClose, true);
  if (status.ok()) {
    status = (*reader)->Exec(
        "PRAGMA wal_autocheckpoint = 0; PRAGMA temp_store = MEMORY; PRAGMA mmap_size = 0;");
  }
  if (!status.ok()) return status;
  return reader;
}

absl::Status Volume::CommitPlainly(bool sync) {
  vfs->ArmPlain();
  const absl::Status committed = own->Commit();
  const std::optional<sqlite::CommitFrame> frame = vfs->Disarm(committed.ok());
  if (!committed.ok()) {
    // The next recovery would find what is answered as failed.
    if (frame) Fatal("SQLite failed after it had written a whole COMMIT");
    RollbackIfOpen();
    return committed;
  }
  Failpoint("plain_commit_written");
  if (sync) vfs->SyncWal();
  Failpoint("plain_commit_synced");
  return committed;
}

void Volume::RollbackIfOpen() {
  if (writer->autocommit()) return;
  const absl::Status status = own->Rollback();
  LOCKSTEP_CHECK(writer->autocommit(),
                 absl::StrCat("a ROLLBACK failed: ", std::string(status.message())));
}

}  // namespace lockstep::participant
