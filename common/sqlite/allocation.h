// Says no to SQLite when it asks for memory.
#ifndef LOCKSTEP_COMMON_SQLITE_ALLOCATION_H_
#define LOCKSTEP_COMMON_SQLITE_ALLOCATION_H_

#include <cstdint>

namespace lockstep::sqlite {

// Memory that SQLite asks for.
struct Allocation {
  int64_t bytes = 0;          // what it asks for
  int64_t growth = 0;         // since the scope began, on this thread, with these bytes
  int64_t stack_bytes = 0;    // how deep the stack has grown since the scope began
  int64_t process_bytes = 0;  // of all of SQLite in this process, with these bytes
};

// Asked for all memory that SQLite takes within a scope, and so while it prepares, too: what
// recurses there (views in views, triggers, cascades) takes memory at each level.
class AllocationHandler {
 public:
  virtual ~AllocationHandler() = default;
  // False: SQLite gets none. The call that needs it fails with kNoMemory, if it cannot do without.
  // Must not use SQLite.
  virtual bool OnAllocation(const Allocation& allocation) = 0;
};

// While it lives, the handler is asked for what its thread allocates; elsewhere nobody is. Scopes
// of one thread do not nest.
class AllocationScope {
 public:
  explicit AllocationScope(AllocationHandler* handler);
  ~AllocationScope();
  AllocationScope(const AllocationScope&) = delete;
  AllocationScope& operator=(const AllocationScope&) = delete;
};

}  // namespace lockstep::sqlite

#endif  // LOCKSTEP_COMMON_SQLITE_ALLOCATION_H_
