#include "participant/storage/side_file.h"

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "common/checksum.h"
#include "common/failpoint.h"
#include "common/sqlite/error.h"
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

absl::Status Damaged(const std::string& why) {
  return absl::DataLossError(absl::StrCat("the side file is damaged: ", why,
                                          "; the disk, or another program, changed it",
                                          sqlite::kKeepACopy));
}

absl::Status NewerVersion(uint32_t version) {
  return absl::FailedPreconditionError(absl::StrCat("the side file has format ", version,
                                                    ", but this program knows only up to ",
                                                    kSideFileVersion));
}

}  // namespace

absl::StatusOr<std::optional<SideFile::Slot>> SideFile::ReadSlot(int number) const {
  std::string bytes(kSlotSize, '\0');
  if (absl::Status status = file_->Read(number * kSlotDistance, bytes.data(), kSlotSize);
      !status.ok()) {
    return status;
  }
  if (bytes.find_first_not_of('\0') == std::string::npos) return std::nullopt;
  const uint32_t version = LoadBigEndian32(&bytes[4]);
  if (LoadBigEndian32(bytes.data()) == kStateMagic && version > kSideFileVersion) {
    return NewerVersion(version);
  }
  Slot slot;
  slot.sequence = LoadBigEndian64(&bytes[8]);
  if (LoadBigEndian32(bytes.data()) != kStateMagic ||
      LoadBigEndian64(&bytes[kSlotChecksum]) !=
          Checksum(std::string_view(bytes).substr(0, kSlotChecksum)) ||
      (slot.sequence & 1) != static_cast<uint64_t>(number)) {
    return Damaged(absl::StrCat("slot ", number, " does not bear its checksum"));
  }
  slot.state.term = static_cast<Term>(LoadBigEndian64(&bytes[16]));
  slot.state.coordinator = LoadBigEndian64(&bytes[24]);
  slot.state.tombstone = RoundId::FromValue(static_cast<int64_t>(LoadBigEndian64(&bytes[32])));
  return slot;
}

// A slot is within one sector, so a power loss leaves the one before or the new one, and each is
// durable before the next is written: what is neither would have an old term or tombstone believed.
absl::Status SideFile::Load() {
  std::optional<Slot> newest;
  uint64_t least_sequence = UINT64_MAX;
  for (const int number : {0, 1}) {
    absl::StatusOr<std::optional<Slot>> slot = ReadSlot(number);
    if (!slot.ok()) return slot.status();
    const uint64_t sequence = *slot ? (*slot)->sequence : 0;
    least_sequence = std::min(least_sequence, sequence);
    if (*slot && (!newest || sequence > newest->sequence)) newest = **slot;
  }
  if (!newest) return absl::NotFoundError("the side file has no state");
  if (newest->sequence != least_sequence + 1) {
    return Damaged(absl::StrCat("state ", newest->sequence - 1, " is missing beside state ",
                                newest->sequence));
  }
  sequence_ = newest->sequence;
  state_ = newest->state;
  return absl::OkStatus();
}

absl::Status SideFile::LoadDurably() {
  if (absl::Status status = Load(); !status.ok()) return status;
  const absl::StatusOr<std::optional<RedoBlock>> redo = ReadRedo();
  if (!redo.ok()) return redo.status();
  for (const int64_t slot : {int64_t{0}, kSlotDistance}) {
    if (absl::Status status = file_->WriteAgain(slot, slot + kSlotSize); !status.ok())
      return status;
  }
  if (*redo) {
    const int64_t end = FileSizeFor(std::ssize((*redo)->body));
    if (absl::Status status = file_->WriteAgain(kRedoOffset, end); !status.ok()) return status;
  }
  Sync();
  return Load();
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
