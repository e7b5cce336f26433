// Small numbers for the states of one part of the model.
#ifndef LOCKSTEP_TESTS_MODEL_INTERNER_H_
#define LOCKSTEP_TESTS_MODEL_INTERNER_H_

#include <cstdint>
#include <deque>
#include <utility>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "tests/simulation/random.h"

namespace lockstep::model {

using Id = uint32_t;
using Words = std::vector<uint64_t>;

// 128 bits of the words that describe something. Ten million different parts meet in one print with
// a chance below 1e-24.
struct Print {
  uint64_t first = 1;
  uint64_t second = 2;

  explicit Print(const Words& words) {
    for (const uint64_t word : words) {
      first = simulation::Mix(first ^ word);
      second = simulation::Mix(second + word * 0xff51afd7ed558ccd);
    }
  }
  friend bool operator==(const Print&, const Print&) = default;
  template <typename H>
  friend H AbslHashValue(H h, const Print& print) {
    return H::combine(std::move(h), print.first);
  }
};

// Keeps one of all that are described by the same words. Ids count from 1; 0 stands for none.
template <typename T>
class Interner {
 public:
  template <typename U>
  Id Intern(const Words& words, U&& value) {
    const auto [place, is_new] =
        ids_.try_emplace(Print(words), static_cast<Id>(values_.size() + 1));
    if (is_new) values_.push_back(std::forward<U>(value));
    return place->second;
  }
  const T& at(Id id) const { return values_[id - 1]; }
  size_t size() const { return values_.size(); }

 private:
  absl::flat_hash_map<Print, Id> ids_;
  std::deque<T> values_;
};

}  // namespace lockstep::model

#endif  // LOCKSTEP_TESTS_MODEL_INTERNER_H_
