// Chance, replaced by every possible outcome in turn.
#ifndef LOCKSTEP_TESTS_MODEL_CHOICES_H_
#define LOCKSTEP_TESTS_MODEL_CHOICES_H_

#include <cstdint>
#include <vector>

#include "tests/simulation/random.h"

namespace lockstep::model {

// Drives code that draws from a Random through all that it can do:
//
//   do {
//     ...run it from the same state...
//   } while (choices.Advance());
class Choices final : public simulation::Random {
 public:
  // Not a choice: a name that its user has set.
  uint64_t Next() override { return next_; }
  void SetNext(uint64_t next) { next_ = next; }

  // Numbers beyond what can be tried one by one stand for a few: small ones, which meet the rounds
  // of a small model, and one above all of them.
  uint64_t Below(uint64_t limit) override {
    if (limit <= kMostOptions) return Choose(static_cast<uint32_t>(limit));
    return Choose(2) == 0 ? 2 : kBeyondAll;
  }
  bool Chance(double probability) override {
    if (probability <= 0) return false;
    return probability >= 1 || Choose(2) == 1;
  }

  // The next combination; false, and back at the first, after the last.
  bool Advance() {
    while (!taken_.empty() && taken_.back().option + 1 == taken_.back().options) taken_.pop_back();
    position_ = 0;
    if (taken_.empty()) return false;
    ++taken_.back().option;
    return true;
  }

 private:
  static constexpr uint64_t kMostOptions = 16;
  static constexpr uint64_t kBeyondAll = 9;

  struct Choice {
    uint32_t option = 0;
    uint32_t options = 0;
  };

  uint64_t Choose(uint32_t options) {
    if (position_ == taken_.size()) taken_.push_back({0, options});
    return taken_[position_++].option;
  }

  std::vector<Choice> taken_;
  size_t position_ = 0;
  uint64_t next_ = 0;
};

}  // namespace lockstep::model

#endif  // LOCKSTEP_TESTS_MODEL_CHOICES_H_
