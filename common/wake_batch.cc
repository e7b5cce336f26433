#include "common/wake_batch.h"

namespace lockstep {

thread_local WakeBatch* WakeBatch::current_ = nullptr;

WakeBatch::WakeBatch() : is_outer_(current_ == nullptr) {
  if (is_outer_) current_ = this;
}

WakeBatch::~WakeBatch() {
  if (!is_outer_) return;
  current_ = nullptr;
  for (const auto& sleeper : sleepers_) sleeper->notify_one();
}

void WakeBatch::Wake(const std::shared_ptr<std::condition_variable>& sleeper) {
  if (current_ == nullptr) {
    sleeper->notify_one();
  } else {
    current_->sleepers_.push_back(sleeper);
  }
}

}  // namespace lockstep
