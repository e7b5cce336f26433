// How many calls may wait.
#ifndef LOCKSTEP_PARTICIPANT_PLACES_H_
#define LOCKSTEP_PARTICIPANT_PLACES_H_

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>

namespace lockstep::participant {

// A number of places, wherever those that have one wait. Any thread. Outlives its places.
class Places {
 private:
  struct GiveBack {
    void operator()(Places* of) const { ++of->left_; }
  };

 public:
  explicit Places(size_t number) : left_(static_cast<int64_t>(number)) {}
  Places(const Places&) = delete;
  Places& operator=(const Places&) = delete;

  // Taken as long as it is not null; any thread.
  using Place = std::unique_ptr<Places, GiveBack>;

  // Null when none is left.
  Place Take() {
    if (left_.fetch_sub(1) > 0) return Place(this);
    ++left_;
    return nullptr;
  }

 private:
  std::atomic<int64_t> left_;
};

}  // namespace lockstep::participant

#endif  // LOCKSTEP_PARTICIPANT_PLACES_H_
