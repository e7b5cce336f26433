#include "common/sqlite/wal_index.h"

#include <sqlite3.h>

#include <atomic>
#include <new>
#include <utility>

#include "common/check.h"

namespace lockstep::sqlite {
namespace {

constexpr size_t kCopyWords = 12;       // one of the two copies of the header
constexpr size_t kFramesWord = 4;       // in a copy: the last valid frame
constexpr size_t kBackfilledWord = 24;  // behind both copies: frames that are checkpointed

// SQLite reads the header without a lock and compares its two copies: every word has to change at
// once, and in order.
uint32_t LoadWord(const uint32_t* word) { return __atomic_load_n(word, __ATOMIC_RELAXED); }
void StoreWord(uint32_t* word, uint32_t value) { __atomic_store_n(word, value, __ATOMIC_RELAXED); }

}  // namespace

WalIndex::Holder* WalIndex::Attach(bool is_writer) {
  std::lock_guard lock(mutex_);
  return &holders_.emplace_back(Holder{.is_writer = is_writer});
}

void WalIndex::Detach(Holder* holder) {
  std::lock_guard lock(mutex_);
  holders_.remove_if([holder](const Holder& other) { return &other == holder; });
}

int WalIndex::holders() {
  std::lock_guard lock(mutex_);
  return static_cast<int>(holders_.size());
}

void* WalIndex::Region(int index, bool extend) {
  std::lock_guard lock(mutex_);
  const size_t wanted = static_cast<size_t>(index) + 1;
  if (regions_.size() < wanted && !extend) return nullptr;
  while (regions_.size() < wanted) {
    // Called through SQLite's C code, which no exception may cross.
    RegionMemory region(new (std::nothrow) uint32_t[kRegionSize / sizeof(uint32_t)]());
    if (region == nullptr) return nullptr;
    regions_.push_back(std::move(region));
  }
  return regions_[static_cast<size_t>(index)].get();
}

int WalIndex::Lock(Holder* holder, int offset, int count, int flags) {
  const uint32_t mask = ((1u << count) - 1) << offset;
  std::unique_lock lock(mutex_);
  if ((flags & SQLITE_SHM_UNLOCK) != 0) {
    holder->shared &= ~mask;
    holder->exclusive &= ~mask;
    return SQLITE_OK;
  }
  if (!holder->is_writer) {
    gate_opened_.wait(lock, [this] { return !gate_closed_; });
  }
  const bool exclusive = (flags & SQLITE_SHM_EXCLUSIVE) != 0;
  for (const Holder& other : holders_) {
    if (&other == holder) continue;
    const uint32_t conflicting = exclusive ? other.exclusive | other.shared : other.exclusive;
    if ((conflicting & mask) != 0) return SQLITE_BUSY;
  }
  (exclusive ? holder->exclusive : holder->shared) |= mask;
  return SQLITE_OK;
}

void WalIndex::Barrier() {
#ifdef __SANITIZE_THREAD__
  // ThreadSanitizer does not know fences.
  static std::atomic<int> fence = 0;
  fence.fetch_add(1, std::memory_order_seq_cst);
#else
  std::atomic_thread_fence(std::memory_order_seq_cst);
#endif
}

uint32_t* WalIndex::header_words() { return static_cast<uint32_t*>(Region(0, /*extend=*/true)); }

void WalIndex::SaveHeader() {
  const uint32_t* words = header_words();
  for (size_t i = 0; i < saved_.size(); ++i) saved_[i] = LoadWord(words + i);
}

void WalIndex::CloseGate() {
  std::lock_guard lock(mutex_);
  gate_closed_ = true;
}

void WalIndex::OpenGate() {
  {
    std::lock_guard lock(mutex_);
    gate_closed_ = false;
  }
  gate_opened_.notify_all();
}

void WalIndex::Store(const Header& header) {
  uint32_t* words = header_words();
  for (size_t i = kCopyWords; i < 2 * kCopyWords; ++i) StoreWord(words + i, header[i]);
  Barrier();
  for (size_t i = 0; i < kCopyWords; ++i) StoreWord(words + i, header[i]);
  Barrier();
}

void WalIndex::Hide() {
  const uint32_t* words = header_words();
  for (size_t i = 0; i < hidden_.size(); ++i) hidden_[i] = LoadWord(words + i);
  Store(saved_);
}

void WalIndex::Publish() {
  // A reader that meets half a header wants SQLite's write lock to see whether the rest is coming:
  // behind the gate it finds that it is, instead of a recovery to do.
  CloseGate();
  Store(hidden_);
  OpenGate();
}

void WalIndex::Drop() {
  std::lock_guard lock(mutex_);
  LOCKSTEP_CHECK(holders_.empty(), "the wal-index is dropped while connections are open");
  regions_.clear();
}

uint32_t WalIndex::frames() { return LoadWord(header_words() + kFramesWord); }

uint32_t WalIndex::backfilled() { return LoadWord(header_words() + kBackfilledWord); }

}  // namespace lockstep::sqlite
