#include "tests/simulation/history.h"

#include <algorithm>
#include <set>

#include "absl/strings/str_cat.h"

namespace lockstep::simulation {
namespace {

Work::Kind KindOfWork(TransactionHandle transaction) {
  return WorkOf(transaction, /*database=*/0, /*participant=*/0).kind;
}

bool AppendsTo(TransactionHandle transaction, DatabaseIndex database) {
  return ChangesDatabase(transaction, database) && KindOfWork(transaction) == Work::Kind::kAppend;
}

bool WritesRegister(TransactionHandle transaction, DatabaseIndex database, size_t index) {
  return ChangesDatabase(transaction, database) &&
         KindOfWork(transaction) == Work::Kind::kRegister &&
         WorkOf(transaction, database, /*participant=*/0).register_index == index;
}

// What both hold stands in both in the same order.
bool AgreeOnOrder(const std::vector<TransactionHandle>& a,
                  const std::vector<TransactionHandle>& b) {
  std::map<TransactionHandle, size_t> places;
  for (size_t i = 0; i < b.size(); ++i) places[b[i]] = i;
  std::optional<size_t> last;
  for (const TransactionHandle item : a) {
    const auto place = places.find(item);
    if (place == places.end()) continue;
    if (last && place->second < *last) return false;
    last = place->second;
  }
  return true;
}

// A write of a register and the reads that show it.
struct Cluster {
  absl::Duration first_end = absl::InfiniteDuration();
  absl::Duration last_begin = -absl::InfiniteDuration();

  void Add(absl::Duration begin, absl::Duration end) {
    first_end = std::min(first_end, end);
    last_begin = std::max(last_begin, begin);
  }
  bool IsBefore(const Cluster& other) const { return first_end < other.last_begin; }
};

using Clusters = std::map<TransactionHandle, Cluster>;

// Two that have to stand before each other are the only contradiction there is: see the head.
std::optional<std::string> CheckOrderOf(const Clusters& clusters) {
  for (const auto& [a, its] : clusters) {
    for (const auto& [b, other] : clusters) {
      if (a != b && its.IsBefore(other) && other.IsBefore(its)) {
        return absl::StrCat("a register shows ", a, " before ", b, " and behind it");
      }
    }
  }
  return std::nullopt;
}

}  // namespace

void History::Invoked(TransactionHandle transaction, absl::Duration now) {
  attempts_[transaction].invoked = now;
}

void History::Completed(TransactionHandle transaction, bool committed, absl::Duration now) {
  Attempt& attempt = attempts_[transaction];
  if (attempt.outcome != Attempt::Outcome::kOpen) return;
  attempt.outcome = committed ? Attempt::Outcome::kCommitted : Attempt::Outcome::kAborted;
  attempt.completed = now;
}

const Attempt* History::Find(TransactionHandle transaction) const {
  const auto found = attempts_.find(transaction);
  return found == attempts_.end() ? nullptr : &found->second;
}

std::optional<std::string> History::Check(const std::vector<Rows>& finals) const {
  if (auto wrong = CheckBank(finals)) return wrong;
  if (auto wrong = CheckLists(finals)) return wrong;
  return CheckRegisters(finals);
}

std::optional<std::string> History::CheckBank(const std::vector<Rows>& finals) {
  int64_t coins = 0;
  int64_t expected = 0;
  for (const Rows& rows : finals) {
    for (const int64_t account : rows.coins) {
      if (account < 0) return "an account is overdrawn";
      coins += account;
      expected += kCoinsAtStart;
    }
  }
  if (coins == expected) return std::nullopt;
  return absl::StrCat("there are ", coins, " coins, and were ", expected);
}

std::optional<std::string> History::CheckLists(const std::vector<Rows>& finals) const {
  std::vector<std::vector<TransactionHandle>> lists;
  for (DatabaseIndex database = 0; database < finals.size(); ++database) {
    if (auto wrong = CheckList(database, finals[database].list)) return wrong;
    lists.push_back(finals[database].list.Items());
    for (DatabaseIndex other = 0; other < database; ++other) {
      if (!AgreeOnOrder(lists[database], lists[other])) return "two lists have different orders";
    }
  }
  for (const ClientRead& read : reads_) {
    if (auto wrong = CheckListRead(read, lists[read.database])) return wrong;
  }
  return CheckReadsOfLists();
}

// What one read has shown, no later one misses, whether its writer was answered by then or not.
std::optional<std::string> History::CheckReadsOfLists() const {
  std::vector<const ClientRead*> by_begin;
  for (const ClientRead& read : reads_) by_begin.push_back(&read);
  std::vector<const ClientRead*> by_end = by_begin;
  std::sort(by_begin.begin(), by_begin.end(),
            [](const auto* a, const auto* b) { return a->invoked < b->invoked; });
  std::sort(by_end.begin(), by_end.end(),
            [](const auto* a, const auto* b) { return a->completed < b->completed; });
  std::map<DatabaseIndex, size_t> shown;
  auto ended = by_end.begin();
  for (const ClientRead* read : by_begin) {
    for (; ended != by_end.end() && (*ended)->completed < read->invoked; ++ended) {
      size_t& longest = shown[(*ended)->database];
      longest = std::max(longest, (*ended)->rows.list.Items().size());
    }
    if (read->rows.list.Items().size() < shown[read->database]) {
      return "a read of a list misses what an earlier one has shown";
    }
  }
  return std::nullopt;
}

std::optional<std::string> History::CheckList(DatabaseIndex database,
                                              const AppendList& list) const {
  const std::vector<TransactionHandle> items = list.Items();
  const std::set<TransactionHandle> there(items.begin(), items.end());
  if (there.size() != items.size()) return "a list holds an item twice";
  for (const TransactionHandle item : items) {
    const Attempt* attempt = Find(item);
    if (attempt == nullptr || !AppendsTo(item, database)) {
      return absl::StrCat("a list holds ", item, ", which nobody appended");
    }
    if (attempt->outcome == Attempt::Outcome::kAborted) {
      return absl::StrCat("a list holds ", item, ", which was told ABORTED");
    }
  }
  for (const auto& [transaction, attempt] : attempts_) {
    if (attempt.outcome == Attempt::Outcome::kCommitted && AppendsTo(transaction, database) &&
        !there.contains(transaction)) {
      return absl::StrCat("a list has lost ", transaction, ", which was told COMMITTED");
    }
  }
  return CheckOrder(items);
}

// Who was answered before another began stands before it.
std::optional<std::string> History::CheckOrder(const std::vector<TransactionHandle>& items) const {
  absl::Duration earliest_answer_behind = absl::InfiniteDuration();
  for (auto item = items.rbegin(); item != items.rend(); ++item) {
    const Attempt& attempt = attempts_.at(*item);
    if (earliest_answer_behind < attempt.invoked) {
      return absl::StrCat(*item, " stands before one that was answered before it began");
    }
    earliest_answer_behind = std::min(earliest_answer_behind, attempt.completed);
  }
  return std::nullopt;
}

std::optional<std::string> History::CheckListRead(
    const ClientRead& read, const std::vector<TransactionHandle>& items) const {
  const std::vector<TransactionHandle> shown = read.rows.list.Items();
  if (shown.size() > items.size() || !std::equal(shown.begin(), shown.end(), items.begin())) {
    return "a read of a list is no beginning of it";
  }
  for (size_t i = 0; i < items.size(); ++i) {
    const Attempt& attempt = attempts_.at(items[i]);
    const bool is_shown = i < shown.size();
    if (!is_shown && attempt.completed < read.invoked) {
      return absl::StrCat("a read of a list misses ", items[i], ", answered before it began");
    }
    if (is_shown && attempt.invoked > read.completed) {
      return absl::StrCat("a read of a list shows ", items[i], ", which began later");
    }
  }
  return std::nullopt;
}

std::optional<std::string> History::CheckRegisters(const std::vector<Rows>& finals) const {
  std::vector<ClientRead> reads = reads_;
  for (DatabaseIndex database = 0; database < finals.size(); ++database) {
    reads.push_back(
        {database, absl::InfiniteDuration(), absl::InfiniteDuration(), finals[database]});
  }
  for (DatabaseIndex database = 0; database < finals.size(); ++database) {
    for (size_t index = 0; index < finals[database].registers.size(); ++index) {
      if (auto wrong = CheckRegister(reads, database, index)) return wrong;
    }
  }
  return std::nullopt;
}

std::optional<std::string> History::CheckRegister(const std::vector<ClientRead>& reads,
                                                  DatabaseIndex database, size_t index) const {
  Clusters clusters;
  clusters[0].Add(-absl::InfiniteDuration(), -absl::InfiniteDuration());
  for (const auto& [transaction, attempt] : attempts_) {
    if (attempt.outcome != Attempt::Outcome::kAborted &&
        WritesRegister(transaction, database, index)) {
      clusters[transaction].Add(attempt.invoked, attempt.completed);
    }
  }
  for (const ClientRead& read : reads) {
    if (read.database != database) continue;
    const TransactionHandle shown = read.rows.registers[index];
    if (auto wrong = CheckWriteOf(shown, read, index)) return wrong;
    clusters[shown].Add(read.invoked, read.completed);
  }
  return CheckOrderOf(clusters);
}

std::optional<std::string> History::CheckWriteOf(TransactionHandle shown, const ClientRead& read,
                                                 size_t index) const {
  if (shown == TransactionHandle{}) return std::nullopt;
  const Attempt* write = Find(shown);
  if (write == nullptr || !WritesRegister(shown, read.database, index)) {
    return absl::StrCat("a register shows ", shown, ", which nobody wrote");
  }
  if (write->outcome == Attempt::Outcome::kAborted) {
    return absl::StrCat("a register shows ", shown, ", which was told ABORTED");
  }
  if (write->invoked > read.completed) {
    return absl::StrCat("a register shows ", shown, ", which began later");
  }
  return std::nullopt;
}

}  // namespace lockstep::simulation
