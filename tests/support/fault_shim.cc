// Loaded into a server before its libraries (LD_PRELOAD): shifts its wall clock and slows its
// syncs, as the file says that FAULT_SHIM_FILE names; see fault_shim.h. Steady clocks stay as they
// are.
//
// Abseil, and gRPC with it, waits until instants of the wall clock, by the system call itself: the
// kernel has to be given its own instant.
#include <dlfcn.h>
#include <fcntl.h>
#include <linux/futex.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdarg>
#include <cstdlib>

#include "tests/support/fault_shim.h"

namespace {

using lockstep::testing_support::FaultShimState;

constexpr int64_t kBillion = 1'000'000'000;
// In seconds: who waits until then waits for ever, and its nanoseconds would not fit.
constexpr int64_t kFarFuture = int64_t{1} << 33;

FaultShimState* MapState() {
  const char* path = getenv("FAULT_SHIM_FILE");
  if (path == nullptr) return nullptr;
  const int file = open(path, O_RDWR | O_CLOEXEC);
  if (file < 0) return nullptr;
  void* mapped = mmap(nullptr, sizeof(FaultShimState), PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
  close(file);
  return mapped == MAP_FAILED ? nullptr : static_cast<FaultShimState*>(mapped);
}

FaultShimState* State() {
  static FaultShimState* const kState = MapState();
  return kState;
}

using Syscall = long (*)(long, ...);

// Found at its first use, which is the dynamic linker's own or soon after.
Syscall TheSyscall() {
  static const auto kFound = reinterpret_cast<Syscall>(dlsym(RTLD_NEXT, "syscall"));
  return kFound;
}

template <typename... Arguments>
long RealSyscall(long number, Arguments... arguments) {
  return TheSyscall()(number, arguments...);
}

void Shift(timespec* time, int64_t sign) {
  if (State() == nullptr || time->tv_sec > kFarFuture) return;
  const int64_t offset = State()->clock_offset_ns.load();
  // Written only when it changes: every thread looks at the clock all the time.
  if (State()->clock_offset_used_ns.load() != offset) State()->clock_offset_used_ns.store(offset);
  const int64_t nanoseconds = time->tv_sec * kBillion + time->tv_nsec + sign * offset;
  time->tv_sec = std::max<int64_t>(nanoseconds, 0) / kBillion;
  time->tv_nsec = std::max<int64_t>(nanoseconds, 0) % kBillion;
}

void WaitBeforeSync() {
  const int64_t delay = State() == nullptr ? 0 : State()->sync_delay_ns.load();
  if (delay == 0) return;
  timespec left = {delay / kBillion, delay % kBillion};
  while (RealSyscall(SYS_clock_nanosleep, CLOCK_MONOTONIC, 0, &left, &left) != 0 &&
         errno == EINTR) {
  }
  State()->delayed_syncs.fetch_add(1);
}

}  // namespace

extern "C" {

long syscall(long number, ...) noexcept {
  va_list list;
  va_start(list, number);
  long argument[6];
  for (long& one : argument) one = va_arg(list, long);
  va_end(list);
  timespec deadline;
  const bool waits_for_wall_clock =
      number == SYS_futex && (argument[1] & FUTEX_CLOCK_REALTIME) != 0 && argument[3] != 0;
  if (waits_for_wall_clock) {
    deadline = *reinterpret_cast<const timespec*>(argument[3]);
    Shift(&deadline, -1);
    argument[3] = reinterpret_cast<long>(&deadline);
  }
  return RealSyscall(number, argument[0], argument[1], argument[2], argument[3], argument[4],
                     argument[5]);
}

int clock_gettime(clockid_t clock, timespec* time) noexcept {
  const int result = static_cast<int>(RealSyscall(SYS_clock_gettime, clock, time));
  if (result == 0 && (clock == CLOCK_REALTIME || clock == CLOCK_REALTIME_COARSE)) Shift(time, 1);
  return result;
}

int gettimeofday(timeval* time, void*) noexcept {
  timespec now;
  clock_gettime(CLOCK_REALTIME, &now);
  *time = {now.tv_sec, now.tv_nsec / 1000};
  return 0;
}

time_t time(time_t* result) noexcept {
  timespec now;
  clock_gettime(CLOCK_REALTIME, &now);
  if (result != nullptr) *result = now.tv_sec;
  return now.tv_sec;
}

int fdatasync(int file) {
  WaitBeforeSync();
  return static_cast<int>(RealSyscall(SYS_fdatasync, file));
}

int fsync(int file) {
  WaitBeforeSync();
  return static_cast<int>(RealSyscall(SYS_fsync, file));
}

}  // extern "C"
