// What transactions do in a simulation: a tiny database whose votes depend on all that came before,
// and three workloads whose end can be checked without knowing how it came about.
#ifndef LOCKSTEP_TESTS_SIMULATION_MODEL_H_
#define LOCKSTEP_TESTS_SIMULATION_MODEL_H_

#include <array>
#include <cstdint>
#include <memory>
#include <vector>

#include "absl/container/inlined_vector.h"
#include "absl/time/time.h"
#include "common/round_id.h"
#include "coordinator/protocol/effect.h"
#include "coordinator/protocol/request_table.h"
#include "coordinator/protocol/types.h"

namespace lockstep::simulation {

using coordinator::Cut;
using coordinator::DatabaseIndex;
using coordinator::ParticipantIndex;
using coordinator::PreparedBranch;
using coordinator::Report;
using coordinator::TransactionHandle;
using coordinator::Vote;

// What a transaction does follows from its handle alone: this bit, the databases that it changes,
// and its number.
inline constexpr TransactionHandle kNondeterministicBit = uint64_t{1} << 40;
inline constexpr int kDatabasesShift = 41;

inline constexpr bool ChangesDatabase(TransactionHandle transaction, DatabaseIndex database) {
  return (transaction >> kDatabasesShift >> database & 1) != 0;
}

// A list that is only appended to; a copy shares what it has.
class AppendList {
 public:
  size_t size() const { return last_ == nullptr ? 0 : last_->size; }
  uint64_t hash() const { return last_ == nullptr ? 0 : last_->hash; }
  void Append(TransactionHandle item);
  std::vector<TransactionHandle> Items() const;  // from the first on

  friend bool operator==(const AppendList& a, const AppendList& b) {
    return a.size() == b.size() && a.hash() == b.hash();
  }

 private:
  struct Node {
    std::shared_ptr<const Node> before;
    TransactionHandle item = 0;
    size_t size = 0;
    uint64_t hash = 0;
  };
  std::shared_ptr<const Node> last_;
};

inline constexpr int64_t kCoinsAtStart = 60;

// The rows of one participant.
struct Rows {
  std::array<int64_t, 3> cells = {};  // each mixes all that changed it
  std::array<int64_t, 2> coins = {kCoinsAtStart, kCoinsAtStart};
  std::array<TransactionHandle, 2> registers = {};
  AppendList list;

  friend bool operator==(const Rows&, const Rows&) = default;

  // Appends all of it, as words.
  void AppendState(std::vector<uint64_t>* words) const;
};

// What one branch does: a cell is mixed, which fails when it has one of so many remainders, and
// then its part of the workload.
struct Work {
  enum class Kind : uint8_t { kNothing, kTransfer, kAppend, kRegister };
  Kind kind = Kind::kNothing;
  size_t cell = 0;
  int64_t added = 0;
  int64_t refused_remainder = 0;
  std::array<int64_t, 2> coins = {};  // what each account gets; neither may fall below 0
  size_t register_index = 0;
};

inline constexpr int64_t kMixFactor = 48271;
inline constexpr int64_t kMixModulus = 2147483647;
inline constexpr int64_t kRemainders = 6;
inline constexpr int64_t kChanceModulus = 1000003;

// A nondeterministic one does another thing at each participant.
Work WorkOf(TransactionHandle transaction, DatabaseIndex database, ParticipantIndex participant);

// A transaction whose votes are chosen, not drawn: at `database` it needs that an earlier scripted
// one has written, or that none has, and votes NO else; elsewhere it votes YES.
enum class Needs : uint8_t { kNothing, kUnwritten, kWritten };
TransactionHandle Scripted(uint64_t number, Needs needs, DatabaseIndex database);
// Its number, of any transaction.
uint64_t NumberOf(TransactionHandle transaction);

// Runs a branch on rows: a YES changes them, a NO leaves them. Replicas of a database agree, unless
// the transaction is marked as nondeterministic.
Vote Execute(const PreparedBranch& branch, DatabaseIndex database, ParticipantIndex participant,
             Rows* rows);

// A branch as a participant runs and records it.
struct RunBranch {
  PreparedBranch branch;
  Vote vote;
};

using ParticipantList = absl::InlinedVector<ParticipantIndex, 4>;

// One try of a request_id: a transaction of its own, which runs or does not.
struct SimTry {
  coordinator::RequestTry its;
  TransactionHandle transaction = 0;
  ParticipantList participants;
};

}  // namespace lockstep::simulation

#endif  // LOCKSTEP_TESTS_SIMULATION_MODEL_H_
