#include "participant/storage/wal_scan.h"

#include <algorithm>
#include <string>
#include <utility>

#include "common/sqlite/wal_format.h"

namespace lockstep::participant {
namespace {

using sqlite::WalChecksum;
using sqlite::WalFrameHeader;
using sqlite::WalHeader;

constexpr int64_t kReadSize = int64_t{1} << 20;

// Reads a WAL's frames one after the other, many at a time.
class FrameReader {
 public:
  FrameReader(const sqlite::File& wal, int64_t file_size, int64_t frame_size)
      : wal_(wal), file_size_(file_size), frame_size_(frame_size) {}

  int64_t offset() const { return offset_; }
  // The frame at offset(), or null behind the last whole one.
  absl::StatusOr<const char*> Current() {
    if (offset_ + frame_size_ > file_size_) return nullptr;
    if (offset_ + frame_size_ > buffer_offset_ + static_cast<int64_t>(buffer_.size())) {
      const int64_t frames = std::max<int64_t>(1, kReadSize / frame_size_);
      const int64_t size = std::min(frames * frame_size_, file_size_ - offset_);
      buffer_.resize(static_cast<size_t>(size));
      buffer_offset_ = offset_;
      if (absl::Status status = wal_.Read(offset_, buffer_.data(), static_cast<int>(size));
          !status.ok()) {
        return status;
      }
    }
    return buffer_.data() + (offset_ - buffer_offset_);
  }
  void Advance() { offset_ += frame_size_; }

 private:
  const sqlite::File& wal_;
  const int64_t file_size_;
  const int64_t frame_size_;
  int64_t offset_ = sqlite::kWalHeaderSize;
  std::string buffer_;
  int64_t buffer_offset_ = 0;
};

std::optional<MaskedRound> Unmask(const WalHeader& header, const WalFrameHeader& frame,
                                  int64_t offset, uint64_t true_checksum, Term term) {
  if (frame.salt != header.salt || frame.page_number == 0 || frame.pages_after_commit == 0) {
    return std::nullopt;
  }
  const uint64_t number = sqlite::MaskWalChecksum(frame.checksum, true_checksum);
  if (number > static_cast<uint64_t>(INT64_MAX)) return std::nullopt;
  const RoundId round = RoundId::FromValue(static_cast<int64_t>(number));
  if (round.term() == 0 || round.term() > term) return std::nullopt;
  return MaskedRound{
      .round = round,
      .frame = {.offset = offset, .end = offset + header.frame_size(), .checksum = true_checksum}};
}

}  // namespace

absl::StatusOr<std::optional<MaskedRound>> ScanWal(const sqlite::File& wal, Term term) {
  absl::StatusOr<int64_t> file_size = wal.Size();
  if (!file_size.ok()) return file_size.status();
  if (*file_size < sqlite::kWalHeaderSize) return std::nullopt;
  char header_bytes[sqlite::kWalHeaderSize];
  if (absl::Status status = wal.Read(0, header_bytes, sizeof(header_bytes)); !status.ok()) {
    return status;
  }
  const std::optional<WalHeader> header = sqlite::ParseWalHeader(header_bytes);
  if (!header) return std::nullopt;

  FrameReader frames(wal, *file_size, header->frame_size());
  WalChecksum sum = header->checksum;
  while (true) {
    absl::StatusOr<const char*> bytes = frames.Current();
    if (!bytes.ok()) return bytes.status();
    if (*bytes == nullptr) return std::nullopt;
    const WalFrameHeader frame = sqlite::ParseWalFrameHeader(*bytes);
    const WalChecksum expected = sqlite::WalFrameChecksum(*header, *bytes, sum);
    const bool valid = frame.salt == header->salt && frame.page_number != 0 &&
                       frame.checksum == expected.AsNumber();
    if (!valid) return Unmask(*header, frame, frames.offset(), expected.AsNumber(), term);
    sum = expected;
    frames.Advance();
  }
}

}  // namespace lockstep::participant
