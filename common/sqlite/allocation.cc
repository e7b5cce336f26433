#include "common/sqlite/allocation.h"

#include <sqlite3.h>

#include <atomic>

#include "common/check.h"

namespace lockstep::sqlite {
namespace {

struct Watch {
  AllocationHandler* handler = nullptr;
  int64_t growth = 0;
  uintptr_t stack_start = 0;
};

thread_local Watch watch;
std::atomic<int64_t> process_bytes{0};

uintptr_t StackNow() { return reinterpret_cast<uintptr_t>(__builtin_frame_address(0)); }

bool MayGrow(int64_t bytes) {
  if (watch.handler == nullptr) return true;
  Allocation allocation;
  allocation.bytes = bytes;
  allocation.growth = watch.growth + bytes;
  allocation.stack_bytes = static_cast<int64_t>(watch.stack_start - StackNow());
  allocation.process_bytes = process_bytes.load(std::memory_order_relaxed) + bytes;
  return watch.handler->OnAllocation(allocation);
}

void Count(int64_t bytes) {
  process_bytes.fetch_add(bytes, std::memory_order_relaxed);
  watch.growth += bytes;
}

sqlite3_mem_methods& Real() {
  static sqlite3_mem_methods methods;
  return methods;
}

extern "C" void* Allocate(int bytes) {
  if (!MayGrow(bytes)) return nullptr;
  void* memory = Real().xMalloc(bytes);
  if (memory != nullptr) Count(Real().xSize(memory));
  return memory;
}

extern "C" void Free(void* memory) {
  if (memory == nullptr) return;
  Count(-int64_t{Real().xSize(memory)});
  Real().xFree(memory);
}

extern "C" void* Reallocate(void* memory, int bytes) {
  const int64_t before = Real().xSize(memory);
  if (bytes > before && !MayGrow(bytes - before)) return nullptr;
  void* moved = Real().xRealloc(memory, bytes);
  if (moved != nullptr) Count(Real().xSize(moved) - before);
  return moved;
}

// SQLite takes it only before its first use in the process, by whomever: so before main.
const bool kInstalled = [] {
  int rc = sqlite3_config(SQLITE_CONFIG_GETMALLOC, &Real());
  if (rc == SQLITE_OK) {
    sqlite3_mem_methods ours = Real();
    ours.xMalloc = &Allocate;
    ours.xFree = &Free;
    ours.xRealloc = &Reallocate;
    rc = sqlite3_config(SQLITE_CONFIG_MALLOC, &ours);
  }
  LOCKSTEP_CHECK(rc == SQLITE_OK, "SQLite was used before its memory could be watched");
  return true;
}();

}  // namespace

AllocationScope::AllocationScope(AllocationHandler* handler) {
  LOCKSTEP_CHECK(kInstalled && watch.handler == nullptr, "scopes of one thread do not nest");
  watch = {handler, 0, StackNow()};
}

AllocationScope::~AllocationScope() { watch.handler = nullptr; }

}  // namespace lockstep::sqlite
