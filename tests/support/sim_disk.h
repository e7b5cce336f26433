// A disk in memory that loses power: a SQLite VFS for tests.
#ifndef LOCKSTEP_TESTS_SUPPORT_SIM_DISK_H_
#define LOCKSTEP_TESTS_SUPPORT_SIM_DISK_H_

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <random>
#include <string>
#include <vector>

namespace lockstep {

// Remembers, for every sector written since the file's last sync, each content that it had since,
// and each size that the file had. After a power loss each sector is one of them, on its own;
// sectors are never torn. A file that was never synced may be gone, and one whose deletion was not
// synced may be back.
//
// A crash is planned before the nth operation that changes the disk. Then the state is kept aside,
// and the program under test goes on as a ghost, whose work is dropped: no error ever unwinds it.
//
// One thread. One disk per test at a time is enough, but there may be several.
class SimDisk {
 public:
  explicit SimDisk(int sector_size);
  ~SimDisk();
  SimDisk(const SimDisk&) = delete;
  SimDisk& operator=(const SimDisk&) = delete;

  const std::string& vfs_name() const;

  // Plans a crash before the nth write, truncation, sync or deletion from now; 1 is the next.
  void CrashBefore(int64_t nth);
  // No crash is planned any more.
  void Spare();
  // As if the planned moment had come now.
  void CrashNow();
  bool crashed() const;
  // Both put the state at the crash back and end the ghost's time. Require crashed(), and that all
  // files are closed.
  void LosePower(std::mt19937_64& random);
  void KillProcess();  // what was written stays, and stays unsynced

  // Makes the next sync, or the nth write or read from now, fail: the write for want of space.
  void FailNextSync();
  void FailWrite(int64_t nth);
  // The same for the nth read or write, with an I/O error, as of a disk that dies.
  void BreakRead(int64_t nth);
  void BreakWrite(int64_t nth);
  // None of these is planned any more, and failed() is false.
  void SpareFailures();
  // Turns the file's bytes from `from` up to `to` into nonsense, as a disk that rots.
  void Damage(const std::string& name, int64_t from, int64_t to);
  // Whether the planned failure has happened.
  bool failed() const;

  // Writes, truncations, syncs and deletions since the disk was made.
  int64_t operations() const;

  struct File;
  struct Vfs;

 private:
  std::unique_ptr<Vfs> vfs_;
};

}  // namespace lockstep

#endif  // LOCKSTEP_TESTS_SUPPORT_SIM_DISK_H_
