// Random histories that are strictly serializable, and the same with one thing changed.
#include <gtest/gtest.h>

#include <algorithm>
#include <cstdint>
#include <functional>
#include <map>
#include <random>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "tests/support/history/history.h"

namespace lockstep::testing_support {
namespace {

constexpr int kHistories = 300;
constexpr int kTransactions = 60;
constexpr int kLists = 4;

// Each takes effect at one instant, in the order in which it is made. A loose history lets it begin
// before and end after that, so that several run at a time, and has ends that are unknown.
std::vector<ListTransaction> MakeHistory(std::mt19937_64* random, bool is_loose) {
  std::map<std::string, std::vector<int64_t>> lists;
  std::vector<ListTransaction> history;
  int64_t next = 0;
  for (int i = 0; i < kTransactions; ++i) {
    const int64_t instant = 100 * (i + 1);
    const auto stretch = [&] {
      return is_loose ? static_cast<int64_t>((*random)() % 400) : int64_t{10};
    };
    ListTransaction made;
    made.name = absl::StrCat("T", i);
    made.process = i;
    made.invoked = instant - stretch();
    made.completed = instant + stretch();
    const uint64_t dice = (*random)() % 8;
    if (dice == 0) made.end = ListEnd::kFailed;
    if (dice == 1 && is_loose) made.end = ListEnd::kUnknown;
    const bool happens =
        made.end == ListEnd::kCommitted || (made.end == ListEnd::kUnknown && (*random)() % 2 == 0);
    auto after = lists;
    for (uint64_t step = (*random)() % 4 + 1; step > 0; --step) {
      const std::string list = absl::StrCat("list", (*random)() % kLists);
      if ((*random)() % 2 == 0) {
        made.steps.push_back(AppendTo(list, ++next));
        after[list].push_back(next);
      } else {
        made.steps.push_back(ReadOf(list, after[list]));
      }
    }
    if (happens) lists = after;
    history.push_back(made);
  }
  // What a client does at last: so nothing that happened stays unseen.
  ListTransaction last = {"last", kTransactions, 1'000'000, 1'000'001, ListEnd::kCommitted, {}};
  for (const auto& [list, elements] : lists) last.steps.push_back(ReadOf(list, elements));
  history.push_back(last);
  return history;
}

using ListPlace = std::pair<size_t, size_t>;  // a transaction and one of its steps

// A random step of a committed transaction for which `fits` holds; false if there is none.
bool PickStep(std::vector<ListTransaction>* history, std::mt19937_64* random,
              const std::function<bool(size_t, const ListStep&)>& fits, ListPlace* picked) {
  std::vector<ListPlace> places;
  for (size_t i = 0; i < history->size(); ++i) {
    if ((*history)[i].end != ListEnd::kCommitted) continue;
    for (size_t step = 0; step < (*history)[i].steps.size(); ++step) {
      if (fits(i, (*history)[i].steps[step])) places.emplace_back(i, step);
    }
  }
  if (places.empty()) return false;
  *picked = places[(*random)() % places.size()];
  return true;
}

bool PickRead(std::vector<ListTransaction>* history, std::mt19937_64* random, size_t shortest,
              ListStep** read) {
  ListPlace place;
  const bool found = PickStep(
      history, random,
      [shortest](size_t, const ListStep& step) {
        return step.kind == ListStep::Kind::kRead && step.seen.size() >= shortest;
      },
      &place);
  if (found) *read = &(*history)[place.first].steps[place.second];
  return found;
}

// Each makes one change that no store may show; false if the history has no place for it.
struct Mutation {
  const char* name;
  std::function<bool(std::vector<ListTransaction>*, std::mt19937_64*)> apply;
};

std::vector<Mutation> Mutations() {
  return {
      {"a read misses its last element",
       [](auto* history, auto* random) {
         ListStep* read = nullptr;
         if (!PickRead(history, random, 1, &read)) return false;
         read->seen.pop_back();
         return true;
       }},
      {"a read misses an element in the middle",
       [](auto* history, auto* random) {
         ListStep* read = nullptr;
         if (!PickRead(history, random, 2, &read)) return false;
         read->seen.erase(read->seen.begin() +
                          static_cast<int64_t>((*random)() % (read->seen.size() - 1)));
         return true;
       }},
      {"a read sees two elements in the other order",
       [](auto* history, auto* random) {
         ListStep* read = nullptr;
         if (!PickRead(history, random, 2, &read)) return false;
         const size_t at = (*random)() % (read->seen.size() - 1);
         std::swap(read->seen[at], read->seen[at + 1]);
         return true;
       }},
      {"a read sees an element twice",
       [](auto* history, auto* random) {
         ListStep* read = nullptr;
         if (!PickRead(history, random, 1, &read)) return false;
         read->seen.push_back(read->seen[(*random)() % read->seen.size()]);
         return true;
       }},
      {"a read sees what nobody appended",
       [](auto* history, auto* random) {
         ListStep* read = nullptr;
         if (!PickRead(history, random, 0, &read)) return false;
         read->seen.push_back(1'000'000'000);
         return true;
       }},
      {"what was appended is said to have failed",
       [](auto* history, auto* random) {
         ListPlace place;
         const auto is_append = [](size_t, const ListStep& step) {
           return step.kind == ListStep::Kind::kAppend;
         };
         if (!PickStep(history, random, is_append, &place)) return false;
         (*history)[place.first].end = ListEnd::kFailed;
         return true;
       }},
      {"an append that was acknowledged never happened",
       [](auto* history, auto* random) {
         ListPlace place;
         const auto is_append = [](size_t, const ListStep& step) {
           return step.kind == ListStep::Kind::kAppend;
         };
         if (!PickStep(history, random, is_append, &place)) return false;
         const int64_t element = (*history)[place.first].steps[place.second].element;
         for (ListTransaction& transaction : *history) {
           for (ListStep& step : transaction.steps) std::erase(step.seen, element);
         }
         return true;
       }},
      {"a read comes after what it misses",
       [](auto* history, auto* random) {
         ListPlace place;
         // Its list grows afterwards: the last read has seen more.
         const auto is_overtaken = [history](size_t, const ListStep& step) {
           if (step.kind != ListStep::Kind::kRead) return false;
           for (const ListStep& last : history->back().steps) {
             if (last.list == step.list) return last.seen.size() > step.seen.size();
           }
           return false;
         };
         if (!PickStep(history, random, is_overtaken, &place)) return false;
         // Alone, so that its own appends do not move with it.
         ListTransaction& reader = (*history)[place.first];
         history->push_back({"late",
                             1000,
                             2'000'000,
                             2'000'001,
                             ListEnd::kCommitted,
                             {reader.steps[place.second]}});
         return true;
       }},
  };
}

std::string Described(uint64_t seed, const HistoryVerdict& verdict) {
  std::string text = absl::StrCat("seed ", seed, "\n");
  for (const Anomaly& anomaly : verdict.anomalies) {
    absl::StrAppend(&text, anomaly.name, ": ", anomaly.text, "\n");
  }
  return text;
}

TEST(RandomHistoryTest, WhatIsStrictlySerializableIsGood) {
  for (uint64_t seed = 0; seed < kHistories; ++seed) {
    std::mt19937_64 random(seed);
    const HistoryVerdict verdict = CheckHistory(MakeHistory(&random, seed % 2 == 0));
    ASSERT_TRUE(verdict.anomalies.empty()) << Described(seed, verdict);
  }
}

TEST(RandomHistoryTest, EveryMutationIsFound) {
  for (const Mutation& mutation : Mutations()) {
    int applied = 0;
    for (uint64_t seed = 0; seed < kHistories; ++seed) {
      std::mt19937_64 random(seed);
      std::vector<ListTransaction> history = MakeHistory(&random, /*is_loose=*/false);
      if (!mutation.apply(&history, &random)) continue;
      ++applied;
      ASSERT_FALSE(CheckHistory(history).anomalies.empty()) << mutation.name << ", seed " << seed;
    }
    EXPECT_GT(applied, kHistories / 2) << mutation.name;
  }
}

}  // namespace
}  // namespace lockstep::testing_support
