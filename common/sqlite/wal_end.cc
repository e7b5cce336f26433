#include "common/sqlite/wal_end.h"

#include <algorithm>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "common/sqlite/error.h"

namespace lockstep::sqlite {
namespace {

constexpr int64_t kReadSize = int64_t{1} << 20;
// What a damaged frame may have had for a checksum: what it says, and what its bytes make of each
// that the frame before may have had. More than two damaged frames in a row are not followed.
constexpr size_t kMostCandidates = 4;
// What every disk writes as one.
constexpr int64_t kSectorSize = 512;

bool IsInOneSector(int64_t offset, int64_t size) {
  return offset / kSectorSize == (offset + size - 1) / kSectorSize;
}

// Reads a WAL's frames one after the other, many at a time.
class FrameReader {
 public:
  FrameReader(const File& wal, int64_t file_size, int64_t frame_size)
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
  const File& wal_;
  const int64_t file_size_;
  const int64_t frame_size_;
  int64_t offset_ = kWalHeaderSize;
  std::string buffer_;
  int64_t buffer_offset_ = 0;
};

// Follows frames from the end on, the first of which is not valid, and later ones may be.
class TailChain {
 public:
  TailChain(const WalHeader& header, const IsMaskedChecksum& is_masked, WalChecksum before)
      : header_(header), is_masked_(is_masked), candidates_{before} {}

  enum class Verdict { kGoesOn, kContinuesACommit, kEnds };

  Verdict Follow(const char* bytes, int64_t offset) {
    const WalFrameHeader frame = ParseWalFrameHeader(bytes);
    // What is behind was written before this WAL began, or for it out of order: by one transaction.
    if (!is_first_ && !HasSalt(frame)) return Verdict::kEnds;
    const std::vector<WalChecksum> sums = Sums(bytes);
    const bool is_valid = Any(sums, [&](uint64_t sum) { return sum == frame.checksum; });
    if (is_valid && behind_commit_) return Verdict::kContinuesACommit;
    const bool ends_durable =
        frame.pages_after_commit != 0 && IsDurable(frame, sums, offset, is_valid);
    // A frame that is not valid begins the chain of what an older transaction has left there.
    behind_commit_ = ends_durable;
    candidates_ = {WalChecksum::OfNumber(frame.checksum)};
    if (!is_valid) candidates_.insert(candidates_.end(), sums.begin(), sums.end());
    if (candidates_.size() > kMostCandidates) candidates_.resize(kMostCandidates);
    is_first_ = false;
    return Verdict::kGoesOn;
  }

 private:
  template <typename Predicate>
  static bool Any(const std::vector<WalChecksum>& sums, Predicate predicate) {
    return std::any_of(sums.begin(), sums.end(),
                       [&](const WalChecksum& sum) { return predicate(sum.AsNumber()); });
  }

  bool HasSalt(const WalFrameHeader& frame) const { return frame.salt == header_.salt; }

  std::vector<WalChecksum> Sums(const char* bytes) const {
    std::vector<WalChecksum> sums;
    for (const WalChecksum& before : candidates_) {
      sums.push_back(WalFrameChecksum(header_, bytes, before));
    }
    return sums;
  }

  // Whether a commit frame must have been durable if frames continue it. The first one is not right
  // anyway: what its header says counts if a power loss cannot have put it together from two, and
  // one that is masked for its writer may rightly stand there unsynced.
  bool IsDurable(const WalFrameHeader& frame, const std::vector<WalChecksum>& sums, int64_t offset,
                 bool is_valid) const {
    const bool is_masked =
        HasSalt(frame) && Any(sums, [&](uint64_t sum) { return is_masked_(frame.checksum, sum); });
    if (!is_first_) return is_valid || is_masked;
    const bool is_frame = HasSalt(frame) || frame.page_number != 0;  // else what others put there
    return is_frame && !is_masked && IsInOneSector(offset, kWalFrameHeaderSize);
  }

  const WalHeader& header_;
  const IsMaskedChecksum& is_masked_;
  std::vector<WalChecksum> candidates_;
  bool behind_commit_ = false;
  bool is_first_ = true;
};

absl::Status Damaged(const std::string& path, int64_t offset) {
  return absl::DataLossError(absl::StrCat(
      path, " is damaged at byte ", offset,
      ", in what was durable long ago: the disk, or another program, changed it", kKeepACopy));
}

// Null if the file has none, which a file of zeros has not either.
absl::StatusOr<std::optional<WalHeader>> ReadHeader(const File& wal, const std::string& path,
                                                    int64_t file_size) {
  if (file_size < kWalHeaderSize) return std::nullopt;
  std::string bytes(kWalHeaderSize, '\0');
  if (absl::Status status = wal.Read(0, bytes.data(), kWalHeaderSize); !status.ok()) return status;
  const std::optional<WalHeader> header = ParseWalHeader(bytes.data());
  if (!header && bytes.find_first_not_of('\0') != std::string::npos) return Damaged(path, 0);
  return header;
}

// Reads on from the end, and leaves the reader there.
absl::Status CheckTail(FrameReader* frames, TailChain chain, const std::string& path) {
  const int64_t end = frames->offset();
  while (true) {
    absl::StatusOr<const char*> bytes = frames->Current();
    if (!bytes.ok()) return bytes.status();
    if (*bytes == nullptr) return absl::OkStatus();
    switch (chain.Follow(*bytes, frames->offset())) {
      case TailChain::Verdict::kGoesOn:
        break;
      case TailChain::Verdict::kContinuesACommit:
        return Damaged(path, end);
      case TailChain::Verdict::kEnds:
        return absl::OkStatus();
    }
    frames->Advance();
  }
}

}  // namespace

absl::StatusOr<std::optional<WalEnd>> FindWalEnd(const File& wal, const std::string& path,
                                                 const IsMaskedChecksum& is_masked) {
  const absl::StatusOr<int64_t> file_size = wal.Size();
  if (!file_size.ok()) return file_size.status();
  const absl::StatusOr<std::optional<WalHeader>> header = ReadHeader(wal, path, *file_size);
  if (!header.ok()) return header.status();
  if (!*header) return std::nullopt;

  WalEnd end;
  end.header = **header;
  FrameReader frames(wal, *file_size, end.header.frame_size());
  WalChecksum sum = end.header.checksum;
  while (true) {
    absl::StatusOr<const char*> bytes = frames.Current();
    if (!bytes.ok()) return bytes.status();
    end.offset = frames.offset();
    if (*bytes == nullptr) return end;
    const WalFrameHeader frame = ParseWalFrameHeader(*bytes);
    const WalChecksum expected = WalFrameChecksum(end.header, *bytes, sum);
    const bool is_valid = frame.salt == end.header.salt && frame.page_number != 0 &&
                          frame.checksum == expected.AsNumber();
    if (!is_valid) {
      end.frame = frame;
      end.true_checksum = expected.AsNumber();
      break;
    }
    sum = expected;
    frames.Advance();
  }
  absl::Status tail = CheckTail(&frames, TailChain(end.header, is_masked, sum), path);
  if (!tail.ok()) return tail;
  return end;
}

}  // namespace lockstep::sqlite
