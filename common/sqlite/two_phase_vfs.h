// The file layer under all connections of one database that splits a COMMIT in two: made durable
// but invisible, then visible.
#ifndef LOCKSTEP_COMMON_SQLITE_TWO_PHASE_VFS_H_
#define LOCKSTEP_COMMON_SQLITE_TWO_PHASE_VFS_H_

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "common/sqlite/frozen_clock.h"
#include "common/sqlite/wal_writer.h"

namespace lockstep::sqlite {

struct TwoPhaseVfsOptions {
  // The SQLite VFS underneath.
  std::string base_vfs = "unix";
  // The instant of the writer's connection; must outlive the VFS.
  const FrozenClock* clock = nullptr;
  // Called when the process has to end; must not return in production.
  std::function<void(const std::string&)> on_fatal;
  // False for files that are thrown away: a sync then does nothing.
  bool sync = true;
  WalWriter::Options wal;
  bool hide = true;  // false in tests only
};

// One database's shim, registered with SQLite under two names: for the one connection that writes,
// and for any number that read. File locks are no-ops, so this process has to own the database
// (FileOwnership); the wal-index is in memory; the -wal is never deleted or truncated. A frame that
// is written to the WAL outside an armed COMMIT, and a failed sync, end the process.
//
// Thread: SQLite's methods run on the threads of the connections. Everything here belongs to the
// writer's thread.
//
//   vfs->ArmMasked(id);
//   COMMIT on the writer; vfs->Disarm(true);  // SQLite believes it is committed
//   vfs->Hide();                              // and nobody else ever did
//   vfs->SyncWal();
//   vfs->Unmask(frame); vfs->Publish();   // now everybody does
class TwoPhaseVfs {
 public:
  static absl::StatusOr<std::unique_ptr<TwoPhaseVfs>> Register(TwoPhaseVfsOptions options);
  TwoPhaseVfs(const TwoPhaseVfs&) = delete;
  TwoPhaseVfs& operator=(const TwoPhaseVfs&) = delete;
  // Requires that all connections are closed.
  virtual ~TwoPhaseVfs() = default;

  virtual const std::string& writer_name() const = 0;
  virtual const std::string& reader_name() const = 0;

  // The next COMMIT is an ordinary one.
  virtual void ArmPlain() = 0;
  // The next COMMIT's last frame is masked with `id`, and other connections wait for their locks
  // from then until Hide or Disarm(false).
  virtual void ArmMasked(uint64_t id) = 0;
  // After the COMMIT; `committed` is whether it succeeded. The frame that ended it, if it is in the
  // file (an error may have come later). If a masked COMMIT succeeded, Hide has to follow at once.
  virtual std::optional<CommitFrame> Disarm(bool committed) = 0;
  virtual bool armed() const = 0;
  // Puts the old end of the WAL back before everybody's eyes, and lets them go on.
  virtual void Hide() = 0;
  // Shows the end that Hide took away.
  virtual void Publish() = 0;

  // On the WAL, beside SQLite. Require an open writer whose WAL exists.
  virtual absl::Status WriteWal(int64_t offset, std::string_view bytes) = 0;
  // Writes the true checksum of a masked frame.
  absl::Status Unmask(const CommitFrame& frame);
  virtual void SyncWal() = 0;

  // Forgets the wal-index, as at a start. Requires that all connections are closed.
  virtual void DropWalIndex() = 0;

  // Syncs of the WAL that have returned; one that started later has a larger number.
  virtual int64_t wal_syncs() const = 0;
  // Syncs of all files.
  virtual int64_t syncs() const = 0;
  // Frames that readers see, and those of them that are in the database file already.
  virtual uint32_t frames() const = 0;
  virtual uint32_t backfilled_frames() const = 0;

 protected:
  TwoPhaseVfs() = default;
};

}  // namespace lockstep::sqlite

#endif  // LOCKSTEP_COMMON_SQLITE_TWO_PHASE_VFS_H_
