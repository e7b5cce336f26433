// What clients of a list-append workload did and were told, and what a store did wrong that let
// them see it.
//
// The method is that of A. Adya, "Weak Consistency: A Generalized Theory and Optimistic
// Implementations for Distributed Transactions" (thesis, MIT 1999) and of K. Kingsbury and
// P. Alvaro, "Elle: Inferring Isolation Anomalies from Experimental Observations" (VLDB 2020): a
// list to which unique elements are appended tells the order of its writers, so that one read shows
// which transactions must stand before and which behind its own; a cycle among them is an anomaly.
#ifndef LOCKSTEP_TESTS_SUPPORT_HISTORY_HISTORY_H_
#define LOCKSTEP_TESTS_SUPPORT_HISTORY_HISTORY_H_

#include <cstdint>
#include <string>
#include <vector>

namespace lockstep::testing_support {

// One step of a transaction.
struct ListStep {
  enum class Kind { kAppend, kRead };
  Kind kind = Kind::kRead;
  std::string list;
  int64_t element = 0;        // of an append; no element is appended to a list twice
  std::vector<int64_t> seen;  // of a read: the whole list
};

ListStep AppendTo(std::string list, int64_t element);
ListStep ReadOf(std::string list, std::vector<int64_t> seen);

// How a transaction ended, as far as its client knows.
enum class ListEnd {
  kCommitted,
  kFailed,   // it did not happen and never will
  kUnknown,  // it may have happened, or may happen yet, until a read shows it
};

struct ListTransaction {
  std::string name;
  int process = 0;        // the client; it has one transaction at a time
  int64_t invoked = 0;    // instants of one steady clock
  int64_t completed = 0;  // of one whose end is unknown it means nothing
  ListEnd end = ListEnd::kCommitted;
  std::vector<ListStep>
      steps;  // what reads of one that is not committed have seen is not looked at
};

// For messages.
std::string ToText(const ListTransaction& transaction);

struct Anomaly {
  // internal            a read disagrees with earlier steps of its own transaction
  // phantom             an element that nobody appended
  // duplicate           an element twice in a list
  // lost                an acknowledged element that a later read misses, and no read ever shows
  // G1a                 an element of a transaction that failed (aborted read)
  // G1b                 some, but not the last, of what a transaction appended (intermediate read)
  // incompatible-order  two reads that are not prefixes of one list
  // G0                  a cycle of writes
  // G1c                 a cycle of writes and of reads of what was written
  // G-single            a cycle with one read of what is overwritten (read skew)
  // G2                  a cycle with several of these (write skew)
  // real-time           an order that contradicts the clock: not strictly serializable
  std::string name;
  std::string text;
};

struct HistoryVerdict {
  std::vector<Anomaly> anomalies;  // of each kind of cycle the first that was found
  int64_t proved = 0;              // unknown ends that a read shows to be commits
  int64_t open = 0;                // unknown ends that stay so
};

// Judges a whole history; its order does not matter.
HistoryVerdict CheckHistory(const std::vector<ListTransaction>& history);

}  // namespace lockstep::testing_support

#endif  // LOCKSTEP_TESTS_SUPPORT_HISTORY_HISTORY_H_
