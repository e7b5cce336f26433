#include "common/sqlite/two_phase_vfs.h"

#include <sqlite3.h>

#include <atomic>
#include <cstring>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "common/check.h"
#include "common/sqlite/error.h"
#include "common/sqlite/file.h"
#include "common/sqlite/two_phase_file.h"
#include "common/sqlite/wal_format.h"

namespace lockstep::sqlite {
namespace {

constexpr int64_t kJulianDayOfUnixEpochMs = 210866760000000;

class Shim;

// What SQLite hands back with each call to one of the two names.
struct Face {
  Shim* shim = nullptr;
  bool is_writer = false;
  std::string name;
  sqlite3_vfs vfs = {};
};

class Shim final : public TwoPhaseVfs {
 public:
  Shim(sqlite3_vfs* base, TwoPhaseVfsOptions options)
      : options_(std::move(options)), state_(base, options_.wal) {
    state_.on_fatal = options_.on_fatal;
    state_.sync = options_.sync;
  }
  ~Shim() override;
  absl::Status RegisterFaces();

  const std::string& writer_name() const override { return writer_.name; }
  const std::string& reader_name() const override { return reader_.name; }

  void ArmPlain() override { state_.wal_writer.Arm(WalWriter::Arming::kPlain, 0); }
  void ArmMasked(uint64_t id) override { state_.wal_writer.Arm(WalWriter::Arming::kMasked, id); }
  std::optional<CommitFrame> Disarm(bool committed) override;
  bool armed() const override { return state_.wal_writer.arming() != WalWriter::Arming::kNone; }
  void Hide() override;
  void Publish() override;

  absl::Status WriteWal(int64_t offset, std::string_view bytes) override;
  void SyncWal() override;
  void DropWalIndex() override { state_.index.Drop(); }

  int64_t wal_syncs() const override { return state_.wal_syncs; }
  int64_t syncs() const override { return state_.syncs; }
  uint32_t frames() const override { return state_.index.frames(); }
  uint32_t backfilled_frames() const override { return state_.index.backfilled(); }

  TwoPhaseState* state() { return &state_; }
  const FrozenClock* clock() const { return options_.clock; }

 private:
  absl::Status RegisterFace(bool is_writer, Face* face);

  const TwoPhaseVfsOptions options_;
  mutable TwoPhaseState state_;
  Face writer_;
  Face reader_;
};

Face* FaceOf(sqlite3_vfs* vfs) { return static_cast<Face*>(vfs->pAppData); }
sqlite3_vfs* BaseOf(sqlite3_vfs* vfs) { return FaceOf(vfs)->shim->state()->base; }

int Open(sqlite3_vfs* vfs, const char* name, sqlite3_file* file, int flags, int* out_flags) {
  Face* face = FaceOf(vfs);
  return OpenTwoPhaseFile(face->shim->state(), face->is_writer, name, file, flags, out_flags);
}

int Delete(sqlite3_vfs* vfs, const char* name, int sync_directory) {
  // It may hold a prepared round.
  if (absl::EndsWith(name, "-wal")) return SQLITE_IOERR_DELETE;
  const bool sync = FaceOf(vfs)->shim->state()->sync && sync_directory != 0;
  return BaseOf(vfs)->xDelete(BaseOf(vfs), name, sync ? 1 : 0);
}

int Access(sqlite3_vfs* vfs, const char* name, int flags, int* result) {
  return BaseOf(vfs)->xAccess(BaseOf(vfs), name, flags, result);
}

int FullPathname(sqlite3_vfs* vfs, const char* name, int size, char* out) {
  return BaseOf(vfs)->xFullPathname(BaseOf(vfs), name, size, out);
}

int Randomness(sqlite3_vfs* vfs, int size, char* out) {
  return BaseOf(vfs)->xRandomness(BaseOf(vfs), size, out);
}

int Sleep(sqlite3_vfs* vfs, int microseconds) {
  return BaseOf(vfs)->xSleep(BaseOf(vfs), microseconds);
}

int CurrentTimeInt64(sqlite3_vfs* vfs, sqlite3_int64* milliseconds) {
  const FrozenClock* clock = FaceOf(vfs)->is_writer ? FaceOf(vfs)->shim->clock() : nullptr;
  if (clock != nullptr && clock->instant()) {
    *milliseconds = kJulianDayOfUnixEpochMs + absl::ToUnixMillis(*clock->instant());
    return SQLITE_OK;
  }
  *milliseconds = kJulianDayOfUnixEpochMs + absl::ToUnixMillis(absl::Now());
  return SQLITE_OK;
}

int CurrentTime(sqlite3_vfs* vfs, double* days) {
  sqlite3_int64 milliseconds = 0;
  const int code = CurrentTimeInt64(vfs, &milliseconds);
  *days = static_cast<double>(milliseconds) / 86400000.0;
  return code;
}

int GetLastError(sqlite3_vfs* vfs, int size, char* out) {
  return BaseOf(vfs)->xGetLastError(BaseOf(vfs), size, out);
}

Shim::~Shim() {
  LOCKSTEP_CHECK(state_.index.holders() == 0 && state_.writer_wal == nullptr,
                 "the file layer is taken away from open connections");
  for (Face* face : {&writer_, &reader_}) {
    if (face->shim != nullptr) sqlite3_vfs_unregister(&face->vfs);
  }
}

absl::Status Shim::RegisterFace(bool is_writer, Face* face) {
  static std::atomic<int64_t> next_number = 0;
  face->is_writer = is_writer;
  face->name = absl::StrCat("lockstep-", is_writer ? "writer-" : "reader-", next_number++);
  face->vfs.iVersion = 2;
  face->vfs.szOsFile = TwoPhaseFileSize(state_.base);
  face->vfs.mxPathname = state_.base->mxPathname;
  face->vfs.zName = face->name.c_str();
  face->vfs.pAppData = face;
  face->vfs.xOpen = Open;
  face->vfs.xDelete = Delete;
  face->vfs.xAccess = Access;
  face->vfs.xFullPathname = FullPathname;
  face->vfs.xRandomness = Randomness;
  face->vfs.xSleep = Sleep;
  face->vfs.xCurrentTime = CurrentTime;
  face->vfs.xGetLastError = GetLastError;
  face->vfs.xCurrentTimeInt64 = CurrentTimeInt64;
  const int code = sqlite3_vfs_register(&face->vfs, /*makeDflt=*/0);
  if (code != SQLITE_OK) {
    return absl::InternalError(absl::StrCat("SQLite refused a VFS: ", sqlite3_errstr(code)));
  }
  face->shim = this;
  return absl::OkStatus();
}

absl::Status Shim::RegisterFaces() {
  if (absl::Status status = RegisterFace(true, &writer_); !status.ok()) return status;
  return RegisterFace(false, &reader_);
}

std::optional<CommitFrame> Shim::Disarm(bool committed) {
  const bool masked = state_.wal_writer.arming() == WalWriter::Arming::kMasked;
  state_.wal_writer.Arm(WalWriter::Arming::kNone, 0);
  if (!committed) {
    state_.wal_writer.Discard();
    if (masked) state_.index.OpenGate();
  }
  return state_.wal_writer.committed();
}

void Shim::Hide() {
  if (options_.hide) state_.index.Hide();
  state_.index.OpenGate();
}

void Shim::Publish() {
  if (options_.hide) state_.index.Publish();
}

absl::Status Shim::WriteWal(int64_t offset, std::string_view bytes) {
  LOCKSTEP_CHECK(state_.writer_wal != nullptr, "there is no open WAL");
  const int code = WriteInParts(state_.writer_wal, offset, bytes);
  if (code == SQLITE_OK) return absl::OkStatus();
  const std::string message =
      absl::StrCat("cannot write to the WAL: ", sqlite3_errstr(code), " (", code, ")");
  if (IsDamage(code)) state_.Fatal(absl::StrCat(message, kKeepACopy));
  return (code & 0xff) == SQLITE_FULL ? absl::ResourceExhaustedError(message)
                                      : absl::UnavailableError(message);
}

void Shim::SyncWal() {
  LOCKSTEP_CHECK(state_.writer_wal != nullptr, "there is no open WAL");
  sqlite3_file* wal = state_.writer_wal;
  const int code = state_.sync ? wal->pMethods->xSync(wal, SQLITE_SYNC_NORMAL) : SQLITE_OK;
  if (code != SQLITE_OK) {
    state_.Fatal(absl::StrCat("a sync of the WAL failed: ", sqlite3_errstr(code), " (", code, ")"));
    return;
  }
  ++state_.syncs;
  ++state_.wal_syncs;
}

}  // namespace

absl::StatusOr<std::unique_ptr<TwoPhaseVfs>> TwoPhaseVfs::Register(TwoPhaseVfsOptions options) {
  sqlite3_vfs* base = sqlite3_vfs_find(options.base_vfs.c_str());
  if (base == nullptr) {
    return absl::NotFoundError(absl::StrCat("no SQLite VFS named ", options.base_vfs));
  }
  auto shim = std::make_unique<Shim>(base, std::move(options));
  if (absl::Status status = shim->RegisterFaces(); !status.ok()) return status;
  return shim;
}

absl::Status TwoPhaseVfs::Unmask(const CommitFrame& frame) {
  char bytes[8];
  StoreBigEndian64(bytes, frame.checksum);
  return WriteWal(frame.offset + kWalFrameChecksumOffset, std::string_view(bytes, sizeof(bytes)));
}

}  // namespace lockstep::sqlite
