// Which transaction must stand before which, and why; the search for cycles.
#ifndef LOCKSTEP_TESTS_SUPPORT_HISTORY_DEPENDENCY_GRAPH_H_
#define LOCKSTEP_TESTS_SUPPORT_HISTORY_DEPENDENCY_GRAPH_H_

#include <cstddef>
#include <cstdint>
#include <vector>

namespace lockstep::testing_support {

enum Dependency : uint8_t {
  kWrite = 1,      // ww: wrote the version before
  kRead = 2,       // wr: wrote the version that was read
  kOverwrite = 4,  // rw: read the version that was overwritten
  kClock = 8,      // ended before the other began
};

class DependencyGraph {
 public:
  struct Edge {
    size_t to;
    Dependency kind;
  };
  struct Step {
    size_t node;
    Dependency kind;  // of the edge to the next step's node; the last step's leads to the first
  };

  explicit DependencyGraph(size_t nodes) : edges_(nodes) {}

  size_t size() const { return edges_.size(); }
  size_t AddNode();
  // An edge from a node to itself says nothing and is left out.
  void Add(size_t from, size_t to, Dependency kind);

  // A shortest cycle through some node, of edges of the kinds in `mask` only; empty if there is
  // none.
  std::vector<Step> FindCycle(uint8_t mask) const;
  // One of which exactly one edge is an Overwrite, the others Writes and Reads; empty if there is
  // none.
  std::vector<Step> FindSingleOverwrite() const;

 private:
  // Nodes that can be on a cycle: what is left when nodes without a way in or out are taken away.
  std::vector<bool> Cyclic(uint8_t mask) const;
  // A shortest way among `allowed` nodes; its steps lead from `from` to a node with an edge to
  // `to`.
  std::vector<Step> Way(size_t from, size_t to, uint8_t mask,
                        const std::vector<bool>& allowed) const;

  std::vector<std::vector<Edge>> edges_;
};

}  // namespace lockstep::testing_support

#endif  // LOCKSTEP_TESTS_SUPPORT_HISTORY_DEPENDENCY_GRAPH_H_
