// Multisets of messages.
#ifndef LOCKSTEP_TESTS_MODEL_NETWORKS_H_
#define LOCKSTEP_TESTS_MODEL_NETWORKS_H_

#include <algorithm>
#include <functional>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "tests/model/interner.h"

namespace lockstep::model {

class Networks {
 public:
  using Network = std::vector<Id>;  // sorted

  Networks() : none_(Intern({})) {}

  Id none() const { return none_; }
  const Network& at(Id id) const { return networks_.at(id); }
  size_t size() const { return networks_.size(); }

  Id Add(Id network, Id message) {
    const auto [place, is_new] = added_.try_emplace(uint64_t{network} << 32 | message);
    if (!is_new) return place->second;
    Network next = at(network);
    next.insert(std::lower_bound(next.begin(), next.end(), message), message);
    return place->second = Intern(std::move(next));
  }
  // Requires that it is there.
  Id Remove(Id network, Id message) {
    const auto [place, is_new] = removed_.try_emplace(uint64_t{network} << 32 | message);
    if (!is_new) return place->second;
    Network next = at(network);
    next.erase(std::lower_bound(next.begin(), next.end(), message));
    return place->second = Intern(std::move(next));
  }
  // Each message as `change` says; 0: it is gone.
  Id Change(Id network, const std::function<Id(Id)>& change) {
    Network next;
    for (const Id message : at(network)) {
      if (const Id changed = change(message); changed != 0) next.push_back(changed);
    }
    std::sort(next.begin(), next.end());
    return Intern(std::move(next));
  }

 private:
  Id Intern(Network network) {
    return networks_.Intern(Words(network.begin(), network.end()), std::move(network));
  }

  Interner<Network> networks_;
  absl::flat_hash_map<uint64_t, Id> added_;
  absl::flat_hash_map<uint64_t, Id> removed_;
  Id none_;
};

}  // namespace lockstep::model

#endif  // LOCKSTEP_TESTS_MODEL_NETWORKS_H_
