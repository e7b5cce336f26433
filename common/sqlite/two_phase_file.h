// Inside of TwoPhaseVfs: what its files share, and how a file is opened. Not for others.
#ifndef LOCKSTEP_COMMON_SQLITE_TWO_PHASE_FILE_H_
#define LOCKSTEP_COMMON_SQLITE_TWO_PHASE_FILE_H_

#include <sqlite3.h>

#include <cstdint>
#include <functional>
#include <string>

#include "common/sqlite/wal_index.h"
#include "common/sqlite/wal_writer.h"

namespace lockstep::sqlite {

// One database's shared state.
struct TwoPhaseState {
  TwoPhaseState(sqlite3_vfs* base_vfs, WalWriter::Options wal)
      : base(base_vfs), wal_writer(&index, wal) {}

  // Ends the process.
  void Fatal(const std::string& why) const;

  sqlite3_vfs* const base;
  std::function<void(const std::string&)> on_fatal;
  bool sync = true;
  WalIndex index;  // has its own lock; all below belongs to the writer's thread
  WalWriter wal_writer;
  sqlite3_file* writer_wal = nullptr;  // the base VFS's file
  int64_t wal_syncs = 0;
  int64_t syncs = 0;
};

// How many bytes SQLite has to give for one file.
int TwoPhaseFileSize(const sqlite3_vfs* base);

// Opens a file for one of the writer's or the readers' connections; xOpen's contract.
int OpenTwoPhaseFile(TwoPhaseState* state, bool is_writer, const char* name, sqlite3_file* file,
                     int flags, int* out_flags);

}  // namespace lockstep::sqlite

#endif  // LOCKSTEP_COMMON_SQLITE_TWO_PHASE_FILE_H_
