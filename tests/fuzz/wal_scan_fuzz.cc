// The scan of a WAL for a prepared round, and the round's record behind it.
//
// The first byte says what is put right after the fuzzer has been at it, or no chain of checksums
// would ever hold: 1 the header, 2 the frames, 4 the last one is masked as a commit.
#include <algorithm>
#include <cstdint>
#include <memory>
#include <string>

#include "common/check.h"
#include "common/sqlite/file.h"
#include "common/sqlite/wal_format.h"
#include "participant/storage/prepare_record.h"
#include "participant/storage/wal_scan.h"
#include "tests/support/sim_disk.h"

namespace lockstep::participant {
namespace {

using sqlite::File;
using sqlite::StoreBigEndian32;
using sqlite::StoreBigEndian64;
using sqlite::WalChecksum;
using sqlite::WalHeader;

constexpr char kWal[] = "data.db-wal";
constexpr Term kDurableTerm = 3;

void SealHeader(std::string* wal) {
  StoreBigEndian32(wal->data(), 0x377f0682 | (static_cast<unsigned char>((*wal)[3]) & 1));
  StoreBigEndian32(wal->data() + 4, 3007000);
  const uint32_t sizes[] = {512, 1024};
  StoreBigEndian32(wal->data() + 8, sizes[static_cast<unsigned char>((*wal)[11]) & 1]);
  const bool big_endian = ((*wal)[3] & 1) != 0;
  const WalChecksum sum = sqlite::AddToWalChecksum(big_endian, wal->data(), 24, {});
  StoreBigEndian64(wal->data() + 24, sum.AsNumber());
}

// Chains all whole frames; masks the last one for `round` unless that is none.
void SealFrames(const WalHeader& header, RoundId round, std::string* wal) {
  const auto frame_size = static_cast<size_t>(header.frame_size());
  WalChecksum sum = header.checksum;
  for (size_t at = sqlite::kWalHeaderSize; at + frame_size <= wal->size(); at += frame_size) {
    char* frame = wal->data() + at;
    if (sqlite::LoadBigEndian32(frame) == 0) StoreBigEndian32(frame, 1);
    StoreBigEndian64(frame + 8, header.salt);
    const bool masked = !round.is_none() && at + 2 * frame_size > wal->size();
    if (masked) StoreBigEndian32(frame + 4, 1);
    sum = sqlite::WalFrameChecksum(header, frame, sum);
    uint64_t stored = sum.AsNumber();
    if (masked) stored = sqlite::MaskWalChecksum(stored, static_cast<uint64_t>(round.value()));
    StoreBigEndian64(frame + sqlite::kWalFrameChecksumOffset, stored);
  }
}

std::optional<MaskedRound> Scan(const File& file) {
  absl::StatusOr<WalScan> found = ScanWal(file, kWal, kDurableTerm);
  if (absl::IsDataLoss(found.status())) return std::nullopt;
  LOCKSTEP_CHECK(found.ok(), found.status().ToString());
  return found->masked;
}

std::string ContentOf(const File& file) {
  std::string content(static_cast<size_t>(file.Size().value()), '\0');
  LOCKSTEP_CHECK(file.Read(0, content.data(), static_cast<int>(content.size())).ok(), "a read");
  return content;
}

// A record is found again, and not when any bit of it is another one.
void CheckRecord(const MaskedRound& masked, const std::string& body, uint32_t bit, File* file) {
  std::string record = EncodePrepareRecord(masked.round, masked.frame, body);
  LOCKSTEP_CHECK(file->Write(masked.frame.end, record).ok(), "a write");
  const auto read = ReadPrepareRecord(*file, masked.round, masked.frame);
  LOCKSTEP_CHECK(read.ok() && *read == body, "a record changes");
  bit %= static_cast<uint32_t>(record.size()) * 8;
  record[bit / 8] = static_cast<char>(record[bit / 8] ^ (1 << (bit % 8)));
  LOCKSTEP_CHECK(file->Write(masked.frame.end, record).ok(), "a write");
  LOCKSTEP_CHECK(absl::IsNotFound(ReadPrepareRecord(*file, masked.round, masked.frame).status()),
                 "a damaged record is taken for one");
}

// What the scan says must hold of the bytes.
void CheckFound(const MaskedRound& masked, File* file) {
  const std::string wal = ContentOf(*file);
  LOCKSTEP_CHECK(masked.round.term() > 0 && masked.round.term() <= kDurableTerm, "its term");
  LOCKSTEP_CHECK(masked.frame.offset >= sqlite::kWalHeaderSize &&
                     masked.frame.end <= static_cast<int64_t>(wal.size()),
                 "a frame outside the file");
  ReadPrepareRecord(*file, masked.round, masked.frame).status().IgnoreError();
  CheckRecord(masked, wal.substr(0, 100), static_cast<uint32_t>(wal.size()) * 7919u, file);
  // With its true checksum it is a frame like those before.
  char checksum[8];
  StoreBigEndian64(checksum, masked.frame.checksum);
  LOCKSTEP_CHECK(file->Write(masked.frame.offset + sqlite::kWalFrameChecksumOffset,
                             std::string_view(checksum, sizeof(checksum)))
                     .ok(),
                 "a write");
  const std::optional<MaskedRound> next = Scan(*file);
  LOCKSTEP_CHECK(!next || next->frame.offset >= masked.frame.end, "a round that is committed");
}

}  // namespace
}  // namespace lockstep::participant

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace lockstep;               // NOLINT
  using namespace lockstep::participant;  // NOLINT
  if (size < 1 + sqlite::kWalHeaderSize || size > 16384) return 0;
  const uint8_t put_right = data[0];
  std::string wal(reinterpret_cast<const char*>(data) + 1, size - 1);
  const RoundId round = RoundId::Make(put_right >> 6, 1 + put_right % 7);
  if ((put_right & 1) != 0) SealHeader(&wal);
  const auto header = sqlite::ParseWalHeader(wal.data());
  if (header && (put_right & 2) != 0) {
    SealFrames(*header, (put_right & 4) != 0 ? round : RoundId(), &wal);
  }
  SimDisk disk(512);
  auto file = File::Open(disk.vfs_name(), kWal, File::Mode::kCreate).value();
  LOCKSTEP_CHECK(file->Write(0, wal).ok(), "a write");
  const std::optional<MaskedRound> masked = Scan(*file);
  const bool must_be_found =
      header && (put_right & 7) == 7 && round.term() > 0 &&
      static_cast<int64_t>(wal.size()) >= sqlite::kWalHeaderSize + header->frame_size();
  LOCKSTEP_CHECK(!must_be_found || (masked && masked->round == round),
                 "a prepared round is missed");
  if (masked) CheckFound(*masked, file.get());
  return 0;
}
