#include "tests/support/history/dependency_graph.h"

#include <algorithm>
#include <deque>
#include <limits>

namespace lockstep::testing_support {
namespace {

constexpr size_t kNowhere = std::numeric_limits<size_t>::max();

// Takes away nodes that no edge leads to, again and again.
void TakeAwaySources(const std::vector<std::vector<size_t>>& next, std::vector<bool>* left) {
  std::vector<size_t> incoming(next.size(), 0);
  for (size_t node = 0; node < next.size(); ++node) {
    if (!(*left)[node]) continue;
    for (const size_t to : next[node]) ++incoming[to];
  }
  std::deque<size_t> sources;
  for (size_t node = 0; node < next.size(); ++node) {
    if ((*left)[node] && incoming[node] == 0) sources.push_back(node);
  }
  while (!sources.empty()) {
    const size_t node = sources.front();
    sources.pop_front();
    (*left)[node] = false;
    for (const size_t to : next[node]) {
      if (--incoming[to] == 0 && (*left)[to]) sources.push_back(to);
    }
  }
}

}  // namespace

size_t DependencyGraph::AddNode() {
  edges_.emplace_back();
  return edges_.size() - 1;
}

void DependencyGraph::Add(size_t from, size_t to, Dependency kind) {
  if (from != to) edges_[from].push_back({to, kind});
}

std::vector<bool> DependencyGraph::Cyclic(uint8_t mask) const {
  std::vector<std::vector<size_t>> forward(size());
  std::vector<std::vector<size_t>> backward(size());
  for (size_t node = 0; node < size(); ++node) {
    for (const Edge& edge : edges_[node]) {
      if ((edge.kind & mask) == 0) continue;
      forward[node].push_back(edge.to);
      backward[edge.to].push_back(node);
    }
  }
  std::vector<bool> left(size(), true);
  TakeAwaySources(forward, &left);
  TakeAwaySources(backward, &left);
  return left;
}

std::vector<DependencyGraph::Step> DependencyGraph::Way(size_t from, size_t to, uint8_t mask,
                                                        const std::vector<bool>& allowed) const {
  std::vector<Step> came(size(), Step{kNowhere, kWrite});
  std::deque<size_t> reached = {from};
  while (!reached.empty()) {
    const size_t node = reached.front();
    reached.pop_front();
    for (const Edge& edge : edges_[node]) {
      if ((edge.kind & mask) == 0 || !allowed[edge.to]) continue;
      if (edge.to == to) {
        std::vector<Step> way = {{node, edge.kind}};
        for (size_t at = node; at != from; at = came[at].node) way.push_back(came[at]);
        std::reverse(way.begin(), way.end());
        return way;
      }
      if (came[edge.to].node != kNowhere || edge.to == from) continue;
      came[edge.to] = {node, edge.kind};
      reached.push_back(edge.to);
    }
  }
  return {};
}

std::vector<DependencyGraph::Step> DependencyGraph::FindCycle(uint8_t mask) const {
  const std::vector<bool> cyclic = Cyclic(mask);
  for (size_t node = 0; node < size(); ++node) {
    if (!cyclic[node]) continue;
    std::vector<Step> cycle = Way(node, node, mask, cyclic);
    if (!cycle.empty()) return cycle;
  }
  return {};
}

std::vector<DependencyGraph::Step> DependencyGraph::FindSingleOverwrite() const {
  const std::vector<bool> cyclic = Cyclic(kWrite | kRead | kOverwrite);
  for (size_t node = 0; node < size(); ++node) {
    if (!cyclic[node]) continue;
    for (const Edge& edge : edges_[node]) {
      if (edge.kind != kOverwrite || !cyclic[edge.to]) continue;
      std::vector<Step> cycle = Way(edge.to, node, kWrite | kRead, cyclic);
      if (cycle.empty()) continue;
      cycle.insert(cycle.begin(), Step{node, kOverwrite});
      return cycle;
    }
  }
  return {};
}

}  // namespace lockstep::testing_support
