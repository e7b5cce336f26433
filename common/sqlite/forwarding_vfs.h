// Inside of the file layers: a SQLite VFS that hands every call on to another one. Not for others.
#ifndef LOCKSTEP_COMMON_SQLITE_FORWARDING_VFS_H_
#define LOCKSTEP_COMMON_SQLITE_FORWARDING_VFS_H_

#include <sqlite3.h>

#include <string>

#include "absl/status/status.h"

namespace lockstep::sqlite {

// A layer derives from it and puts functions of its own into `vfs` before it registers it.
//
// Thread: SQLite calls from the threads of the connections.
class ForwardingVfs {
 public:
  // Its name begins with `kind` and is this one's alone. `base` must outlive it; file_size is what
  // SQLite has to give for one open file.
  ForwardingVfs(sqlite3_vfs* base, const char* kind, int file_size);
  ForwardingVfs(const ForwardingVfs&) = delete;
  ForwardingVfs& operator=(const ForwardingVfs&) = delete;
  // Requires that all files are closed.
  ~ForwardingVfs();

  absl::Status Register();
  const std::string& name() const { return name_; }
  sqlite3_vfs* base() const { return base_; }

  static ForwardingVfs* Of(sqlite3_vfs* vfs) { return static_cast<ForwardingVfs*>(vfs->pAppData); }

 protected:
  sqlite3_vfs vfs_ = {};

 private:
  sqlite3_vfs* const base_;
  const std::string name_;
  bool is_registered_ = false;
};

}  // namespace lockstep::sqlite

#endif  // LOCKSTEP_COMMON_SQLITE_FORWARDING_VFS_H_
