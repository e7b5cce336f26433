#include "participant/storage/side_file.h"

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "common/checksum.h"
#include "common/failpoint.h"
#include "common/sqlite/wal_format.h"

namespace lockstep::participant {
namespace {

using sqlite::LoadBigEndian32;
using sqlite::LoadBigEndian64;
using sqlite::StoreBigEndian32;
using sqlite::StoreBigEndian64;

constexpr uint32_t kStateMagic = 0x4c535354;  // LSST
constexpr uint32_t kRedoMagic = 0x4c535244;   // LSRD
constexpr int64_t kSlotDistance = 4096;
constexpr int kSlotSize = 48;
constexpr int64_t kRedoOffset = 8192;
constexpr int kRedoHeaderSize = 24;
constexpr int kSideChecksumSize = 8;
constexpr int kSlotChecksum = kSlotSize - kSideChecksumSize;

int64_t FileSizeFor(int64_t redo_capacity) {
  return kRedoOffset + kRedoHeaderSize + redo_capacity + kSideChecksumSize;
}

absl::Status NewerVersion(uint32_t version) {
  return absl::FailedPreconditionError(absl::StrCat("the side file has format ", version,
                                                    ", but this program knows only up to ",
                                                    kSideFileVersion));
}

}  // namespace

absl::StatusOr<bool> SideFile::LoadSlot(int slot) {
  char bytes[kSlotSize];
  if (absl::Status status = file_->Read(slot * kSlotDistance, bytes, sizeof(bytes)); !status.ok()) {
    return status;
  }
  if (LoadBigEndian32(bytes) != kStateMagic) return false;
  if (const uint32_t version = LoadBigEndian32(bytes + 4); version > kSideFileVersion) {
    return NewerVersion(version);
  }
  if (LoadBigEndian64(bytes + kSlotChecksum) != Checksum({bytes, kSlotChecksum})) return false;
  const uint64_t sequence = LoadBigEndian64(bytes + 8);
  if (sequence > sequence_) {
    sequence_ = sequence;
    state_.term = static_cast<Term>(LoadBigEndian64(bytes + 16));
    state_.coordinator = LoadBigEndian64(bytes + 24);
    state_.tombstone = RoundId::FromValue(static_cast<int64_t>(LoadBigEndian64(bytes + 32)));
  }
  return true;
}

absl::Status SideFile::Load() {
  bool any = false;
  for (int slot : {0, 1}) {
    absl::StatusOr<bool> valid = LoadSlot(slot);
    if (!valid.ok()) return valid.status();
    any = any || *valid;
  }
  return any ? absl::OkStatus() : absl::NotFoundError("the side file has no state");
}

absl::Status SideFile::Initialize(int64_t redo_capacity) {
  if (absl::Status status = file_->FillWithZeros(0, FileSizeFor(redo_capacity)); !status.ok()) {
    return status;
  }
  Sync();
  return Persist({}, /*sync=*/true);
}

absl::Status SideFile::Reserve(int64_t redo_capacity) {
  absl::StatusOr<int64_t> size = file_->Size();
  if (!size.ok()) return size.status();
  if (*size >= FileSizeFor(redo_capacity)) return absl::OkStatus();
  if (absl::Status status = file_->FillWithZeros(*size, FileSizeFor(redo_capacity)); !status.ok()) {
    return status;
  }
  Sync();
  return absl::OkStatus();
}

absl::Status SideFile::Persist(const State& state, bool sync) {
  const uint64_t next = sequence_ + 1;
  char bytes[kSlotSize];
  StoreBigEndian32(bytes, kStateMagic);
  StoreBigEndian32(bytes + 4, kSideFileVersion);
  StoreBigEndian64(bytes + 8, next);
  StoreBigEndian64(bytes + 16, state.term);
  StoreBigEndian64(bytes + 24, state.coordinator);
  StoreBigEndian64(bytes + 32, static_cast<uint64_t>(state.tombstone.value()));
  StoreBigEndian64(bytes + kSlotChecksum, Checksum({bytes, kSlotChecksum}));
  if (absl::Status status = file_->Write(static_cast<int64_t>(next & 1) * kSlotDistance,
                                         std::string_view(bytes, sizeof(bytes)));
      !status.ok()) {
    return status;
  }
  Failpoint("slot_written");
  if (sync) Sync();
  Failpoint("slot_synced");
  sequence_ = next;
  state_ = state;
  return absl::OkStatus();
}

absl::StatusOr<std::optional<SideFile::RedoBlock>> SideFile::ReadRedo() const {
  char header[kRedoHeaderSize];
  if (absl::Status status = file_->Read(kRedoOffset, header, sizeof(header)); !status.ok()) {
    return status;
  }
  if (LoadBigEndian32(header) != kRedoMagic) return std::nullopt;
  absl::StatusOr<int64_t> file_size = file_->Size();
  if (!file_size.ok()) return file_size.status();
  const int64_t room = *file_size - kRedoOffset - kRedoHeaderSize - kSideChecksumSize;
  const uint64_t length = LoadBigEndian64(header + 16);
  if (room < 0 || length > static_cast<uint64_t>(room) || length > INT32_MAX / 2) {
    return std::nullopt;
  }

  std::string block(kRedoHeaderSize + length + kSideChecksumSize, '\0');
  if (absl::Status status = file_->Read(kRedoOffset, block.data(), static_cast<int>(block.size()));
      !status.ok()) {
    return status;
  }
  const std::string_view covered(block.data(), kRedoHeaderSize + length);
  if (LoadBigEndian64(block.data() + covered.size()) != Checksum(covered)) return std::nullopt;
  if (const uint32_t version = LoadBigEndian32(header + 4); version > kSideFileVersion) {
    return NewerVersion(version);
  }
  return RedoBlock{.round = RoundId::FromValue(static_cast<int64_t>(LoadBigEndian64(header + 8))),
                   .body = block.substr(kRedoHeaderSize, length)};
}

absl::Status SideFile::WriteRedo(RoundId round, std::string_view body, bool sync) {
  absl::StatusOr<int64_t> file_size = file_->Size();
  if (!file_size.ok()) return file_size.status();
  if (FileSizeFor(static_cast<int64_t>(body.size())) > *file_size) {
    return absl::ResourceExhaustedError(absl::StrCat("a redo block of ", body.size(),
                                                     " bytes does not fit into the side file of ",
                                                     *file_size, " bytes"));
  }
  std::string block(kRedoHeaderSize, '\0');
  block.reserve(block.size() + body.size() + kSideChecksumSize);
  StoreBigEndian32(&block[0], kRedoMagic);
  StoreBigEndian32(&block[4], kSideFileVersion);
  StoreBigEndian64(&block[8], static_cast<uint64_t>(round.value()));
  StoreBigEndian64(&block[16], body.size());
  block.append(body);
  char checksum[kSideChecksumSize];
  StoreBigEndian64(checksum, Checksum(block));
  block.append(checksum, sizeof(checksum));
  if (absl::Status status = file_->Write(kRedoOffset, block); !status.ok()) return status;
  Failpoint("cut_redo_written");
  if (sync) Sync();
  return absl::OkStatus();
}

void SideFile::Sync() {
  if (scratch_) return;
  if (absl::Status status = file_->Sync(); !status.ok()) {
    on_fatal_(std::string(status.message()));
  }
  ++syncs_;
}

}  // namespace lockstep::participant
