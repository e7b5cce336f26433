#include "tests/cluster/bank_audit.h"

#include <gtest/gtest.h>

#include "absl/strings/str_cat.h"

namespace lockstep::testing_support {
namespace {

constexpr int kRowsAtOnce = 5000;
// Of those whose end the client knows, GetTransaction is asked about so many.
constexpr int kAskedOfTheKnown = 1000;

// By the request_id where there is one: who was told nothing has no other name.
v1::GetTransactionRequest QuestionFor(const Transfer& transfer) {
  v1::GetTransactionRequest question;
  if (transfer.request_id.empty()) {
    question.set_transaction_id(transfer.transaction_id);
  } else {
    question.set_request_id(transfer.request_id);
    // Above that of its only try: one that is still on its way is not taken any more.
    question.set_attempt(1);
  }
  return question;
}

// What GetTransaction tells, after all the restarts.
Told OutcomeOf(v1::CoordinatorService::Stub* coordinator, const Transfer& transfer) {
  v1::GetTransactionResponse response;
  const grpc::Status status = coordinator->GetTransaction(
      Within(absl::Seconds(10), /*wait_for_ready=*/true).get(), QuestionFor(transfer), &response);
  // Within the hour for which answers are kept, an id without one has not been committed.
  const bool is_unknown_id =
      !transfer.request_id.empty() && DetailsOf(status).reason == "TRANSACTION_UNKNOWN";
  if (is_unknown_id) return Told::kAborted;
  EXPECT_TRUE(status.ok()) << ToText(status) << " for transfer " << transfer.id;
  if (response.outcome() == v1::OUTCOME_ABORTED) return Told::kAborted;
  if (response.outcome() != v1::OUTCOME_COMMITTED) return Told::kUnknown;
  EXPECT_TRUE(transfer.transaction_id.empty() ||
              response.transaction_id() == transfer.transaction_id)
      << "transfer " << transfer.id << ": " << response.transaction_id() << " instead of "
      << transfer.transaction_id;
  return Told::kCommitted;
}

}  // namespace

BankAudit::BankAudit(ProcessCluster* cluster)
    : cluster_(cluster), last_rowid_(cluster->size(), 0) {}

void BankAudit::Check(std::vector<Transfer> transfers) {
  AskFor(&transfers);
  std::vector<BankNode> nodes;
  for (size_t i = 0; i < cluster_->size(); ++i) {
    const v1::NodeReport report = cluster_->ReportOf(i);
    EXPECT_FALSE(report.has_prepared())
        << cluster_->node(i).node_id << " holds a round: " << report.ShortDebugString();
    nodes.push_back(ReadNode(i));
  }
  for (const std::string& wrong : judge_.Judge(nodes, transfers)) ADD_FAILURE() << wrong;
}

void BankAudit::AskFor(std::vector<Transfer>* transfers) {
  const auto coordinator = cluster_->Coordinator();
  int asked = 0;
  for (Transfer& transfer : *transfers) {
    if (transfer.transaction_id.empty() && transfer.request_id.empty()) continue;
    if (transfer.told != Told::kUnknown && ++asked > kAskedOfTheKnown) continue;
    transfer.found = OutcomeOf(coordinator.get(), transfer);
  }
}

BankNode BankAudit::ReadNode(size_t index) {
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
  const NodeSpec& spec = cluster_->node(index);
  BankNode node{spec.node_id, spec.database, spec.master, {}, 0, {}};
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

}  // namespace lockstep::testing_support
