// SQLite's wal-index in the memory of this process, with a way to take a COMMIT out of sight.
#ifndef LOCKSTEP_COMMON_SQLITE_WAL_INDEX_H_
#define LOCKSTEP_COMMON_SQLITE_WAL_INDEX_H_

#include <array>
#include <condition_variable>
#include <cstdint>
#include <list>
#include <memory>
#include <mutex>
#include <vector>

namespace lockstep::sqlite {

// Shared by all connections of one database; this process owns the database alone, so nobody else
// needs to see it. Each open database file is a Holder of locks.
//
// Threads: any for the members in the first group, which are SQLite's shared-memory methods and
// return its codes. The second group belongs to the writer's thread.
//
// A COMMIT publishes its end in the index's header (96 bytes: two copies). Between CloseGate, which
// has to come before that, and OpenGate no other connection gets a lock, so none can have accepted
// a header that Hide then takes back: SQLite looks at the header again once it holds its lock.
class WalIndex {
 public:
  static constexpr int kLocks = 8;
  static constexpr int kWriteLock = 0;
  static constexpr int kRegionSize = 32768;

  struct Holder {
    bool is_writer = false;
    uint32_t shared = 0;
    uint32_t exclusive = 0;
  };

  Holder* Attach(bool is_writer);
  void Detach(Holder* holder);
  // Null if the region is not there and `extend` is false.
  void* Region(int index, bool extend);
  int Lock(Holder* holder, int offset, int count, int flags);
  static void Barrier();

  // What Hide will put back. Called whenever the writer's view of the old state is complete: when
  // it has taken the write lock, and after it has written a new WAL header.
  void SaveHeader();
  void CloseGate();
  void OpenGate();
  // Takes the header that the COMMIT published away and puts the saved one back.
  void Hide();
  // Puts the header that Hide took away in place again. Requires a Hide before.
  void Publish();
  // Forgets all content, as at a start. Requires that nobody is attached.
  void Drop();
  int holders();

  // The frames that readers see, and those of them that the database file has already. Any thread;
  // exact on the writer's.
  uint32_t frames();
  uint32_t backfilled();

 private:
  using Header = std::array<uint32_t, 24>;
  using RegionMemory = std::unique_ptr<uint32_t[]>;

  uint32_t* header_words();
  void Store(const Header& header);

  std::mutex mutex_;  // guards all below but the content of regions, which is SQLite's
  std::condition_variable gate_opened_;
  bool gate_closed_ = false;
  std::vector<RegionMemory> regions_;
  std::list<Holder> holders_;

  Header saved_ = {};
  Header hidden_ = {};
};

}  // namespace lockstep::sqlite

#endif  // LOCKSTEP_COMMON_SQLITE_WAL_INDEX_H_
