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

// What an operation of the disk does instead of what it should.
struct DiskFault {
  enum class Operation { kOpen, kRead, kWrite, kTruncate, kSync };
  enum class Kind {
    kIoError,
    kNoSpace,     // of writes: SQLITE_FULL, and nothing is written
    kShortWrite,  // of writes: SQLITE_FULL, but the first half is there, in whole sectors
  };
  Operation operation = Operation::kWrite;
  Kind kind = Kind::kIoError;
  int64_t nth = 1;        // of its operations from now; 1 is the next
  bool for_good = false;  // all from the nth on; else that one only
};

// Remembers, for every sector written since the file's last sync, each content that it had since,
// and each size that the file had. After a power loss each sector is one of them, on its own;
// sectors are never torn. A file that was never synced may be gone, and one whose deletion was not
// synced may be back.
//
// After a failed sync, what was to be synced is not written any more unless it is written again:
// the page cache has it, and takes it for clean, as Linux does ("fsyncgate"). A later sync does not
// make it durable.
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

  // Plans one fault, in the place of any other.
  void Fail(const DiskFault& fault);
  // No fault is planned any more. failed() stays.
  void Heal();
  // Short forms: the next sync; the nth write for want of space; a read or write of a disk that
  // dies. None for 0.
  void FailNextSync() { Fail({.operation = DiskFault::Operation::kSync}); }
  void FailWrite(int64_t nth) { Fail({.kind = DiskFault::Kind::kNoSpace, .nth = nth}); }
  void BreakRead(int64_t nth) { Fail({.operation = DiskFault::Operation::kRead, .nth = nth}); }
  void BreakWrite(int64_t nth) { Fail({.nth = nth}); }
  // None of these is planned any more, and failed() is false.
  void SpareFailures();
  // From now on syncs of files that are opened, and whose name ends so, do nothing: nobody is told.
  void LoseSyncsOf(const std::string& name_end);
  // Turns the file's bytes from `from` up to `to` into nonsense, as a disk that rots.
  void Damage(const std::string& name, int64_t from, int64_t to);
  // Whether the planned fault has happened.
  bool failed() const;

  // The files by name. What a kill would leave now; what one of many power losses would; and a disk
  // on which exactly these are, durably. Put requires that no file is open.
  using Image = std::map<std::string, std::string>;
  Image ImageAfterKill() const;
  Image ImageAfterPowerLoss(std::mt19937_64& random) const;
  void Put(const Image& image);

  // Writes, truncations, syncs and deletions since the disk was made.
  int64_t operations() const;

  struct File;
  struct Vfs;

 private:
  std::unique_ptr<Vfs> vfs_;
};

}  // namespace lockstep

#endif  // LOCKSTEP_TESTS_SUPPORT_SIM_DISK_H_
