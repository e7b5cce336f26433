// What the writer's connection writes to the WAL, on its way to the file.
#ifndef LOCKSTEP_COMMON_SQLITE_WAL_WRITER_H_
#define LOCKSTEP_COMMON_SQLITE_WAL_WRITER_H_

#include <cstdint>
#include <optional>
#include <vector>

#include "common/sqlite/wal_index.h"

struct sqlite3_file;

namespace lockstep::sqlite {

// The frame that ends a COMMIT.
struct CommitFrame {
  int64_t offset = 0;     // of the frame's header
  int64_t end = 0;        // behind the frame's page
  uint64_t checksum = 0;  // the true one
};

// Refuses frames of a COMMIT that was not armed, masks the commit frame of one that was armed for a
// round, and puts frames together, so that the file sees few large writes: SQLite makes two a page.
//
// Thread: the writer's.
class WalWriter {
 public:
  enum class Arming {
    kNone,    // no frame may be written
    kPlain,   // a COMMIT as SQLite does it
    kMasked,  // a COMMIT that readers and recovery do not see
  };
  struct Options {
    bool mask = true;        // false in tests only
    bool close_gate = true;  // false in tests only
  };

  WalWriter(WalIndex* index, Options options) : index_(*index), options_(options) {}

  // `number` is what the mask hides; only for kMasked.
  void Arm(Arming arming, uint64_t number);
  Arming arming() const { return arming_; }
  // The commit frame since the latest Arm that allowed one, once it is in the file.
  const std::optional<CommitFrame>& committed() const { return committed_; }

  // Takes over what SQLite writes to `wal`; returns its code. Requires that a frame is allowed.
  int Write(sqlite3_file* wal, const char* bytes, int size, int64_t offset);
  // Writes out what was put together; returns SQLite's code.
  int Flush(sqlite3_file* wal);
  // Drops what was put together: the COMMIT failed.
  void Discard() { buffer_.clear(); }

  static bool IsFrame(int64_t offset) { return offset >= 32; }

 private:
  int WriteHeader(sqlite3_file* wal, const char* bytes, int size);
  int WriteFrameHeader(sqlite3_file* wal, const char* bytes, int64_t offset);
  int Append(sqlite3_file* wal, const char* bytes, int size, int64_t offset);
  bool IsFrameHeader(int size, int64_t offset) const;

  WalIndex& index_;
  const Options options_;
  Arming arming_ = Arming::kNone;
  uint64_t number_ = 0;
  int64_t page_size_ = 0;
  std::optional<CommitFrame> committed_;
  std::optional<CommitFrame> open_commit_;  // its page has not come yet
  std::vector<char> buffer_;
  int64_t buffer_offset_ = 0;
};

}  // namespace lockstep::sqlite

#endif  // LOCKSTEP_COMMON_SQLITE_WAL_WRITER_H_
