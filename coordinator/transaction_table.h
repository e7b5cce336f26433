// The transactions that the coordinator has taken and not answered yet.
#ifndef LOCKSTEP_COORDINATOR_TRANSACTION_TABLE_H_
#define LOCKSTEP_COORDINATOR_TRANSACTION_TABLE_H_

#include <cstdint>
#include <memory>
#include <utility>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "common/check.h"
#include "coordinator/protocol/types.h"
#include "coordinator/transaction.h"

namespace lockstep::coordinator {

// Places are used again, the last freed first, so that what is touched stays in the cache. A handle
// has its place in the low half and that place's generation in the high half: one that is over is
// found out.
class TransactionTable {
 public:
  TransactionHandle Add(std::unique_ptr<Transaction> transaction) {
    if (free_.empty()) {
      free_.push_back(static_cast<uint32_t>(places_.size()));
      places_.emplace_back();
    }
    const uint32_t index = free_.back();
    free_.pop_back();
    Place& place = places_[index];
    place.transaction = std::move(transaction);
    AddName(place.transaction->id);
    return (uint64_t{place.generation} << 32) | index;
  }

  // Requires a handle that Add gave and that was not removed.
  Transaction& at(TransactionHandle handle) {
    Transaction* transaction = Find(handle);
    LOCKSTEP_CHECK(transaction != nullptr, "a transaction that is over is named again");
    return *transaction;
  }

  // nullptr when it was removed.
  Transaction* Find(TransactionHandle handle) {
    const auto index = static_cast<uint32_t>(handle);
    LOCKSTEP_CHECK(index < places_.size(), "no such transaction was ever here");
    Place& place = places_[index];
    return place.generation == handle >> 32 ? place.transaction.get() : nullptr;
  }

  // Several transactions may have one name.
  void Rename(TransactionHandle handle, TransactionId id) {
    Transaction& transaction = at(handle);
    DropName(transaction.id);
    transaction.id = id;
    AddName(id);
  }

  std::unique_ptr<Transaction> Remove(TransactionHandle handle) {
    DropName(at(handle).id);
    const auto index = static_cast<uint32_t>(handle);
    Place& place = places_[index];
    ++place.generation;
    free_.push_back(index);
    return std::move(place.transaction);
  }

  std::vector<std::unique_ptr<Transaction>> RemoveAll() {
    std::vector<std::unique_ptr<Transaction>> all;
    for (uint32_t index = 0; index < places_.size(); ++index) {
      if (places_[index].transaction == nullptr) continue;
      all.push_back(Remove((uint64_t{places_[index].generation} << 32) | index));
    }
    return all;
  }

  bool Contains(TransactionId id) const { return named_.contains(KeyOf(id)); }

  size_t size() const { return places_.size() - free_.size(); }

 private:
  using Key = std::pair<Term, uint64_t>;
  struct Place {
    uint32_t generation = 0;
    std::unique_ptr<Transaction> transaction;
  };
  static Key KeyOf(TransactionId id) { return {id.term, id.sequence}; }
  void AddName(TransactionId id) {
    if (!id.is_none()) ++named_[KeyOf(id)];
  }
  void DropName(TransactionId id) {
    if (id.is_none()) return;
    const auto named = named_.find(KeyOf(id));
    if (--named->second == 0) named_.erase(named);
  }

  std::vector<Place> places_;
  std::vector<uint32_t> free_;
  absl::flat_hash_map<Key, uint32_t> named_;  // how many have this name
};

}  // namespace lockstep::coordinator

#endif  // LOCKSTEP_COORDINATOR_TRANSACTION_TABLE_H_
