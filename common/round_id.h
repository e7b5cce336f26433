// The number of a round.
#ifndef LOCKSTEP_COMMON_ROUND_ID_H_
#define LOCKSTEP_COMMON_ROUND_ID_H_

#include <compare>
#include <cstdint>
#include <utility>

#include "common/check.h"

namespace lockstep {

using Term = uint32_t;

// (term, n) in one 64-bit number that grows across terms (rule R2): the top bit is zero, then 20
// bits of term, then 43 bits of n. Zero means "no round".
class RoundId {
 public:
  static constexpr int kNumberBits = 43;
  static constexpr Term kMaxTerm = (1u << 20) - 1;
  static constexpr uint64_t kMaxNumber = (uint64_t{1} << kNumberBits) - 1;

  constexpr RoundId() = default;
  // From its 64-bit form, of which the top bit must be zero.
  static constexpr RoundId FromValue(int64_t value) { return RoundId(value); }
  // Requires term <= kMaxTerm and number <= kMaxNumber.
  static RoundId Make(Term term, uint64_t number) {
    LOCKSTEP_CHECK(term <= kMaxTerm && number <= kMaxNumber, "round id out of range");
    return RoundId(static_cast<int64_t>((uint64_t{term} << kNumberBits) | number));
  }

  constexpr int64_t value() const { return value_; }
  constexpr Term term() const { return static_cast<Term>(value_ >> kNumberBits); }
  constexpr uint64_t number() const { return static_cast<uint64_t>(value_) & kMaxNumber; }
  constexpr bool is_none() const { return value_ == 0; }

  friend constexpr auto operator<=>(RoundId, RoundId) = default;

  template <typename H>
  friend H AbslHashValue(H h, RoundId id) {
    return H::combine(std::move(h), id.value_);
  }

 private:
  constexpr explicit RoundId(int64_t value) : value_(value) {}
  int64_t value_ = 0;
};

}  // namespace lockstep

#endif  // LOCKSTEP_COMMON_ROUND_ID_H_
