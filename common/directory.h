// Directories that outlive a power loss.
#ifndef LOCKSTEP_COMMON_DIRECTORY_H_
#define LOCKSTEP_COMMON_DIRECTORY_H_

#include <filesystem>

#include "absl/status/status.h"

namespace lockstep {

// Makes the directory, and those above it, if they are not there. With `sync` each entry that is
// made is durable when OK is returned. FAILED_PRECONDITION with a sentence for the operator.
absl::Status MakeDirectory(const std::filesystem::path& path, bool sync);

// Makes the entries of a directory durable.
absl::Status SyncDirectory(const std::filesystem::path& path);

}  // namespace lockstep

#endif  // LOCKSTEP_COMMON_DIRECTORY_H_
