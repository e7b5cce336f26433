// SQL functions whose built-in forms would differ between replicas and re-executions.
#ifndef LOCKSTEP_PARTICIPANT_EXECUTION_DETERMINISTIC_FUNCTIONS_H_
#define LOCKSTEP_PARTICIPANT_EXECUTION_DETERMINISTIC_FUNCTIONS_H_

#include <cstdint>

#include "absl/status/status.h"
#include "common/sqlite/connection.h"
#include "common/sqlite/functions.h"

namespace lockstep::participant {

// A sequence of 64-bit numbers that its seed alone decides (SplitMix64). Part of the protocol: two
// versions of Lockstep that draw other numbers cannot be replicas of each other.
class RandomSequence {
 public:
  void Seed(uint64_t seed) { state_ = seed; }
  uint64_t Next();

 private:
  uint64_t state_ = 0;
};

// Replaces random(), randomblob() and total_changes() on one connection (rule R23).
//
// Thread: the connection's; must outlive it, or Remove must have been called.
class DeterministicFunctions {
 public:
  explicit DeterministicFunctions(sqlite::Connection* connection);
  DeterministicFunctions(const DeterministicFunctions&) = delete;
  DeterministicFunctions& operator=(const DeterministicFunctions&) = delete;

  absl::Status Install();
  // The functions fail from now on: the built-in ones do not come back.
  void Remove();

  // Starts a branch: the random sequence from its seed, total_changes() and last_insert_rowid()
  // from 0.
  void Start(uint64_t seed);
  int64_t total_changes_at_start() const { return total_changes_.at_start; }

 private:
  struct Random final : sqlite::ScalarFunction {
    RandomSequence sequence;
    void Call(sqlite::FunctionCall& call) override;
  };
  struct RandomBlob final : sqlite::ScalarFunction {
    explicit RandomBlob(RandomSequence* shared) : sequence(shared) {}
    RandomSequence* const sequence;
    void Call(sqlite::FunctionCall& call) override;
  };
  struct TotalChanges final : sqlite::ScalarFunction {
    explicit TotalChanges(sqlite::Connection* owner) : connection(owner) {}
    sqlite::Connection* const connection;
    int64_t at_start = 0;
    void Call(sqlite::FunctionCall& call) override;
  };

  sqlite::Connection* const connection_;
  Random random_;
  RandomBlob random_blob_;
  TotalChanges total_changes_;
};

}  // namespace lockstep::participant

#endif  // LOCKSTEP_PARTICIPANT_EXECUTION_DETERMINISTIC_FUNCTIONS_H_
