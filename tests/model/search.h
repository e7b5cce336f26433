// Visits every state of a model, breadth first.
#ifndef LOCKSTEP_TESTS_MODEL_SEARCH_H_
#define LOCKSTEP_TESTS_MODEL_SEARCH_H_

#include <deque>
#include <optional>
#include <string>
#include <vector>

#include "absl/container/flat_hash_set.h"
#include "tests/model/machine.h"

namespace lockstep::model {

struct Limits {
  uint64_t states = 1'000'000;
  bool check_progress = true;
};

struct Report {
  uint64_t states = 0;
  uint64_t transitions = 0;
  uint64_t depth = 0;        // steps from the start to the farthest state
  uint64_t calm_states = 0;  // on the ways to rest
  bool exhausted = false;    // else the limit was hit
  std::optional<std::string> violation;
  std::vector<std::string> trace;  // the shortest way to it
};

// Checks Machine::Broken in every state, and that from every one, once faults stop, everything
// comes to rest: with what is late on the network delivered, and with it lost; one order of events
// each. When the limit of states is hit, those that are there are still checked.
//
// States are compared whole (state.h); only the parts that they name are told apart by prints of
// 128 bits (interner.h). Every state is kept, with the one that it was first reached from, so that
// the trace of a violation is the shortest.
class Search {
 public:
  Search(const Setup& setup, const Limits& limits);

  Report Run();
  // Where it is: for a check that ends the process.
  std::vector<std::string> TraceOfNow();
  const Machine& machine() const { return machine_; }

 private:
  using Index = uint32_t;

  struct Hash {
    using is_transparent = void;
    const std::deque<State>* states;
    size_t operator()(Index index) const { return StateHash()((*states)[index]); }
    size_t operator()(const State& state) const { return StateHash()(state); }
  };
  struct Equal {
    using is_transparent = void;
    const std::deque<State>* states;
    bool operator()(Index a, Index b) const { return a == b; }
    bool operator()(Index a, const State& b) const { return (*states)[a] == b; }
    bool operator()(const State& a, Index b) const { return a == (*states)[b]; }
  };

  void Visit(const State& state, Index parent);
  void CheckProgress(Index index, bool deliver_late);
  std::vector<std::string> TraceTo(Index index);
  void AppendCalmTrace(State state, std::vector<std::string>* trace);

  const Limits limits_;
  Machine machine_;
  std::deque<State> states_;
  std::deque<Index> parents_;
  absl::flat_hash_set<Index, Hash, Equal> index_;
  absl::flat_hash_set<State, StateHash> come_to_rest_;
  Index now_ = 0;
  std::optional<State> calm_now_;  // the calm state that a way to rest starts from
  Report report_;
};

}  // namespace lockstep::model

#endif  // LOCKSTEP_TESTS_MODEL_SEARCH_H_
