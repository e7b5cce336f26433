#include "tests/cluster/bank_judge.h"

#include <algorithm>
#include <numeric>
#include <set>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"

namespace lockstep::testing_support {
namespace {

void JudgeStrangers(const std::vector<BankNode>& nodes, const std::vector<Transfer>& transfers,
                    std::vector<std::string>* wrong) {
  std::set<std::string> sent;
  for (const Transfer& transfer : transfers) sent.insert(transfer.id);
  for (const BankNode& node : nodes) {
    for (const auto& [id, columns] : node.done) {
      if (sent.contains(id)) continue;
      wrong->push_back(absl::StrCat(node.name, " has a row of no transfer: ", id, "|", columns));
    }
  }
}

}  // namespace

BankJudge::BankJudge(const std::vector<std::string>& databases, int accounts,
                     int64_t initial_balance)
    : total_(static_cast<int64_t>(databases.size()) * accounts * initial_balance) {
  for (const std::string& database : databases) {
    balances_[database].assign(static_cast<size_t>(accounts), initial_balance);
  }
}

std::vector<std::string> BankJudge::Judge(const std::vector<BankNode>& nodes,
                                          const std::vector<Transfer>& transfers) {
  for (const Transfer& transfer : transfers) {
    if (std::string one = JudgeTransfer(nodes, transfer); !one.empty()) return {std::move(one)};
  }
  std::vector<std::string> wrong;
  JudgeStrangers(nodes, transfers, &wrong);
  JudgeNodes(nodes, &wrong);
  return wrong;
}

std::string BankJudge::JudgeTransfer(const std::vector<BankNode>& nodes, const Transfer& transfer) {
  std::vector<std::string> with;
  std::vector<std::string> without;
  for (const BankNode& node : nodes) {
    const auto& databases = transfer.databases;
    if (std::find(databases.begin(), databases.end(), node.database) == databases.end()) continue;
    (node.done.contains(transfer.id) ? with : without).push_back(node.name);
  }
  const std::string name =
      absl::StrCat("transfer ", transfer.id, " (", transfer.transaction_id, "), found on [",
                   absl::StrJoin(with, " "), "], not on [", absl::StrJoin(without, " "), "]");
  if (!with.empty() && !without.empty()) return "half of " + name;
  const bool happened = without.empty();
  if (transfer.told == Told::kCommitted && !happened) return "acknowledged: " + name;
  if (transfer.told == Told::kAborted && happened) return "told aborted: " + name;
  if (transfer.found != Told::kNothing &&
      transfer.found != (happened ? Told::kCommitted : Told::kAborted)) {
    return "GetTransaction tells otherwise, or nothing: " + name;
  }
  if (transfer.told == Told::kUnknown) {
    ++(happened ? resolved_.committed : resolved_.aborted);
    if (transfer.found != Told::kNothing) ++resolved_.found;
  }
  if (happened) Apply(transfer);
  return "";
}

void BankJudge::Apply(const Transfer& transfer) {
  balances_[transfer.databases[0]][static_cast<size_t>(transfer.from_account)] -= transfer.amount;
  balances_[transfer.databases[1]][static_cast<size_t>(transfer.to_account)] += transfer.amount;
  for (const std::string& database : transfer.databases) ++rows_[database];
}

void BankJudge::JudgeNodes(const std::vector<BankNode>& nodes,
                           std::vector<std::string>* wrong) const {
  int64_t total = 0;
  std::map<std::string, const BankNode*> masters;
  for (const BankNode& node : nodes) {
    const std::vector<int64_t>& balances = balances_.at(node.database);
    if (node.balances != balances) {
      wrong->push_back(absl::StrCat("balances of ", node.name, ": ",
                                    absl::StrJoin(node.balances, " "), "; they should be ",
                                    absl::StrJoin(balances, " ")));
    }
    const auto rows = rows_.find(node.database);
    const int64_t expected = rows == rows_.end() ? 0 : rows->second;
    if (node.rows != expected) {
      wrong->push_back(
          absl::StrCat(node.name, " has ", node.rows, " transfers instead of ", expected));
    }
    if (!node.master) continue;
    masters[node.database] = &node;
    total = std::accumulate(node.balances.begin(), node.balances.end(), total);
  }
  if (total != total_) {
    wrong->push_back(absl::StrCat("the total is ", total, " instead of ", total_));
  }
  for (const BankNode& node : nodes) {
    if (node.done != masters.at(node.database)->done) {
      wrong->push_back(node.name + " and its master differ");
    }
  }
}

std::string JudgeRead(const Transfer& acknowledged, const BankRead& read) {
  if (read.rows == 1) return "";
  return absl::StrCat("a read of ", read.database, " at ", read.node_id, " found ", read.rows,
                      " rows of the acknowledged transfer ", acknowledged.id, " (",
                      acknowledged.transaction_id, ") at version ", read.version);
}

}  // namespace lockstep::testing_support
