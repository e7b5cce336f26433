#include "common/sqlite/wal_writer.h"

#include <sqlite3.h>

#include <cstring>

#include "common/check.h"
#include "common/sqlite/wal_format.h"

namespace lockstep::sqlite {
namespace {

// SQLite's own VFS cuts the size of one write to 17 bits; a frame of the largest page fits.
constexpr size_t kMaxWrite = (size_t{1} << 17) - 1;

}  // namespace

void WalWriter::Arm(Arming arming, uint64_t number) {
  arming_ = arming;
  number_ = number;
  if (arming != Arming::kNone) committed_.reset();
  open_commit_.reset();
}

int WalWriter::Write(sqlite3_file* wal, const char* bytes, int size, int64_t offset) {
  if (!IsFrame(offset)) return WriteHeader(wal, bytes, size);
  LOCKSTEP_CHECK(arming_ != Arming::kNone, "a WAL frame outside an armed COMMIT");
  if (page_size_ == 0) {
    // The header was there before: the first frame tells the page size by where its page starts.
    char header[kWalHeaderSize];
    const int code = wal->pMethods->xRead(wal, header, sizeof(header), 0);
    if (code != SQLITE_OK) return code;
    page_size_ = LoadBigEndian32(header + 8);
  }
  if (IsFrameHeader(size, offset)) return WriteFrameHeader(wal, bytes, offset);
  int code = Append(wal, bytes, size, offset);
  if (code != SQLITE_OK || !open_commit_) return code;
  // Before SQLite publishes the commit: an error still fails it.
  code = Flush(wal);
  if (code == SQLITE_OK) committed_ = open_commit_;
  open_commit_.reset();
  return code;
}

int WalWriter::WriteHeader(sqlite3_file* wal, const char* bytes, int size) {
  if (size < kWalHeaderSize) return SQLITE_IOERR_WRITE;
  Discard();
  const int code = wal->pMethods->xWrite(wal, bytes, size, 0);
  if (code != SQLITE_OK) return code;
  page_size_ = LoadBigEndian32(bytes + 8);
  // A WAL that starts over has published an empty state of its own: that is the old one now.
  index_.SaveHeader();
  return SQLITE_OK;
}

bool WalWriter::IsFrameHeader(int size, int64_t offset) const {
  return size == kWalFrameHeaderSize &&
         (offset - kWalHeaderSize) % (kWalFrameHeaderSize + page_size_) == 0;
}

int WalWriter::WriteFrameHeader(sqlite3_file* wal, const char* bytes, int64_t offset) {
  char header[kWalFrameHeaderSize];
  std::memcpy(header, bytes, sizeof(header));
  const WalFrameHeader frame = ParseWalFrameHeader(header);
  if (frame.pages_after_commit != 0) {
    open_commit_ = CommitFrame{.offset = offset,
                               .end = offset + kWalFrameHeaderSize + page_size_,
                               .checksum = frame.checksum};
    if (arming_ == Arming::kMasked) {
      if (options_.close_gate) index_.CloseGate();
      if (options_.mask) {
        StoreBigEndian64(header + kWalFrameChecksumOffset,
                         MaskWalChecksum(frame.checksum, number_));
      }
    }
  }
  return Append(wal, header, sizeof(header), offset);
}

int WalWriter::Append(sqlite3_file* wal, const char* bytes, int size, int64_t offset) {
  const bool contiguous = offset == buffer_offset_ + static_cast<int64_t>(buffer_.size());
  const bool fits = buffer_.size() + static_cast<size_t>(size) <= kMaxWrite;
  if (!buffer_.empty() && (!contiguous || !fits)) {
    if (const int code = Flush(wal); code != SQLITE_OK) return code;
  }
  if (buffer_.empty()) buffer_offset_ = offset;
  buffer_.insert(buffer_.end(), bytes, bytes + size);
  return SQLITE_OK;
}

int WalWriter::Flush(sqlite3_file* wal) {
  if (buffer_.empty()) return SQLITE_OK;
  const int code =
      wal->pMethods->xWrite(wal, buffer_.data(), static_cast<int>(buffer_.size()), buffer_offset_);
  buffer_.clear();
  return code;
}

}  // namespace lockstep::sqlite
