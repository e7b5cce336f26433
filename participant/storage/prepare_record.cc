#include "participant/storage/prepare_record.h"

#include "absl/strings/str_cat.h"
#include "common/checksum.h"
#include "common/sqlite/error.h"
#include "common/sqlite/wal_format.h"

namespace lockstep::participant {
namespace {

using sqlite::LoadBigEndian32;
using sqlite::LoadBigEndian64;
using sqlite::StoreBigEndian32;
using sqlite::StoreBigEndian64;

constexpr uint32_t kMagic = 0x4c535052;  // LSPR
constexpr int64_t kHeaderSize = 48;
constexpr int64_t kRecordChecksumSize = 8;

absl::Status NoRecord() { return absl::NotFoundError("no prepare record of this round"); }

}  // namespace

std::string EncodePrepareRecord(RoundId round, const sqlite::CommitFrame& frame,
                                std::string_view body) {
  std::string record(static_cast<size_t>(kHeaderSize), '\0');
  record.reserve(record.size() + body.size() + kRecordChecksumSize);
  StoreBigEndian32(&record[4], kMagic);
  StoreBigEndian32(&record[8], kPrepareRecordVersion);
  StoreBigEndian32(&record[12], round.term());
  StoreBigEndian64(&record[16], static_cast<uint64_t>(round.value()));
  StoreBigEndian64(&record[24], static_cast<uint64_t>(frame.offset));
  StoreBigEndian64(&record[32], frame.checksum);
  StoreBigEndian64(&record[40], body.size());
  record.append(body);
  char checksum[kRecordChecksumSize];
  StoreBigEndian64(checksum, Checksum(record));
  record.append(checksum, sizeof(checksum));
  return record;
}

int64_t PrepareRecordSize(std::string_view body) {
  return kHeaderSize + std::ssize(body) + kRecordChecksumSize;
}

absl::StatusOr<std::string> ReadPrepareRecord(const sqlite::File& wal, RoundId round,
                                              const sqlite::CommitFrame& frame) {
  char header[kHeaderSize];
  if (absl::Status status = wal.Read(frame.end, header, sizeof(header)); !status.ok()) {
    return status;
  }
  if (LoadBigEndian32(header) != 0 || LoadBigEndian32(header + 4) != kMagic ||
      LoadBigEndian64(header + 24) != static_cast<uint64_t>(frame.offset)) {
    return NoRecord();
  }
  absl::StatusOr<int64_t> file_size = wal.Size();
  if (!file_size.ok()) return file_size.status();
  const uint64_t length = LoadBigEndian64(header + 40);
  const int64_t room = *file_size - frame.end - kHeaderSize - kRecordChecksumSize;
  if (room < 0 || length > static_cast<uint64_t>(room) || length > INT32_MAX / 2) {
    return NoRecord();
  }

  std::string record(kHeaderSize + length + kRecordChecksumSize, '\0');
  if (absl::Status status = wal.Read(frame.end, record.data(), static_cast<int>(record.size()));
      !status.ok()) {
    return status;
  }
  const std::string_view covered(record.data(), kHeaderSize + length);
  if (LoadBigEndian64(record.data() + covered.size()) != Checksum(covered)) return NoRecord();
  if (const uint32_t version = LoadBigEndian32(header + 8); version > kPrepareRecordVersion) {
    return absl::FailedPreconditionError(
        absl::StrCat("the prepared round's record has format ", version,
                     ", but this program knows only up to ", kPrepareRecordVersion));
  }
  if (LoadBigEndian64(header + 32) != frame.checksum) return NoRecord();
  const uint64_t owner = LoadBigEndian64(header + 16);
  if (owner == static_cast<uint64_t>(round.value())) return record.substr(kHeaderSize, length);
  // It is of these very frames, so it knows whose they are.
  return absl::DataLossError(absl::StrCat("the WAL is damaged before byte ", frame.end,
                                          ": its frames say that they are round ", round.value(),
                                          ", and their record says ", owner, sqlite::kKeepACopy));
}

}  // namespace lockstep::participant
