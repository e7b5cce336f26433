// The small file beside the database: what has to be durable while the database cannot be written.
//
//      0  state slot 0:  magic (4), format version (4), sequence (8), term (8), boot id of the
//                        coordinator that the term belongs to (8), tombstone (8), checksum (8)
//   4096  state slot 1
//   8192  redo block:    magic (4), format version (4), round (8), length of the body (8), body,
//                        checksum (8)
//
// All numbers are big-endian; a checksum covers what stands before it. The file gets its whole size
// at set-up and is never renamed, shortened or deleted: nothing in it ever needs new space.
#ifndef LOCKSTEP_PARTICIPANT_STORAGE_SIDE_FILE_H_
#define LOCKSTEP_PARTICIPANT_STORAGE_SIDE_FILE_H_

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "common/round_id.h"
#include "common/sqlite/file.h"

namespace lockstep::participant {

inline constexpr uint32_t kSideFileVersion = 1;

// Thread: the store's. A failed sync ends the process through `on_fatal`.
class SideFile {
 public:
  struct State {
    Term term = 0;
    uint64_t coordinator = 0;  // the boot id of the run that the term belongs to; 0: it gave none
    RoundId tombstone;
  };
  struct RedoBlock {
    RoundId round;
    std::string body;
  };
  using OnFatal = std::function<void(const std::string&)>;

  // `scratch`: nothing is synced.
  SideFile(std::unique_ptr<sqlite::File> file, bool scratch, OnFatal on_fatal)
      : file_(std::move(file)), scratch_(scratch), on_fatal_(std::move(on_fatal)) {}

  // Reads the slots. NotFound if neither was ever completed: the set-up did not end. DataLoss if
  // one is damaged.
  absl::Status Load();
  // The same, and makes what it read durable, with the redo block: an earlier process may have left
  // it to the page cache alone (R9).
  absl::Status LoadDurably();
  // Gives the file its size and its first state, durably. The set-up, and its repetition.
  absl::Status Initialize(int64_t redo_capacity);
  // Enlarges the redo block's space, durably; never shrinks it.
  absl::Status Reserve(int64_t redo_capacity);

  const State& state() const { return state_; }
  // Writes the other slot. `sync` is false in tests only.
  absl::Status Persist(const State& state, bool sync);

  // The redo block, if there is a whole one.
  absl::StatusOr<std::optional<RedoBlock>> ReadRedo() const;
  // ResourceExhausted if the body is larger than the space. `sync` is false in tests only.
  absl::Status WriteRedo(RoundId round, std::string_view body, bool sync);

  void Sync();
  int64_t syncs() const { return syncs_; }

 private:
  struct Slot {
    uint64_t sequence = 0;
    State state;
  };
  // Nothing if it was never written.
  absl::StatusOr<std::optional<Slot>> ReadSlot(int number) const;

  const std::unique_ptr<sqlite::File> file_;
  const bool scratch_;
  const OnFatal on_fatal_;
  State state_;
  uint64_t sequence_ = 0;
  int64_t syncs_ = 0;
};

}  // namespace lockstep::participant

#endif  // LOCKSTEP_PARTICIPANT_STORAGE_SIDE_FILE_H_
