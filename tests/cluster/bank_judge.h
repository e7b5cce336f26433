// Judges what the databases of a BankWorkload hold by what its clients were told. Pure: no cluster.
#ifndef LOCKSTEP_TESTS_CLUSTER_BANK_JUDGE_H_
#define LOCKSTEP_TESTS_CLUSTER_BANK_JUDGE_H_

#include <cstdint>
#include <map>
#include <string>
#include <vector>

namespace lockstep::testing_support {

// What a client was told of a transfer.
enum class Told { kNothing, kCommitted, kAborted, kUnknown };

struct Transfer {
  std::string id;                      // written into table "done" of each of its databases
  std::vector<std::string> databases;  // two different ones, or all three
  int64_t amount = 0;                  // from an account in the first database
  int64_t from_account = 0;
  int64_t to_account = 0;  // in the second database; a third only learns of the transfer
  Told told = Told::kNothing;
  std::string transaction_id;  // as far as the client was told
  std::string request_id;      // empty: it was sent without one
  bool has_expire_time = false;
  Told found = Told::kNothing;  // by GetTransaction afterwards; kNothing: it was not asked
};

// What a participant holds.
struct BankNode {
  std::string name;
  std::string database;
  bool master = true;
  std::map<std::string, std::string> done;  // since the last audit: id to the other columns
  int64_t rows = 0;                         // of table done, in all
  std::vector<int64_t> balances;
};

// How the transfers whose clients were told nothing came out.
struct ResolvedCounts {
  int64_t committed = 0;
  int64_t aborted = 0;
  int64_t found = 0;  // of both, those that GetTransaction told, too
};

// Of audit after audit of one run. It remembers only what one audit needs of those before: sums,
// and how many rows there were.
class BankJudge {
 public:
  BankJudge(const std::vector<std::string>& databases, int accounts, int64_t initial_balance);

  // What is wrong, of all nodes and of all transfers since the last audit:
  // - an acknowledged transfer that is not on every node of its databases, one that was told
  //   aborted and is on any, one that is on some only;
  // - one of which GetTransaction tells otherwise than the databases, or nothing;
  // - a row of no transfer, and rows that are gone since;
  // - an account that holds other than the transfers that happened make of it, a total that
  //   changed, nodes of one database that differ.
  // At the first transfer that is wrong it ends: that is the one to look at.
  std::vector<std::string> Judge(const std::vector<BankNode>& nodes,
                                 const std::vector<Transfer>& transfers);

  // Of all audits.
  const ResolvedCounts& resolved() const { return resolved_; }

 private:
  // Empty if it is right.
  std::string JudgeTransfer(const std::vector<BankNode>& nodes, const Transfer& transfer);
  void Apply(const Transfer& transfer);
  void JudgeNodes(const std::vector<BankNode>& nodes, std::vector<std::string>* wrong) const;

  const int64_t total_;
  // What must be there now.
  std::map<std::string, std::vector<int64_t>> balances_;  // by database
  std::map<std::string, int64_t> rows_;                   // by database
  ResolvedCounts resolved_;
};

// What a client read of a transfer that had been acknowledged before.
struct BankRead {
  std::string database;
  std::string node_id;
  int64_t version = 0;
  int64_t rows = 0;  // with the transfer's id
};

// Rule R21: a read through the coordinator sees every transaction that was answered before it. What
// is wrong; empty if it is right.
std::string JudgeRead(const Transfer& acknowledged, const BankRead& read);

}  // namespace lockstep::testing_support

#endif  // LOCKSTEP_TESTS_CLUSTER_BANK_JUDGE_H_
