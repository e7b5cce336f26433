// Ends of processes in a row, each in the recovery from the one before: which came, and which are
// to come.
#ifndef LOCKSTEP_TESTS_CLUSTER_FAILPOINT_CHAINS_H_
#define LOCKSTEP_TESTS_CLUSTER_FAILPOINT_CHAINS_H_

#include <cstddef>
#include <cstdint>
#include <map>
#include <random>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "tests/cluster/failpoint_orders.h"

namespace lockstep::testing_support {

using Chain = std::vector<FailpointName>;

// The ends come at one participant, and at the coordinator.
struct NodeChain {
  size_t node = 0;
  Chain chain;
};

// NODE:FAILPOINT,FAILPOINT,...
std::string TextOf(const NodeChain& it);
// Without a chain if it is not the text of one.
NodeChain ParseChain(const std::string& text);

class FailpointPairs {
 public:
  FailpointPairs(Chain points, uint64_t seed);

  // One to come in the recovery from `first`: one that was not tried there yet, while there is any;
  // of these by turns one that some recovery has passed, and one of those that were tried least in
  // all. It counts as tried.
  FailpointName Draw(const std::string& first);
  // A process ended at `second` in the recovery from `first`.
  void Met(const std::string& first, const std::string& second);
  // Those of which most is left to be tried come first, in any order else.
  Chain InOrderOfNeed();

  // "pairs tried: N of M, ...".
  std::string Report() const;

 private:
  using Names = std::set<std::string>;

  const Chain points_;
  std::mt19937_64 random_;
  std::map<std::string, Names> tried_;  // by the first
  std::map<std::string, Names> met_;    // likewise
  std::map<std::string, int> drawn_;    // seconds, behind any first
  Names passed_;                        // seconds that were met behind any first
};

}  // namespace lockstep::testing_support

#endif  // LOCKSTEP_TESTS_CLUSTER_FAILPOINT_CHAINS_H_
