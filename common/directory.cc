#include "common/directory.h"

#include <fcntl.h>
#include <unistd.h>

#include <system_error>

#include "absl/strings/str_cat.h"

namespace lockstep {

absl::Status SyncDirectory(const std::filesystem::path& path) {
  const int descriptor = open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  const int result = descriptor < 0 ? -1 : fsync(descriptor);
  if (descriptor >= 0) close(descriptor);
  if (result == 0) return absl::OkStatus();
  return absl::FailedPreconditionError(absl::StrCat("cannot sync the directory ", path.string()));
}

absl::Status MakeDirectory(const std::filesystem::path& path, bool sync) {
  std::error_code error;
  if (std::filesystem::is_directory(path, error)) return absl::OkStatus();
  const std::filesystem::path parent = std::filesystem::absolute(path, error).parent_path();
  if (absl::Status status = MakeDirectory(parent, sync); !status.ok()) return status;
  if (!std::filesystem::create_directory(path, error) && error) {
    return absl::FailedPreconditionError(
        absl::StrCat("cannot make the directory ", path.string(), ": ", error.message()));
  }
  // What was made is an entry in the directory above.
  return sync ? SyncDirectory(parent) : absl::OkStatus();
}

}  // namespace lockstep
