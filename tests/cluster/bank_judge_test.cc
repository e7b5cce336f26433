// Histories made by hand: what each node holds, and what clients were told.
#include "tests/cluster/bank_judge.h"

#include <gmock/gmock.h>

namespace lockstep::testing_support {
namespace {

using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::UnorderedElementsAre;

constexpr int64_t kInitial = 100;
constexpr size_t kBank1 = 0;
constexpr size_t kBank2 = 1;
constexpr size_t kStock = 2;

// Two replicas of a bank and a stock, with two accounts each.
struct History {
  // Of 10 from account 0 of the bank to account 1 of the stock.
  Transfer& Send(const std::string& id, Told told) {
    transfers.push_back({id, {"bank", "stock"}, 10, 0, 1, told, "t-" + id, ""});
    return transfers.back();
  }
  // At those nodes.
  void Happens(const std::string& id, const std::vector<size_t>& at = {kBank1, kBank2, kStock}) {
    for (const size_t i : at) {
      nodes[i].done[id] = "equal columns";
      ++nodes[i].rows;
      nodes[i].balances[i == kStock ? 1 : 0] += i == kStock ? 10 : -10;
    }
  }
  std::vector<std::string> Judge() { return judge.Judge(nodes, transfers); }
  // The next audit reads only what is new.
  void BeginNextAudit() {
    for (BankNode& node : nodes) node.done.clear();
    transfers.clear();
  }

  std::vector<BankNode> nodes = {{"bank-1", "bank", true, {}, 0, {kInitial, kInitial}},
                                 {"bank-2", "bank", false, {}, 0, {kInitial, kInitial}},
                                 {"stock-1", "stock", true, {}, 0, {kInitial, kInitial}}};
  std::vector<Transfer> transfers;
  BankJudge judge{{"bank", "stock"}, 2, kInitial};
};

TEST(BankJudgeTest, WhatHappenedAsItWasToldIsRightInEveryAudit) {
  History history;
  history.Send("1", Told::kCommitted).found = Told::kCommitted;
  history.Happens("1");
  history.Send("2", Told::kAborted).found = Told::kAborted;
  EXPECT_THAT(history.Judge(), IsEmpty());
  history.BeginNextAudit();
  history.Send("3", Told::kCommitted);
  history.Happens("3");
  EXPECT_THAT(history.Judge(), IsEmpty());
}

TEST(BankJudgeTest, AnUnknownTransferIsWhollyThereOrWhollyAbsentAndCounted) {
  History history;
  history.Send("1", Told::kUnknown).found = Told::kCommitted;
  history.Happens("1");
  history.Send("2", Told::kUnknown);
  history.Send("3", Told::kUnknown).found = Told::kAborted;
  EXPECT_THAT(history.Judge(), IsEmpty());
  EXPECT_EQ(history.judge.resolved().committed, 1);
  EXPECT_EQ(history.judge.resolved().aborted, 2);
  EXPECT_EQ(history.judge.resolved().found, 2);
}

TEST(BankJudgeTest, HalfOfATransferIsFoundWhateverWasToldOfIt) {
  const std::vector<std::vector<size_t>> halves = {
      {kBank1}, {kStock}, {kBank1, kBank2}, {kBank2, kStock}};
  for (const Told told : {Told::kCommitted, Told::kAborted, Told::kUnknown}) {
    for (const std::vector<size_t>& half : halves) {
      History history;
      history.Send("1", told);
      history.Happens("1", half);
      EXPECT_THAT(history.Judge(), ElementsAre(HasSubstr("half of transfer 1 (t-1)")));
    }
  }
}

TEST(BankJudgeTest, AnAcknowledgedTransferThatIsLostIsFound) {
  History history;
  history.Send("1", Told::kCommitted);
  EXPECT_THAT(history.Judge(), ElementsAre(HasSubstr("acknowledged: transfer 1")));
}

TEST(BankJudgeTest, ATransferThatWasToldAbortedAndIsThereIsFound) {
  History history;
  history.Send("1", Told::kAborted);
  history.Happens("1");
  EXPECT_THAT(history.Judge(), ElementsAre(HasSubstr("told aborted: transfer 1")));
}

TEST(BankJudgeTest, WhatGetTransactionTellsOtherwiseOrNotAtAllIsFound) {
  for (const Told found : {Told::kAborted, Told::kUnknown}) {
    History history;
    history.Send("1", Told::kUnknown).found = found;
    history.Happens("1");
    EXPECT_THAT(history.Judge(), ElementsAre(HasSubstr("GetTransaction tells otherwise")));
  }
  History history;
  history.Send("1", Told::kUnknown).found = Told::kCommitted;
  EXPECT_THAT(history.Judge(), ElementsAre(HasSubstr("GetTransaction tells otherwise")));
}

TEST(BankJudgeTest, MoneyInTheWrongAccountIsFoundAlsoWhereTheTotalIsRight) {
  History history;
  history.Send("1", Told::kCommitted);
  history.Happens("1");
  std::swap(history.nodes[kStock].balances[0], history.nodes[kStock].balances[1]);
  EXPECT_THAT(history.Judge(), ElementsAre("balances of stock-1: 110 100; they should be 100 110"));
}

TEST(BankJudgeTest, AWrongTotalIsFound) {
  History history;
  history.nodes[kStock].balances[0] += 1;
  EXPECT_THAT(history.Judge(), Contains("the total is 401 instead of 400"));
}

TEST(BankJudgeTest, ReplicasThatDifferAreFound) {
  History history;
  history.Send("1", Told::kCommitted);
  history.Happens("1");
  history.nodes[kBank2].done["1"] = "other columns";
  EXPECT_THAT(history.Judge(), ElementsAre("bank-2 and its master differ"));
}

TEST(BankJudgeTest, ARowThatNobodySentIsFoundAlsoOnAllReplicas) {
  History history;
  for (const size_t i : {kBank1, kBank2}) {
    history.nodes[i].done["7"] = "columns";
    ++history.nodes[i].rows;
  }
  EXPECT_THAT(history.Judge(), UnorderedElementsAre("bank-1 has a row of no transfer: 7|columns",
                                                    "bank-2 has a row of no transfer: 7|columns",
                                                    "bank-1 has 1 transfers instead of 0",
                                                    "bank-2 has 1 transfers instead of 0"));
}

TEST(BankJudgeTest, ARowThatIsGoneSinceTheLastAuditIsFound) {
  History history;
  history.Send("1", Told::kCommitted);
  history.Happens("1");
  EXPECT_THAT(history.Judge(), IsEmpty());
  history.BeginNextAudit();
  --history.nodes[kStock].rows;
  EXPECT_THAT(history.Judge(), ElementsAre("stock-1 has 0 transfers instead of 1"));
}

TEST(BankJudgeTest, AReadFindsAnAcknowledgedTransferExactlyOnce) {
  const Transfer acknowledged = {"1", {"bank", "stock"}, 10, 0, 1, Told::kCommitted, "t-1", ""};
  EXPECT_EQ(JudgeRead(acknowledged, {"bank", "bank-2", 7, 1}), "");
  for (const int64_t rows : {-1, 0, 2}) {
    EXPECT_THAT(JudgeRead(acknowledged, {"bank", "bank-2", 7, rows}),
                HasSubstr("rows of the acknowledged transfer 1 (t-1) at version 7"));
  }
}

}  // namespace
}  // namespace lockstep::testing_support
