// A participant's storage: one SQLite file that knows PREPARE, and a small file beside it.
#ifndef LOCKSTEP_PARTICIPANT_STORAGE_PREPARE_STORE_H_
#define LOCKSTEP_PARTICIPANT_STORAGE_PREPARE_STORE_H_

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "common/round_id.h"
#include "common/sqlite/connection.h"
#include "common/sqlite/frozen_clock.h"
#include "participant/storage/store_options.h"

namespace lockstep::participant {

// A round that is held between its votes and its end.
struct HeldRound {
  RoundId round;
  bool in_doubt = false;  // found by a start; else prepared by this process
  // In doubt only: the record was found too, with what Prepare was given as body.
  bool has_record = false;
  std::string record = {};
};

// A finite cut that was made durable but not yet re-executed.
struct Redo {
  RoundId round;
  std::string body;
};

// Who the volume belongs to.
struct Identity {
  std::string cluster_id;
  std::string node_id;
  std::string database;
  // Empty, 0 and 0 until the coordinator's first Fence.
  std::string log_id = {};
  int role = 0;
  uint32_t replicas = 0;
};

// What a start spent its time on.
struct OpenTimes {
  absl::Duration sync;  // of what a kill may have left in the page cache only
  absl::Duration scan;  // of the WAL
  absl::Duration open;  // SQLite, its own recovery of the WAL included
};

// Owns the database of one participant, its writer's connection and its side file.
//
// Thread: everything but OpenReader's result belongs to one thread, the participant's actor.
// Errors: a returned error means that nothing changed, but for Prepare (see there). What leaves the
// state of the disk unknown (a failed sync) ends the process, as does a broken rule.
// Commits: a COMMIT that does not come from here is refused with SQLITE_CONSTRAINT_COMMITHOOK.
//
//   store->Begin();  ...branches on store->writer()...
//   store->Prepare(round, latest_instant, body);  // durable, and nobody sees it
//   store->Commit();                              // visible; durable with the next sync
class PrepareStore {
 public:
  // Sets the volume up, or recovers it (P8): afterwards redo() or held() may be set,
  // and at most one of them. Refuses a volume of another node, of a newer format, of other origin,
  // or with its side file missing, each with a sentence for a person.
  static absl::StatusOr<std::unique_ptr<PrepareStore>> Open(StoreOptions options);

  PrepareStore(const PrepareStore&) = delete;
  PrepareStore& operator=(const PrepareStore&) = delete;
  // Requires that readers and the writer's statements are gone. Keeps what is prepared.
  virtual ~PrepareStore() = default;

  // What is held. All but durable() is on disk; applied() may be lost until durable() reaches it.
  virtual Term term() const = 0;
  // The boot id of the coordinator's run that the term belongs to; 0 for none.
  virtual uint64_t coordinator() const = 0;
  virtual RoundId tombstone() const = 0;
  virtual RoundId applied() const = 0;
  virtual RoundId durable() const = 0;
  virtual const std::optional<HeldRound>& held() const = 0;
  virtual const std::optional<Redo>& redo() const = 0;
  virtual const Identity& identity() const = 0;
  // The latest instant that a committed transaction used (rule R23); the Unix epoch for none.
  virtual absl::Time latest_instant() const = 0;
  // Of Open; of CommitInDoubt's second scan, if there was one.
  virtual const OpenTimes& open_times() const = 0;

  // The connection that writes. Another one after CommitInDoubt.
  virtual sqlite::Connection& writer() = 0;
  virtual sqlite::FrozenClock& frozen_clock() = 0;
  // A read-only connection; the caller may use it on any one thread at a time.
  virtual absl::StatusOr<std::unique_ptr<sqlite::Connection>> OpenReader() = 0;

  // Durable when it returns OK. Allowed while a round is held. Requires term > term().
  virtual absl::Status PersistTerm(Term term, uint64_t coordinator) = 0;
  // Durable when it returns OK: tombstone() is then the greater of both. Allowed while a round is
  // held, which it leaves alone (rule R4).
  virtual absl::Status PersistTombstone(RoundId round) = 0;
  // Durable when it returns OK. Requires that nothing is held and no transaction is open.
  virtual absl::Status SetIdentity(const std::string& log_id, int role, uint32_t replicas) = 0;

  // Opens the transaction of a round, of a re-execution or of a local transaction. Requires that
  // nothing is held and none is open.
  virtual absl::Status Begin() = 0;
  // Drops the open transaction, if SQLite has not done so already.
  virtual absl::Status RollbackTransaction() = 0;

  // Makes the open transaction the prepared round: durable when it returns OK, with `body` beside
  // it, and invisible. Requires round > max(applied(), tombstone()), round.term() <= term().
  // `latest_instant` is the latest clock of its branches. An error means: nothing is held, and the
  // transaction is gone.
  virtual absl::Status Prepare(RoundId round, absl::Time latest_instant, std::string_view body) = 0;
  // Makes the round that this process prepared visible, and applied() it. Not yet durable. An error
  // (the disk refused the write) leaves it prepared.
  virtual absl::Status Commit() = 0;
  // Forgets the round that is held, prepared or in doubt; writes nothing: the tombstone, where one
  // is due, was persisted before (P6).
  virtual absl::Status Forget() = 0;

  // A finite cut (P5): WriteRedo, Forget, Begin, run the branches, CommitRedone.
  // Durable when it returns OK; sets redo(). Requires that `round` is held, and
  // body.size() <= redo_capacity.
  virtual absl::Status WriteRedo(RoundId round, std::string_view body) = 0;
  // Commits the open transaction as the round of redo(), visible and durable when it returns OK;
  // clears redo().
  virtual absl::Status CommitRedone(absl::Time latest_instant) = 0;

  // Commits the open transaction as a local one: visible and durable when it returns OK. Leaves
  // applied() alone.
  virtual absl::Status CommitLocal(absl::Time latest_instant) = 0;

  // Commits the round that is in doubt, all of it: visible and durable when it returns OK. Calls
  // before_reopen, opens all anew and scans again: held() may then be set once more, with a later
  // round that never voted.
  virtual absl::Status CommitInDoubt() = 0;

  // Moves WAL frames into the database and lets the WAL start over if no reader needs it. Requires
  // that nothing is held and no transaction is open. Frames that a reader pins stay.
  virtual absl::Status Checkpoint() = 0;
  // Syncs the WAL, if that moves durable() to applied().
  virtual absl::Status SyncIdle() = 0;

  // The frames of the WAL that readers may need, in bytes; it starts over once all of them are in
  // the database file and no reader is left in them. And those that a Checkpoint would have to
  // move.
  virtual int64_t wal_bytes() const = 0;
  virtual int64_t checkpoint_backlog_bytes() const = 0;
  // fdatasyncs of all three files since Open.
  virtual int64_t syncs() const = 0;

 protected:
  PrepareStore() = default;
};

// Proves the mechanism on a scratch database below `directory`, or in memory if that is full, which
// is removed again: prepare, hidden, commit, visible, roll back, restart in doubt, both ways. An
// error says what failed.
// `faults` is for tests only.
absl::Status SelfTest(const std::string& directory, const StoreFaults& faults = {});

}  // namespace lockstep::participant

#endif  // LOCKSTEP_PARTICIPANT_STORAGE_PREPARE_STORE_H_
