// What the clients of a simulation saw, and what has to be true of it.
#ifndef LOCKSTEP_TESTS_SIMULATION_HISTORY_H_
#define LOCKSTEP_TESTS_SIMULATION_HISTORY_H_

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "absl/time/time.h"
#include "tests/simulation/model.h"

namespace lockstep::simulation {

// One transaction, or one try of a request_id.
struct Attempt {
  enum class Outcome { kOpen, kCommitted, kAborted };
  Outcome outcome = Outcome::kOpen;  // kOpen: nobody was told
  absl::Duration invoked;
  absl::Duration completed = absl::InfiniteDuration();
};

struct ClientRead {
  DatabaseIndex database = 0;
  absl::Duration invoked;
  absl::Duration completed;
  Rows rows;
};

// The checkers know the history and the rows in the end; the coordinator's order, its log and the
// participants are nothing to them. Each returns what is wrong, or nothing.
class History {
 public:
  void Invoked(TransactionHandle transaction, absl::Duration now);
  // The first answer counts: a later one is told to a client that repeats a request.
  void Completed(TransactionHandle transaction, bool committed, absl::Duration now);
  void HasRead(ClientRead read) { reads_.push_back(std::move(read)); }

  // `finals`: the rows of each database, by its number, when all has come to rest.
  std::optional<std::string> Check(const std::vector<Rows>& finals) const;

  // Money is moved, never made.
  static std::optional<std::string> CheckBank(const std::vector<Rows>& finals);
  // Lists only grow; hold what was committed, once, nothing of what was aborted; all in one order,
  // which real time agrees with; and every read is a beginning that holds all that was told, and
  // all that an earlier read has shown.
  std::optional<std::string> CheckLists(const std::vector<Rows>& finals) const;
  // Each register is linearizable: one order of its writes explains what all reads have shown, and
  // no operation in it stands behind one that began after its end. Complete, since no two writes
  // are alike (P. Gibbons and E. Korach, "Testing Shared Memories", SIAM J. Comput. 1997): a write
  // and the reads that show it stand together, and an order exists unless two such clusters each
  // have an operation that ended before one of the other began.
  std::optional<std::string> CheckRegisters(const std::vector<Rows>& finals) const;

 private:
  const Attempt* Find(TransactionHandle transaction) const;
  std::optional<std::string> CheckList(DatabaseIndex database, const AppendList& list) const;
  std::optional<std::string> CheckOrder(const std::vector<TransactionHandle>& items) const;
  std::optional<std::string> CheckListRead(const ClientRead& read,
                                           const std::vector<TransactionHandle>& items) const;
  std::optional<std::string> CheckReadsOfLists() const;
  std::optional<std::string> CheckRegister(const std::vector<ClientRead>& reads,
                                           DatabaseIndex database, size_t index) const;
  std::optional<std::string> CheckWriteOf(TransactionHandle shown, const ClientRead& read,
                                          size_t index) const;

  std::map<TransactionHandle, Attempt> attempts_;
  std::vector<ClientRead> reads_;
};

}  // namespace lockstep::simulation

#endif  // LOCKSTEP_TESTS_SIMULATION_HISTORY_H_
