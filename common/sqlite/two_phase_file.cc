#include "common/sqlite/two_phase_file.h"

#include "absl/strings/str_cat.h"
#include "common/check.h"
#include "common/sqlite/error.h"

namespace lockstep::sqlite {
namespace {

enum class Kind { kDatabase, kWal, kOther };

// SQLite allots it, with the base VFS's file behind.
struct alignas(8) TwoPhaseFile {
  sqlite3_file head;
  TwoPhaseState* state;
  WalIndex::Holder* holder;  // kDatabase only; null until SQLite asks for the wal-index
  Kind kind;
  bool is_writer;
};

TwoPhaseFile* Self(sqlite3_file* file) { return reinterpret_cast<TwoPhaseFile*>(file); }
sqlite3_file* Base(sqlite3_file* file) { return reinterpret_cast<sqlite3_file*>(Self(file) + 1); }

const char* NameOf(Kind kind) {
  if (kind == Kind::kOther) return "another file";
  return kind == Kind::kWal ? "the WAL" : "the database";
}

// After an I/O error what the file holds is unknown until a start has read it again.
int Judged(sqlite3_file* file, const char* doing, int code) {
  if (IsDamage(code) && code != SQLITE_IOERR_SHORT_READ) {
    const TwoPhaseFile* self = Self(file);
    self->state->Fatal(absl::StrCat("cannot ", doing, " ", NameOf(self->kind), ": ",
                                    sqlite3_errstr(code), " (", code, ")", kKeepACopy));
  }
  return code;
}

int Close(sqlite3_file* file) {
  TwoPhaseFile* self = Self(file);
  if (self->kind == Kind::kWal && self->is_writer) self->state->writer_wal = nullptr;
  if (self->holder != nullptr) self->state->index.Detach(self->holder);
  return Base(file)->pMethods->xClose(Base(file));
}

int Read(sqlite3_file* file, void* bytes, int size, sqlite3_int64 offset) {
  return Judged(file, "read", Base(file)->pMethods->xRead(Base(file), bytes, size, offset));
}

int Write(sqlite3_file* file, const void* bytes, int size, sqlite3_int64 offset) {
  TwoPhaseFile* self = Self(file);
  if (self->kind != Kind::kWal) {
    return Judged(file, "write", Base(file)->pMethods->xWrite(Base(file), bytes, size, offset));
  }
  WalWriter& writer = self->state->wal_writer;
  const bool armed = writer.arming() != WalWriter::Arming::kNone;
  if (!self->is_writer || (WalWriter::IsFrame(offset) && !armed)) {
    // A frame from a spilled cache, or from another connection: nobody would know of it.
    self->state->Fatal("the WAL was written outside an armed COMMIT");
    return SQLITE_IOERR_WRITE;
  }
  return Judged(file, "write",
                writer.Write(Base(file), static_cast<const char*>(bytes), size, offset));
}

int Truncate(sqlite3_file* file, sqlite3_int64 size) {
  // A truncation may reach the disk in pieces, and leave old frames that look valid.
  if (Self(file)->kind == Kind::kWal) return SQLITE_IOERR_TRUNCATE;
  return Base(file)->pMethods->xTruncate(Base(file), size);
}

int Sync(sqlite3_file* file, int flags) {
  TwoPhaseFile* self = Self(file);
  const bool is_wal = self->kind == Kind::kWal && self->is_writer;
  if (is_wal) {
    const int code = self->state->wal_writer.Flush(Base(file));
    if (code != SQLITE_OK) return Judged(file, "write", code);
  }
  if (!self->state->sync) return SQLITE_OK;
  const int code = Base(file)->pMethods->xSync(Base(file), flags);
  if (code != SQLITE_OK) {
    // What was written may be gone although a second sync would succeed.
    self->state->Fatal(absl::StrCat(
        "a sync of the database or its WAL failed: ", sqlite3_errstr(code), " (", code, ")"));
    return code;
  }
  ++self->state->syncs;
  if (is_wal) ++self->state->wal_syncs;
  return code;
}

int FileSize(sqlite3_file* file, sqlite3_int64* size) {
  return Base(file)->pMethods->xFileSize(Base(file), size);
}

// The process owns the file, and SQLite's own order of locks inside it is kept by the wal-index.
int Lock(sqlite3_file*, int) { return SQLITE_OK; }
int Unlock(sqlite3_file*, int) { return SQLITE_OK; }
int CheckReservedLock(sqlite3_file*, int* is_reserved) {
  *is_reserved = 0;
  return SQLITE_OK;
}

int FileControl(sqlite3_file* file, int operation, void* argument) {
  return Base(file)->pMethods->xFileControl(Base(file), operation, argument);
}

int SectorSize(sqlite3_file* file) { return Base(file)->pMethods->xSectorSize(Base(file)); }

int DeviceCharacteristics(sqlite3_file* file) {
  return Base(file)->pMethods->xDeviceCharacteristics(Base(file));
}

int ShmMap(sqlite3_file* file, int region, int size, int extend, void volatile** memory) {
  TwoPhaseFile* self = Self(file);
  if (size != WalIndex::kRegionSize) return SQLITE_IOERR_SHMSIZE;
  if (self->holder == nullptr) self->holder = self->state->index.Attach(self->is_writer);
  *memory = self->state->index.Region(region, extend != 0);
  return *memory == nullptr && extend != 0 ? SQLITE_NOMEM : SQLITE_OK;
}

int ShmLock(sqlite3_file* file, int offset, int count, int flags) {
  TwoPhaseFile* self = Self(file);
  if (self->holder == nullptr) return SQLITE_IOERR_SHMLOCK;
  const int code = self->state->index.Lock(self->holder, offset, count, flags);
  const bool takes_write_lock = offset == WalIndex::kWriteLock && self->is_writer &&
                                flags == (SQLITE_SHM_LOCK | SQLITE_SHM_EXCLUSIVE);
  if (code == SQLITE_OK && takes_write_lock) self->state->index.SaveHeader();
  return code;
}

void ShmBarrier(sqlite3_file*) { WalIndex::Barrier(); }

int ShmUnmap(sqlite3_file* file, int) {
  TwoPhaseFile* self = Self(file);
  if (self->holder != nullptr) self->state->index.Detach(self->holder);
  self->holder = nullptr;
  return SQLITE_OK;
}

// Version 2: no memory-mapped access to the database.
const sqlite3_io_methods kMethods = {2,
                                     Close,
                                     Read,
                                     Write,
                                     Truncate,
                                     Sync,
                                     FileSize,
                                     Lock,
                                     Unlock,
                                     CheckReservedLock,
                                     FileControl,
                                     SectorSize,
                                     DeviceCharacteristics,
                                     ShmMap,
                                     ShmLock,
                                     ShmBarrier,
                                     ShmUnmap,
                                     nullptr,
                                     nullptr};

Kind KindOf(int flags) {
  if ((flags & SQLITE_OPEN_WAL) != 0) return Kind::kWal;
  return (flags & SQLITE_OPEN_MAIN_DB) != 0 ? Kind::kDatabase : Kind::kOther;
}

}  // namespace

void TwoPhaseState::Fatal(const std::string& why) const {
  if (on_fatal) {
    on_fatal(why);
  } else {
    LOCKSTEP_CHECK(false, why);
  }
}

int TwoPhaseFileSize(const sqlite3_vfs* base) {
  return static_cast<int>(sizeof(TwoPhaseFile)) + base->szOsFile;
}

int OpenTwoPhaseFile(TwoPhaseState* state, bool is_writer, const char* name, sqlite3_file* file,
                     int flags, int* out_flags) {
  TwoPhaseFile* self = Self(file);
  self->head.pMethods = nullptr;  // so that SQLite does not close what was not opened
  self->state = state;
  self->holder = nullptr;
  self->kind = KindOf(flags);
  self->is_writer = is_writer;
  const int code = state->base->xOpen(state->base, name, Base(file), flags, out_flags);
  if (code != SQLITE_OK) {
    if (Base(file)->pMethods != nullptr) Base(file)->pMethods->xClose(Base(file));
    return code;
  }
  self->head.pMethods = &kMethods;
  if (self->kind == Kind::kWal && is_writer) state->writer_wal = Base(file);
  return SQLITE_OK;
}

}  // namespace lockstep::sqlite
