#include "coordinator/transaction_id.h"

#include <charconv>

#include "absl/strings/str_cat.h"

namespace lockstep::coordinator {
namespace {

template <typename T>
bool ParsePart(std::string_view text, T* value) {
  // A leading zero would give one transaction two names.
  if (text.empty() || text[0] == '0') return false;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), *value);
  return error == std::errc() && end == text.data() + text.size();
}

}  // namespace

std::string ToString(TransactionId id) { return absl::StrCat(id.term, "-", id.sequence); }

std::optional<TransactionId> ParseTransactionId(std::string_view text) {
  const size_t dash = text.find('-');
  if (dash == std::string_view::npos) return std::nullopt;
  TransactionId id;
  if (!ParsePart(text.substr(0, dash), &id.term) || id.term > RoundId::kMaxTerm ||
      !ParsePart(text.substr(dash + 1), &id.sequence) || id.sequence > RoundId::kMaxNumber) {
    return std::nullopt;
  }
  return id;
}

}  // namespace lockstep::coordinator
