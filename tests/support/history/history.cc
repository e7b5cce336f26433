#include "tests/support/history/history.h"

#include <algorithm>
#include <iterator>
#include <map>
#include <optional>
#include <set>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "common/check.h"
#include "tests/support/history/dependency_graph.h"

namespace lockstep::testing_support {
namespace {

using Elements = std::vector<int64_t>;

struct Append {
  size_t writer;
  int64_t element;
};

// One read without what its own transaction had appended before: the version that others made.
struct Read {
  size_t reader;
  Elements seen;
};

struct ListFacts {
  std::vector<Append> appends;
  std::map<int64_t, size_t> writers;  // by element
  std::vector<Read> reads;            // of committed transactions
  Elements order;                     // the longest version that was seen
  bool has_order = true;              // all versions are prefixes of the longest
};

std::string ToText(const Elements& elements) {
  return absl::StrCat("[", absl::StrJoin(elements, " "), "]");
}

const char* NameOf(Dependency kind) {
  switch (kind) {
    case kWrite:
      return "ww";
    case kRead:
      return "wr";
    case kOverwrite:
      return "rw";
    default:
      return "ends before";
  }
}

class HistoryChecker {
 public:
  explicit HistoryChecker(const std::vector<ListTransaction>& history)
      : history_(history), counts_(history.size(), false), graph_(history.size()) {}

  HistoryVerdict Check() {
    CollectAppends();
    for (size_t i = 0; i < history_.size(); ++i) {
      if (history_[i].end == ListEnd::kCommitted) LookAtReads(i);
    }
    ProveUnknown();
    for (auto& [list, facts] : lists_) {
      FindOrder(list, &facts);
      FindLost(list, facts);
      if (facts.has_order) AddDependencies(facts);
    }
    AddClock();
    FindCycles();
    return std::move(verdict_);
  }

 private:
  void Complain(const std::string& name, const std::string& text) {
    verdict_.anomalies.push_back({name, text});
  }

  void CollectAppends() {
    for (size_t i = 0; i < history_.size(); ++i) {
      for (const ListStep& step : history_[i].steps) {
        if (step.kind != ListStep::Kind::kAppend) continue;
        ListFacts& facts = lists_[step.list];
        LOCKSTEP_CHECK(facts.writers.emplace(step.element, i).second,
                       absl::StrCat("appended twice: ", step.element, " to ", step.list));
        facts.appends.push_back({i, step.element});
      }
    }
  }

  // What each read shows by itself, and against the steps before it in its transaction.
  void LookAtReads(size_t index) {
    std::map<std::string, Elements> own;                      // appended so far
    std::map<std::string, std::optional<Elements>> external;  // what others had made of the list
    counts_[index] = true;
    for (const ListStep& step : history_[index].steps) {
      Elements& mine = own[step.list];
      if (step.kind == ListStep::Kind::kAppend) {
        mine.push_back(step.element);
        continue;
      }
      Elements seen = step.seen;
      const bool ends_with_mine =
          seen.size() >= mine.size() && std::equal(mine.rbegin(), mine.rend(), seen.rbegin());
      if (ends_with_mine) seen.resize(seen.size() - mine.size());
      std::optional<Elements>& before = external[step.list];
      if (!ends_with_mine || (before.has_value() && *before != seen)) {
        Complain("internal", absl::StrCat(step.list, " in ", ToText(history_[index])));
      }
      before = seen;
      LookAtElements(index, step.list, seen);
      ListFacts& facts = lists_[step.list];
      facts.reads.push_back({index, std::move(seen)});
    }
  }

  void LookAtElements(size_t reader, const std::string& list, const Elements& seen) {
    const ListFacts& facts = lists_[list];
    const std::string where = absl::StrCat(" of ", list, " in ", ToText(history_[reader]));
    std::set<int64_t> before;
    for (const int64_t element : seen) {
      if (!before.insert(element).second) Complain("duplicate", absl::StrCat(element, where));
      const auto writer = facts.writers.find(element);
      if (writer == facts.writers.end()) {
        Complain("phantom", absl::StrCat(element, where));
      } else if (history_[writer->second].end == ListEnd::kFailed) {
        Complain("G1a",
                 absl::StrCat(element, where, ", appended by ", ToText(history_[writer->second])));
      } else if (writer->second == reader) {
        Complain("internal", absl::StrCat(element, where, ", before it is appended"));
      } else {
        counts_[writer->second] = true;
        LookAtWriter(list, writer->second, element, seen, where);
      }
    }
  }

  // The elements that one transaction appended to a list stand there all and in their order.
  void LookAtWriter(const std::string& list, size_t writer, int64_t element, const Elements& seen,
                    const std::string& where) {
    auto at = std::find(seen.begin(), seen.end(), element);
    bool is_later = false;
    for (const ListStep& step : history_[writer].steps) {
      if (step.kind != ListStep::Kind::kAppend || step.list != list) continue;
      if (is_later) {
        const auto next = std::find(seen.begin(), seen.end(), step.element);
        const std::string text = absl::StrCat(element, " and ", step.element, where,
                                              ", appended by ", ToText(history_[writer]));
        if (next == seen.end()) Complain("G1b", text);
        if (next < at) Complain("incompatible-order", text);
      }
      is_later = is_later || step.element == element;
    }
  }

  void ProveUnknown() {
    for (size_t i = 0; i < history_.size(); ++i) {
      if (history_[i].end == ListEnd::kUnknown) ++(counts_[i] ? verdict_.proved : verdict_.open);
    }
  }

  void FindOrder(const std::string& list, ListFacts* facts) {
    for (const Read& read : facts->reads) {
      const bool is_longer = read.seen.size() > facts->order.size();
      const Elements& longer = is_longer ? read.seen : facts->order;
      const Elements& shorter = is_longer ? facts->order : read.seen;
      if (!std::equal(shorter.begin(), shorter.end(), longer.begin())) {
        Complain("incompatible-order",
                 absl::StrCat(ToText(shorter), " and ", ToText(longer), " of ", list, " in ",
                              ToText(history_[read.reader])));
        facts->has_order = false;
      }
      if (is_longer) facts->order = read.seen;
    }
  }

  void FindLost(const std::string& list, const ListFacts& facts) {
    std::set<int64_t> seen;
    for (const Read& read : facts.reads) seen.insert(read.seen.begin(), read.seen.end());
    for (const Append& append : facts.appends) {
      const ListTransaction& writer = history_[append.writer];
      if (writer.end != ListEnd::kCommitted || seen.count(append.element) > 0) continue;
      const bool was_missed = std::any_of(
          facts.reads.begin(), facts.reads.end(),
          [&](const Read& read) { return history_[read.reader].invoked > writer.completed; });
      if (was_missed) {
        Complain("lost",
                 absl::StrCat(append.element, " of ", list, ", appended by ", ToText(writer)));
      }
    }
  }

  void AddDependencies(const ListFacts& facts) {
    for (size_t i = 1; i < facts.order.size(); ++i) {
      AddIfKnown(facts, facts.order[i - 1], facts.order[i]);
    }
    // What happened and no read shows stands behind all that was read.
    std::vector<size_t> unseen;
    const std::set<int64_t> seen(facts.order.begin(), facts.order.end());
    for (const Append& append : facts.appends) {
      if (counts_[append.writer] && seen.count(append.element) == 0)
        unseen.push_back(append.writer);
    }
    for (const Read& read : facts.reads) {
      if (!read.seen.empty()) {
        if (const auto writer = WriterOf(facts, read.seen.back())) {
          graph_.Add(*writer, read.reader, kRead);
        }
      }
      if (read.seen.size() < facts.order.size()) {
        if (const auto writer = WriterOf(facts, facts.order[read.seen.size()])) {
          graph_.Add(read.reader, *writer, kOverwrite);
        }
      } else {
        for (const size_t writer : unseen) graph_.Add(read.reader, writer, kOverwrite);
      }
    }
    if (facts.order.empty()) return;
    if (const auto last = WriterOf(facts, facts.order.back())) {
      for (const size_t writer : unseen) graph_.Add(*last, writer, kWrite);
    }
  }

  void AddIfKnown(const ListFacts& facts, int64_t earlier, int64_t later) {
    const auto from = WriterOf(facts, earlier);
    const auto to = WriterOf(facts, later);
    if (from.has_value() && to.has_value()) graph_.Add(*from, *to, kWrite);
  }

  std::optional<size_t> WriterOf(const ListFacts& facts, int64_t element) const {
    const auto writer = facts.writers.find(element);
    if (writer == facts.writers.end() || !counts_[writer->second]) return std::nullopt;
    return writer->second;
  }

  // One node per end, in a chain, instead of an edge for each pair of transactions.
  void AddClock() {
    std::vector<std::pair<int64_t, size_t>> ends;
    for (size_t i = 0; i < history_.size(); ++i) {
      if (history_[i].end == ListEnd::kCommitted) ends.emplace_back(history_[i].completed, i);
    }
    std::sort(ends.begin(), ends.end());
    const size_t first = graph_.size();
    for (size_t i = 0; i < ends.size(); ++i) {
      const size_t node = graph_.AddNode();
      graph_.Add(ends[i].second, node, kClock);
      if (i > 0) graph_.Add(node - 1, node, kClock);
    }
    for (size_t i = 0; i < history_.size(); ++i) {
      if (!counts_[i]) continue;
      const auto later =
          std::lower_bound(ends.begin(), ends.end(), std::pair(history_[i].invoked, size_t{0}));
      if (later == ends.begin()) continue;
      graph_.Add(first + static_cast<size_t>(std::distance(ends.begin(), later)) - 1, i, kClock);
    }
  }

  void FindCycles() {
    if (ComplainOfCycle("G0", graph_.FindCycle(kWrite))) return;
    if (ComplainOfCycle("G1c", graph_.FindCycle(kWrite | kRead))) return;
    if (ComplainOfCycle("G-single", graph_.FindSingleOverwrite())) return;
    if (ComplainOfCycle("G2", graph_.FindCycle(kWrite | kRead | kOverwrite))) return;
    ComplainOfCycle("real-time", graph_.FindCycle(kWrite | kRead | kOverwrite | kClock));
  }

  bool ComplainOfCycle(const std::string& name, const std::vector<DependencyGraph::Step>& cycle) {
    if (cycle.empty()) return false;
    std::string text;
    for (const DependencyGraph::Step& step : cycle) {
      if (step.node >= history_.size()) continue;
      absl::StrAppend(&text, ToText(history_[step.node]), "\n  ", NameOf(step.kind), " ");
    }
    absl::StrAppend(&text, "the first");
    Complain(name, text);
    return true;
  }

  const std::vector<ListTransaction>& history_;
  std::vector<bool> counts_;  // known to have happened, by index
  std::map<std::string, ListFacts> lists_;
  DependencyGraph graph_;
  HistoryVerdict verdict_;
};

}  // namespace

ListStep AppendTo(std::string list, int64_t element) {
  return {ListStep::Kind::kAppend, std::move(list), element, {}};
}

ListStep ReadOf(std::string list, std::vector<int64_t> seen) {
  return {ListStep::Kind::kRead, std::move(list), 0, std::move(seen)};
}

std::string ToText(const ListTransaction& transaction) {
  std::string text = absl::StrCat(transaction.name, " (process ", transaction.process, ", ",
                                  transaction.invoked, " to ", transaction.completed, ", ",
                                  transaction.end == ListEnd::kCommitted ? "committed"
                                  : transaction.end == ListEnd::kFailed  ? "failed"
                                                                         : "unknown",
                                  "):");
  for (const ListStep& step : transaction.steps) {
    const bool is_append = step.kind == ListStep::Kind::kAppend;
    absl::StrAppend(&text, is_append ? " append " : " read ", step.list, " ",
                    is_append ? absl::StrCat(step.element) : ToText(step.seen));
  }
  return text;
}

HistoryVerdict CheckHistory(const std::vector<ListTransaction>& history) {
  return HistoryChecker(history).Check();
}

}  // namespace lockstep::testing_support
