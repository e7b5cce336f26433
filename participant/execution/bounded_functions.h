// SQL functions whose built-in forms work for minutes on large values, and ask nobody meanwhile.
#ifndef LOCKSTEP_PARTICIPANT_EXECUTION_BOUNDED_FUNCTIONS_H_
#define LOCKSTEP_PARTICIPANT_EXECUTION_BOUNDED_FUNCTIONS_H_

#include <array>

#include "absl/status/status.h"
#include "common/sqlite/connection.h"
#include "common/sqlite/functions.h"
#include "participant/execution/watchdog.h"

namespace lockstep::participant {

// Replaces instr(), replace(), trim(), ltrim() and rtrim() on one connection: the same results, to
// the byte, and an error when the watchdog says that the time is over.
//
// Thread: the connection's; must outlive it, or Remove must have been called.
class BoundedFunctions {
 public:
  BoundedFunctions(sqlite::Connection* connection, Watchdog* watchdog);
  BoundedFunctions(const BoundedFunctions&) = delete;
  BoundedFunctions& operator=(const BoundedFunctions&) = delete;

  absl::Status Install();
  // The functions fail from now on: the built-in ones do not come back.
  void Remove();

 private:
  class Bounded : public sqlite::ScalarFunction {
   public:
    explicit Bounded(Watchdog* watchdog) : watchdog_(watchdog) {}
    bool deterministic() const override { return true; }

   protected:
    Watchdog* const watchdog_;
  };
  class Instr final : public Bounded {
   public:
    using Bounded::Bounded;
    void Call(sqlite::FunctionCall& call) override;
  };
  class Replace final : public Bounded {
   public:
    using Bounded::Bounded;
    void Call(sqlite::FunctionCall& call) override;
  };
  class Trim final : public Bounded {
   public:
    Trim(Watchdog* watchdog, bool left, bool right)
        : Bounded(watchdog), left_(left), right_(right) {}
    void Call(sqlite::FunctionCall& call) override;

   private:
    const bool left_;
    const bool right_;
  };
  struct Entry {
    const char* name;
    int arguments;
    sqlite::ScalarFunction* function;
  };
  std::array<Entry, 8> Entries();

  sqlite::Connection* const connection_;
  Instr instr_;
  Replace replace_;
  Trim trim_;
  Trim ltrim_;
  Trim rtrim_;
};

}  // namespace lockstep::participant

#endif  // LOCKSTEP_PARTICIPANT_EXECUTION_BOUNDED_FUNCTIONS_H_
