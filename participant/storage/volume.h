// The files of a participant's storage, opened in the order that recovery needs.
#ifndef LOCKSTEP_PARTICIPANT_STORAGE_VOLUME_H_
#define LOCKSTEP_PARTICIPANT_STORAGE_VOLUME_H_

#include <memory>
#include <optional>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "common/sqlite/connection.h"
#include "common/sqlite/file_ownership.h"
#include "common/sqlite/frozen_clock.h"
#include "common/sqlite/two_phase_vfs.h"
#include "participant/storage/own_tables.h"
#include "participant/storage/prepare_store.h"
#include "participant/storage/side_file.h"
#include "participant/storage/store_options.h"
#include "participant/storage/wal_scan.h"

namespace lockstep::participant {

// What a scan of the WAL says, before anybody is asked.
struct FoundRound {
  int64_t end = 0;  // of what is believed: the frames, the masked one, its record
  std::optional<MaskedRound> masked;
  bool has_record = false;
  std::string record;
};

// The files and connections of one store, without its rules about rounds.
//
// Thread: the store's. Members are public as of a struct: PrepareStore is its only user.
struct Volume {
  static absl::StatusOr<std::unique_ptr<Volume>> Open(StoreOptions options);
  explicit Volume(StoreOptions options);
  Volume(const Volume&) = delete;
  Volume& operator=(const Volume&) = delete;

  void Fatal(const std::string& why) const;
  absl::StatusOr<std::unique_ptr<sqlite::Connection>> OpenReader() const;

  // P8 (c) and (d): scans the WAL, then opens the writer. Requires that it is not open.
  absl::Status ScanAndOpenWriter();
  // Requires that readers, and others' statements on the writer, are gone.
  void CloseWriter();

  // A COMMIT that recovery and readers see at once, and a sync of it (`sync` is false in tests
  // only). An error means that the transaction is gone.
  absl::Status CommitPlainly(bool sync);
  void RollbackIfOpen();
  // Of all files, since Open.
  int64_t syncs() const { return start_syncs_ + side->syncs() + vfs->syncs(); }

  const StoreOptions options;
  const std::string database_path;
  const std::string wal_path;
  const std::string side_path;
  std::unique_ptr<sqlite::FileOwnership> ownership;
  std::unique_ptr<SideFile> side;
  sqlite::FrozenClock clock;
  std::unique_ptr<sqlite::TwoPhaseVfs> vfs;
  std::unique_ptr<sqlite::CommitHook> commit_hook;
  std::unique_ptr<sqlite::Connection> writer;
  std::unique_ptr<OwnTables> own;
  int64_t page_size = 0;
  FoundRound found;
  OwnRow row;
  Identity identity;
  OpenTimes times;

 private:
  absl::Status OpenFiles();
  absl::Status SyncAll();
  // P8 (a) is for those that have files of an earlier process.
  bool may_have_unsynced() const { return !options.faults.no_start_sync && !options.scratch; }
  absl::Status OpenSideFile();
  absl::Status ScanFiles();
  absl::StatusOr<FoundRound> Scan(const sqlite::File& wal) const;
  absl::Status MakeDurable(sqlite::File* wal, int64_t end);
  absl::Status OpenWriter();
  absl::Status TuneWriter();
  void ReserveWal();
  absl::Status SetUp();
  absl::Status ReadOwnTables();
  absl::StatusOr<Value> ReadPragma(const std::string& name);
  absl::Status CheckIdentity() const;

  int64_t start_syncs_ = 0;
  int64_t durable_end_ = 0;  // of the WAL, at a start
};

}  // namespace lockstep::participant

#endif  // LOCKSTEP_PARTICIPANT_STORAGE_VOLUME_H_
