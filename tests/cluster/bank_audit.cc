#include "tests/cluster/bank_audit.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <numeric>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"

namespace lockstep::testing_support {
namespace {

constexpr int kRowsAtOnce = 5000;
// Of those whose end the client knows, GetTransaction is asked about so many.
constexpr int kAskedOfTheKnown = 1000;

}  // namespace

BankAudit::BankAudit(ProcessCluster* cluster) : cluster_(cluster), last_rowid_(cluster->size(), 0) {
  for (const std::string& database : BankWorkload::Databases()) {
    balances_[database].assign(BankWorkload::kAccounts, BankWorkload::kInitialBalance);
  }
}

void BankAudit::Check(const std::vector<Transfer>& transfers) {
  coordinator_ = cluster_->Coordinator();
  asked_ = 0;
  nodes_.clear();
  for (size_t i = 0; i < cluster_->size(); ++i) {
    const v1::NodeReport report = cluster_->ReportOf(i);
    EXPECT_FALSE(report.has_prepared())
        << cluster_->node(i).node_id << " holds a round: " << report.ShortDebugString();
    nodes_.push_back(ReadNode(i));
  }
  for (const Transfer& transfer : transfers) {
    CheckTransfer(transfer);
    if (::testing::Test::HasFailure()) return;  // the first is the one to look at
  }
  CheckNodes();
}

BankAudit::Node BankAudit::ReadNode(size_t index) {
  const auto stub = cluster_->Participant(index);
  const auto query = [&](const std::string& sql, std::vector<int64_t> numbers) {
    v1::ParticipantServiceQueryRequest request;
    request.set_sql(sql);
    for (const int64_t number : numbers) request.add_params()->set_int_value(number);
    v1::ParticipantServiceQueryResponse response;
    const grpc::Status status =
        stub->Query(Within(absl::Seconds(20), /*wait_for_ready=*/true).get(), request, &response);
    EXPECT_TRUE(status.ok()) << cluster_->node(index).node_id << ": " << ToText(status);
    return response;
  };
  Node node;
  int64_t& last = last_rowid_[index];
  for (;;) {
    const auto page =
        query("SELECT rowid, id, nonce, at FROM done WHERE rowid > ? ORDER BY rowid LIMIT ?",
              {last, kRowsAtOnce});
    for (const v1::Row& row : page.rows()) {
      last = row.values(0).int_value();
      node.done[row.values(1).text_value()] = absl::StrCat(
          last, "|", row.values(2).ShortDebugString(), "|", row.values(3).ShortDebugString());
    }
    if (page.rows_size() < kRowsAtOnce) break;
  }
  const auto count = query("SELECT count(*) FROM done", {});
  if (count.rows_size() == 1) node.rows = count.rows(0).values(0).int_value();
  const auto accounts = query("SELECT balance FROM account ORDER BY id", {});
  for (const v1::Row& row : accounts.rows()) node.balances.push_back(row.values(0).int_value());
  return node;
}

void BankAudit::CheckTransfer(const Transfer& transfer) {
  std::vector<std::string> with;
  std::vector<std::string> without;
  for (size_t i = 0; i < nodes_.size(); ++i) {
    const bool concerned = std::find(transfer.databases.begin(), transfer.databases.end(),
                                     cluster_->node(i).database) != transfer.databases.end();
    if (!concerned) continue;
    (nodes_[i].done.count(transfer.id) > 0 ? with : without).push_back(cluster_->node(i).node_id);
  }
  const std::string name =
      absl::StrCat("transfer ", transfer.id, " (", transfer.transaction_id, "), found on [",
                   absl::StrJoin(with, " "), "], not on [", absl::StrJoin(without, " "), "]");
  EXPECT_TRUE(with.empty() || without.empty()) << "half of " << name;
  if (transfer.told == Told::kCommitted) {
    EXPECT_TRUE(without.empty()) << "acknowledged: " << name;
  } else if (transfer.told == Told::kAborted) {
    EXPECT_TRUE(with.empty()) << "told aborted: " << name;
  } else {
    ++(without.empty() ? resolved_.committed : resolved_.aborted);
  }
  CheckOutcome(transfer, without.empty(), name);
  if (without.empty()) Apply(transfer);
}

// What GetTransaction tells, after all the restarts, is what is in the databases.
void BankAudit::CheckOutcome(const Transfer& transfer, bool happened, const std::string& name) {
  if (transfer.transaction_id.empty()) return;
  if (transfer.told != Told::kUnknown && ++asked_ > kAskedOfTheKnown) return;
  v1::GetTransactionRequest request;
  request.set_transaction_id(transfer.transaction_id);
  v1::GetTransactionResponse response;
  const grpc::Status status = coordinator_->GetTransaction(
      Within(absl::Seconds(10), /*wait_for_ready=*/true).get(), request, &response);
  EXPECT_TRUE(status.ok()) << ToText(status) << " for " << name;
  EXPECT_EQ(response.outcome(), happened ? v1::OUTCOME_COMMITTED : v1::OUTCOME_ABORTED) << name;
}

void BankAudit::Apply(const Transfer& transfer) {
  balances_[transfer.databases[0]][static_cast<size_t>(transfer.from_account)] -= transfer.amount;
  balances_[transfer.databases[1]][static_cast<size_t>(transfer.to_account)] += transfer.amount;
  for (const std::string& database : transfer.databases) ++rows_[database];
}

void BankAudit::CheckNodes() {
  int64_t total = 0;
  std::map<std::string, const Node*> masters;
  for (size_t i = 0; i < nodes_.size(); ++i) {
    const NodeSpec& spec = cluster_->node(i);
    EXPECT_EQ(nodes_[i].balances, balances_[spec.database]) << spec.node_id;
    EXPECT_EQ(nodes_[i].rows, rows_[spec.database]) << "transfers of " << spec.node_id;
    if (!spec.master) continue;
    masters[spec.database] = &nodes_[i];
    total = std::accumulate(nodes_[i].balances.begin(), nodes_[i].balances.end(), total);
  }
  EXPECT_EQ(total, static_cast<int64_t>(balances_.size()) * BankWorkload::kAccounts *
                       BankWorkload::kInitialBalance);
  for (size_t i = 0; i < nodes_.size(); ++i) {
    EXPECT_TRUE(nodes_[i].done == masters[cluster_->node(i).database]->done)
        << cluster_->node(i).node_id << " and its master differ";
  }
}

}  // namespace lockstep::testing_support
