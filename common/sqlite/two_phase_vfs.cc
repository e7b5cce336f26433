#include "common/sqlite/two_phase_vfs.h"

#include <sqlite3.h>

#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "common/check.h"
#include "common/sqlite/error.h"
#include "common/sqlite/file.h"
#include "common/sqlite/forwarding_vfs.h"
#include "common/sqlite/two_phase_file.h"
#include "common/sqlite/wal_format.h"

namespace lockstep::sqlite {
namespace {

constexpr int64_t kJulianDayOfUnixEpochMs = 210866760000000;

class Shim;

// One of the two names.
class Face final : public ForwardingVfs {
 public:
  Face(Shim* shim, bool is_writer);

  static Face* Of(sqlite3_vfs* vfs) { return static_cast<Face*>(ForwardingVfs::Of(vfs)); }
  Shim& shim() const { return shim_; }
  bool is_writer() const { return is_writer_; }

 private:
  Shim& shim_;
  const bool is_writer_;
};

class Shim final : public TwoPhaseVfs {
 public:
  Shim(sqlite3_vfs* base, TwoPhaseVfsOptions options)
      : options_(std::move(options)),
        state_(base, options_.wal),
        writer_(this, /*is_writer=*/true),
        reader_(this, /*is_writer=*/false) {
    state_.on_fatal = options_.on_fatal;
    state_.sync = options_.sync;
  }
  ~Shim() override;
  absl::Status RegisterFaces();

  const std::string& writer_name() const override { return writer_.name(); }
  const std::string& reader_name() const override { return reader_.name(); }

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
  const TwoPhaseVfsOptions options_;
  mutable TwoPhaseState state_;
  Face writer_;
  Face reader_;
};

int Open(sqlite3_vfs* vfs, const char* name, sqlite3_file* file, int flags, int* out_flags) {
  const Face* face = Face::Of(vfs);
  return OpenTwoPhaseFile(face->shim().state(), face->is_writer(), name, file, flags, out_flags);
}

int Delete(sqlite3_vfs* vfs, const char* name, int sync_directory) {
  // It may hold a prepared round.
  if (absl::EndsWith(name, "-wal")) return SQLITE_IOERR_DELETE;
  const Face* face = Face::Of(vfs);
  const bool sync = face->shim().state()->sync && sync_directory != 0;
  return face->base()->xDelete(face->base(), name, sync ? 1 : 0);
}

int CurrentTimeInt64(sqlite3_vfs* vfs, sqlite3_int64* milliseconds) {
  const Face* face = Face::Of(vfs);
  const FrozenClock* clock = face->is_writer() ? face->shim().clock() : nullptr;
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

Face::Face(Shim* shim, bool is_writer)
    : ForwardingVfs(shim->state()->base, is_writer ? "lockstep-writer" : "lockstep-reader",
                    TwoPhaseFileSize(shim->state()->base)),
      shim_(*shim),
      is_writer_(is_writer) {
  vfs_.iVersion = 2;
  vfs_.xOpen = Open;
  vfs_.xDelete = Delete;
  vfs_.xCurrentTime = CurrentTime;
  vfs_.xCurrentTimeInt64 = CurrentTimeInt64;
}

Shim::~Shim() {
  LOCKSTEP_CHECK(state_.index.holders() == 0 && state_.writer_wal == nullptr,
                 "the file layer is taken away from open connections");
}

absl::Status Shim::RegisterFaces() {
  if (absl::Status status = writer_.Register(); !status.ok()) return status;
  return reader_.Register();
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
  const absl::StatusOr<sqlite3_vfs*> base = FindVfs(options.base_vfs);
  if (!base.ok()) return base.status();
  auto shim = std::make_unique<Shim>(*base, std::move(options));
  if (absl::Status status = shim->RegisterFaces(); !status.ok()) return status;
  return shim;
}

absl::Status TwoPhaseVfs::Unmask(const CommitFrame& frame) {
  char bytes[8];
  StoreBigEndian64(bytes, frame.checksum);
  return WriteWal(frame.offset + kWalFrameChecksumOffset, std::string_view(bytes, sizeof(bytes)));
}

}  // namespace lockstep::sqlite
