// A VFS that fails, or only counts, what SQLite does to its files.
#ifndef LOCKSTEP_TESTS_COORDINATOR_FAILING_VFS_H_
#define LOCKSTEP_TESTS_COORDINATOR_FAILING_VFS_H_

#include <functional>

namespace lockstep {

inline constexpr char kFailingVfs[] = "lockstep-test-failing";

// Registers the VFS under its name, once in a process. It forwards to the default one.
void RegisterFailingVfs();

// How many syncs, and failures as planned below, there were since the process began.
int VfsSyncs();
int VfsFailures();

// Called before each write from now on; null: nothing is.
void OnEachWrite(std::function<void()> callback);

// The next reads, writes or syncs fail with an I/O error, after `after` more that do not; negative:
// none.
void FailReadsAfter(int after);
void FailWritesAfter(int after);
void FailSyncsAfter(int after);

}  // namespace lockstep

#endif  // LOCKSTEP_TESTS_COORDINATOR_FAILING_VFS_H_
