// What a PrepareStore needs to know, and the faults that its tests put in.
#ifndef LOCKSTEP_PARTICIPANT_STORAGE_STORE_OPTIONS_H_
#define LOCKSTEP_PARTICIPANT_STORAGE_STORE_OPTIONS_H_

#include <cstdint>
#include <functional>
#include <string>

namespace lockstep::participant {

// Takes one rule of the storage out, so that a test can show that it would be missed. Tests only.
struct StoreFaults {
  bool no_mask = false;             // P2
  bool no_hidden_header = false;    // P3
  bool no_publish_gate = false;     // the mutex that holds readers off while the header is put back
  bool no_prepare_sync = false;     // rule R5
  bool no_term_sync = false;        // rule R6
  bool no_tombstone_sync = false;   // rule R3
  bool no_redo_sync = false;        // rule R7
  bool no_start_sync = false;       // rule R9
  bool no_unmask_sync = false;      // P8: in doubt, then committed
  bool no_local_sync = false;       // a local transaction
  bool redo_ignored = false;        // P8: the redo block at start
  bool tombstone_at_start = false;  // rule R4
  bool durable_at_commit = false;   // P4
  bool cache_spill = false;         // P0
};

struct StoreOptions {
  // Made if it is not there. Holds data.db, data.db-wal and data.side, and nothing else.
  std::string directory;
  // Who the volume belongs to; written at the first start, compared at every other.
  std::string cluster_id;
  std::string node_id;
  std::string database;
  // The largest body of a redo block: the byte cap of a round and its votes. The space is taken at
  // the first start; a later start with a larger number enlarges the side file.
  int64_t redo_capacity = int64_t{64} << 20;
  // The WAL gets at least this size at a start, if the disk has the space. 0: it grows as it is
  // written, which is slower.
  int64_t wal_reserve = 0;
  // Of a database that is made; ignored for one that exists.
  int page_size = 4096;
  // What of the database the writer keeps in memory between transactions.
  int64_t page_cache_bytes = int64_t{32} << 20;

  // The SQLite VFS that the files live on; tests give a simulated disk.
  std::string base_vfs = "unix";
  // Whether to lock the file against other processes. Off only where base_vfs is not the real one.
  bool take_ownership = true;
  // Nothing is synced: for volumes that are thrown away.
  bool scratch = false;
  // Called, with a sentence, when the process has to end because a sync failed or a rule of the
  // storage was broken; must not return in production. Empty: LOCKSTEP_CHECK's way.
  std::function<void(const std::string&)> on_fatal;
  // Called by CommitInDoubt before the connections are closed: the owner gives back every reader,
  // and every statement on writer(). Afterwards writer() is another one.
  std::function<void()> before_reopen;
  StoreFaults faults;
};

}  // namespace lockstep::participant

#endif  // LOCKSTEP_PARTICIPANT_STORAGE_STORE_OPTIONS_H_
