// The names of transactions.
#ifndef LOCKSTEP_COORDINATOR_TRANSACTION_ID_H_
#define LOCKSTEP_COORDINATOR_TRANSACTION_ID_H_

#include <compare>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "common/round_id.h"

namespace lockstep::coordinator {

// The term of the coordinator that ran the transaction, and its number in it, from 1. Ids grow in
// the order in which transactions began; one that did not begin has none.
struct TransactionId {
  Term term = 0;
  uint64_t sequence = 0;

  bool is_none() const { return sequence == 0; }
  friend auto operator<=>(const TransactionId&, const TransactionId&) = default;
};

// "3-1842".
std::string ToString(TransactionId id);

// Nothing unless `text` is what ToString gives for an id with both parts in range and above zero.
std::optional<TransactionId> ParseTransactionId(std::string_view text);

}  // namespace lockstep::coordinator

#endif  // LOCKSTEP_COORDINATOR_TRANSACTION_ID_H_
